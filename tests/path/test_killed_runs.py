"""Runs that are killed, stopped, damaged or started twice end as an unbroken one does, bit for bit."""

import multiprocessing
import os
import random
import signal
from functools import cache

import pytest

from chatstill import cli
from chatstill.errors import UserError
from tests.draws import reseeded

from .broken import Broken, distill
from .children import fork, wait

TWO_PHASES = {
    "theseus_scheduler": {"replacing_rate": 0.5, "scheduler_type": "constant"},
    "num_train_epochs": 1,
    "successor_num_train_epochs": 1,
    "save_steps": 2,
    "per_gpu_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
}
BEST = {"keep": "best", "eval_steps": 2, "save_steps": 3, "patience": 9}
CASES = {"two phases": TWO_PHASES, "best": BEST}


@pytest.fixture(scope="module")
def broken_of(shared, teacher_of, tmp_path_factory, finished):
    """``finished`` has warmed this process: its children import nothing more."""

    @cache
    def get(case="two phases"):
        return Broken(shared, teacher_of(), tmp_path_factory.mktemp("broken"), CASES[case])

    return get


@pytest.fixture
def broken(broken_of):
    return broken_of()


@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again(broken_of, case):
    """SIGKILL before one file operation after another, over the whole life of a run."""
    broken = broken_of(case)
    assert broken.changes_made > 60, "the hook sees the saves"
    broken.kill_again_and_again("again", random.Random(reseeded(4)), times=7, least=2)


@pytest.mark.parametrize("back", [1, 4, 9, 16])
def test_killed_while_the_results_are_written(broken, back):
    """The last file operations: student, predictions, metrics, the mark that the run is finished."""
    name = f"late-{back}"
    code = broken.attempt(name, kill_at=broken.changes_made - back)
    assert code == -signal.SIGKILL, broken.said()[-3000:]
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    broken.assert_equal(name)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_at_every_file_operation(broken_of, case):
    broken = broken_of(case)
    for number in range(1, broken.changes_made + 1):
        name = f"at-{number}"
        code = broken.attempt(name, kill_at=number)
        assert code == -signal.SIGKILL, broken.said()[-3000:]
        assert broken.attempt(name) == 0, broken.said()[-3000:]
        broken.assert_equal(name)


@pytest.mark.parametrize("killed_after", [(0, 1, 2), (2, 0, 1)], ids=str)
def test_killed_from_outside_at_random_moments(broken, killed_after):
    """Each attempt waits in its next step but one: however slow the machine, no kill comes too late."""
    generator = random.Random(reseeded(11))
    name = f"outside-{killed_after[0]}"
    loaded = broken.load(name)
    for steps_before in killed_after:  # together, with the step after, fewer than the run has
        reached = multiprocessing.get_context("fork").Event()

        def attempt(steps_before=steps_before, reached=reached):
            holding(steps_before, reached)
            distill(loaded)

        process = fork(attempt, broken.output)
        try:
            assert reached.wait(120), broken.said()[-3000:]
            process.join(generator.uniform(0, 0.3))
            assert process.exitcode is None, broken.said()[-3000:]
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    log = (broken.folder / name / "run.log").read_text(encoding="utf-8")
    assert "goes on after step" in log, "something was kept of what was killed"
    broken.assert_equal(name)


def test_curves_of_a_broken_run_have_each_step_once(broken):
    """TensorBoard: what came after the checkpoint is drawn anew, what came before stays."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert broken.attempt("curves", kill_at=broken.changes_made // 2) == -signal.SIGKILL
    assert broken.attempt("curves") == 0
    curves = []
    for name in ("unbroken", "curves"):
        events = EventAccumulator(str(broken.folder / name / "tensorboard"))
        events.Reload()
        curves.append([event.step for event in events.Scalars("loss")])
    assert curves[0] == curves[1]


def holding(steps_before, reached):
    """In a child: tells when so many steps are done (0: at once), and goes no further than one more."""
    from chatstill.train.flow import FlowCallback

    original, done = FlowCallback.on_step_end, 0

    def with_gate(self, args, state, control, **kwargs):
        nonlocal done
        done += 1
        if done == steps_before:
            reached.set()
        if done > steps_before:
            signal.pause()  # until it is killed
        return original(self, args, state, control, **kwargs)

    FlowCallback.on_step_end = with_gate
    if not steps_before:
        reached.set()


# -- signals, through the command line -------------------------------------------------------------


def stopping(signal_number, step):
    """In a child: the signal comes while a step runs."""
    from chatstill.train.flow import FlowCallback

    original = FlowCallback.on_step_end

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step == step:
            os.kill(os.getpid(), signal_number)
        return original(self, args, state, control, **kwargs)

    FlowCallback.on_step_end = with_signal


@pytest.mark.parametrize(
    ("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_signal_finishes_the_step_and_saves(broken, signal_number, code):
    name = f"signal-{code}"
    loaded = broken.load(name)
    config = str(broken.folder / f"configs-{name}" / "distill.json")

    def stopped():
        stopping(signal_number, 5)
        return cli.main(["distill", config])

    output = broken.folder / f"{name}.txt"
    assert wait(fork(stopped, output)) == code
    said = output.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "the last step is saved" in said
    checkpoints = {p.name for p in (broken.folder / name / "checkpoints").iterdir()}
    assert "phase0-step000005" in checkpoints
    assert loaded.config.save_steps != 5
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    assert "goes on after step 5" in (broken.folder / name / "run.log").read_text(encoding="utf-8")
    broken.assert_equal(name)


def test_a_signal_while_the_last_phase_is_saved_is_not_forgotten(broken):
    name = "late-signal"
    broken.load(name)
    config = str(broken.folder / f"configs-{name}" / "distill.json")

    def stopped():
        from chatstill.train.trainer import DistillationTrainer

        original = DistillationTrainer.finish_phase

        def with_signal(self):
            os.kill(os.getpid(), signal.SIGTERM)
            original(self)

        DistillationTrainer.finish_phase = with_signal
        return cli.main(["distill", config])

    assert wait(fork(stopped, broken.output)) == 143, broken.said()[-3000:]
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    broken.assert_equal(name)


# -- two runs, damage ------------------------------------------------------------------------------


def test_a_second_run_is_refused_while_the_first_one_works(broken):
    name = "locked"
    loaded = broken.load(name)

    training = multiprocessing.get_context("fork").Event()

    def waiting():
        from chatstill.train.flow import FlowCallback

        def stay(*args, **kwargs):
            training.set()
            signal.pause()  # until it is killed

        FlowCallback.on_step_end = stay
        distill(loaded)

    first = fork(waiting, broken.output)
    try:
        assert training.wait(60), broken.said()[-3000:]
        with pytest.raises(UserError, match=r"another run is using .*process \d+"):
            distill(loaded)
    finally:
        first.kill()
        first.join()
    assert broken.attempt(name) == 0
    broken.assert_equal(name)


def checkpoints_of(folder):
    return sorted((folder / "checkpoints").iterdir())


@pytest.mark.parametrize("fault", ["flip", "manifest"])
def test_a_damaged_checkpoint_is_named_and_skipped(broken, fault):
    name = f"damaged-{fault}"
    loaded = broken.load(name)

    def dying():
        stopping(signal.SIGKILL, 5)
        distill(loaded)

    assert wait(fork(dying, broken.output)) == -signal.SIGKILL
    (newest,) = [p for p in checkpoints_of(broken.folder / name) if "-step" in p.name][-1:]
    file = newest / ("manifest.json" if fault == "manifest" else "trained.safetensors")
    data = bytearray(file.read_bytes())
    if fault == "flip":
        data[-1] ^= 1
    file.write_bytes(data if fault == "flip" else data[: len(data) // 2])
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    log = (broken.folder / name / "run.log").read_text(encoding="utf-8")
    assert "is skipped: it is damaged" in log
    assert newest.name in log
    broken.assert_equal(name)


def test_a_damaged_cache_is_made_anew(broken):
    name = "cache"
    loaded = broken.load(name)

    def dying():
        stopping(signal.SIGKILL, 3)
        distill(loaded)

    assert wait(fork(dying, broken.output)) == -signal.SIGKILL
    for file in (broken.folder / name / "cache").rglob("ids.bin"):
        file.write_bytes(file.read_bytes()[:-4])
    assert broken.attempt(name) == 0, broken.said()[-3000:]
    broken.assert_equal(name)
