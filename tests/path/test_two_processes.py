"""Two processes with half the batch each: the same student as one, one report, one voice."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from chatstill.run import run as pipeline
from chatstill.train import launch

from ..processes import free_port, run_processes
from . import by_hand, world
from .children import fork, wait

ROOT = Path(__file__).resolve().parents[2]
EXACT = {
    "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
    "learning_rate": 0.05,
    "theseus_scheduler": {"replacing_rate": 0.5, "predecessor_dropout": False},
}


@pytest.fixture(scope="module")
def still(tmp_path_factory, shared, finished):
    """A taught teacher without dropout; ``finished`` has warmed this process."""
    folder = tmp_path_factory.mktemp("still") / "teacher"
    world.build_network(folder, dropout=0.0)
    by_hand.make_right(folder)
    return folder


@pytest.fixture(scope="module")
def configured(shared, still):
    def make(folder, batch, **changes):
        values = world.values_for(
            shared / "data", folder / "out", still, per_gpu_train_batch_size=batch, **EXACT
        )
        return world.loaded({**values, **changes}, folder)

    return make


@pytest.fixture(scope="module")
def alone(configured, tmp_path_factory):
    """One process with the whole batch."""
    folder = tmp_path_factory.mktemp("alone")
    pipeline.distill(configured(folder, 8), console=world.console())
    return folder / "out"


def assert_close(left, right):
    one, other = (load_file(folder / "student" / "model.safetensors") for folder in (left, right))
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-5, msg=name)
    values = [
        json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        for folder in (left, right)
    ]
    assert values[0]["dev"]["metrics"] == pytest.approx(values[1]["dev"]["metrics"])
    assert values[1]["versions"]["processes"] == "2"


def test_two_processes_make_the_student_of_one(configured, alone, tmp_path):
    loaded = configured(tmp_path, 4)

    def work(rank):
        from chatstill.run import task_level

        preflights = []
        preflight = task_level.preflight
        task_level.preflight = lambda job: preflights.append(rank) or preflight(job)
        where = world.console()
        pipeline.distill(loaded, console=where)
        return len(preflights), world.said(where)

    (first, second) = run_processes(work, 2)
    assert (first[0], second[0]) == (1, 0), "the pre-flight runs on the first process alone"
    assert "mrr = " in first[1]
    assert not second[1].strip(), "one voice"
    assert_close(alone, tmp_path / "out")
    log = (tmp_path / "out" / "run.log").read_text(encoding="utf-8")
    assert "8 rows: 4 on each of 2 processes" in log
    assert log.count("finished:") == 1
    assert not list((tmp_path / "out").glob(".ready*"))
    # started again: all processes end, the first one says why
    (first, second) = run_processes(work, 2, seconds=30)
    assert (first[0], second[0]) == (0, 0)
    assert "finished" in first[1]
    assert not second[1].strip()
    again = configured(tmp_path, 4, do_train=False)
    printed = run_processes(lambda rank: _evaluated(again), 2, seconds=30)
    assert "mrr = " in printed[0]
    assert not printed[1].strip()


def _evaluated(loaded):
    where = world.console()
    pipeline.distill(loaded, console=where)
    return world.said(where)


def pair(loaded, output, action=None):
    """Two forked processes as a launcher starts them; their exit codes."""
    port = free_port()
    children = []
    for rank in range(2):

        def child(rank=rank):
            os.environ.update(
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                WORLD_SIZE="2",
                LOCAL_WORLD_SIZE="2",
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port),
                ACCELERATE_USE_CPU="true",
            )
            from accelerate.state import AcceleratorState, GradientState, PartialState

            for state in (PartialState, AcceleratorState, GradientState):
                state._shared_state.clear()
            if action is not None:
                action(rank)
            from chatstill import cli

            return cli.main(["distill", loaded.name])

        children.append(fork(child, output))
    return children


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_two_processes_stop_and_go_on_together(configured, tmp_path, alone, signal_number):
    """A signal to one process: both end at the same step (or are killed); both go on from it."""
    loaded = configured(tmp_path, 4)

    def stop_one(rank):
        from chatstill.train.flow import FlowCallback

        original = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if rank == 1 and state.global_step == 6:
                os.kill(os.getpid(), signal_number)
            return original(self, args, state, control, **kwargs)

        FlowCallback.on_step_end = with_signal

    children = pair(loaded, tmp_path / "said.txt", stop_one)
    if signal_number == signal.SIGTERM:
        assert [wait(child) for child in children] == [143, 143]
        said = (tmp_path / "said.txt").read_text(encoding="utf-8")
        assert said.count("the last step is saved") == 1
    else:
        assert wait(children[1]) == -signal.SIGKILL
        children[0].kill()  # as a launcher does
        children[0].join()
    children = pair(loaded, tmp_path / "again.txt")
    codes = [wait(child) for child in children]
    assert codes == [0, 0], (tmp_path / "again.txt").read_text(encoding="utf-8")[-3000:]
    assert_close(alone, tmp_path / "out")
    log = (tmp_path / "out" / "run.log").read_text(encoding="utf-8")
    assert f"goes on after step {6 if signal_number == signal.SIGTERM else 4}" in log


def test_an_error_of_the_preflight_is_said_by_the_first_process(configured, tmp_path):
    loaded = configured(tmp_path, 4, max_seq_length=100)
    children = pair(loaded, tmp_path / "said.txt")
    assert wait(children[0]) == 2
    children[1].join(0.3)
    assert children[1].exitcode is None, "it waits until its launcher ends it"
    children[1].terminate()
    children[1].join()
    said = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert "max_seq_length" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


# -- starting --------------------------------------------------------------------------------------


class Replaced(BaseException):
    """What os.execv would not come back from."""


def test_several_devices_start_one_process_each(run, monkeypatch, tmp_path):
    seen = []

    def execv(path, command):
        seen.append((path, command))
        raise Replaced

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(Replaced):
        run()
    path, command = seen[0]
    assert path == sys.executable
    assert command[:5] == [
        path,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=3",
    ]
    assert command[5:] == ["-m", "chatstill", "distill", str(tmp_path / "configs" / "distill.json")]
    assert not (tmp_path / "out").exists()


def test_a_launcher_or_one_device_is_left_alone(monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *args: pytest.fail("started again"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    launch.relaunch_on_every_device(["distill"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    launch.relaunch_on_every_device(["distill"], cpu=True)
    monkeypatch.setenv("WORLD_SIZE", "1")
    launch.relaunch_on_every_device(["distill"])


def launcher(name, door):
    if name == "torchrun":
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node=2",
            door,
        ]
    tool = Path(sys.executable).with_name("accelerate")
    return [
        str(tool),
        "launch",
        "--multi_gpu",  # with --cpu it starts one process, whatever --num_processes says
        "--num_processes=2",
        f"--main_process_port={free_port()}",
        door,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torchrun", "accelerate"])
def test_real_launchers(name, configured, alone, tmp_path):
    loaded = configured(tmp_path, 4)
    home = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    home["CUDA_VISIBLE_DEVICES"] = ""

    def go(*extra):
        return subprocess.run(
            [*launcher(name, str(ROOT / "run_glue.py")), loaded.name, *extra],
            env=home,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    refused = go("--set", "max_seq_length=100")
    assert refused.returncode != 0
    assert "max_seq_length" in refused.stderr + refused.stdout
    assert not (tmp_path / "out").exists()
    done = go()
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("\nmrr = ") == 1, "the student's figure, by one process"
    assert_close(alone, tmp_path / "out")
    log = (tmp_path / "out" / "run.log").read_text(encoding="utf-8")
    assert "4 on each of 2 processes" in log
    again = go()
    assert again.returncode == 0, again.stderr[-3000:]
    assert "finished" in again.stdout
    shutil.rmtree(tmp_path / "out")
