"""Full disk, exhausted memory, numbers that are not finite: one message, the last good checkpoint stands."""

import os

import pytest
import torch
from safetensors import SafetensorError

from chatstill.errors import RunFailure
from chatstill.train import checkpoints, trainer
from chatstill.train.checkpoints import damage_of
from tests.longer import longer

from ..small_disk import mounted
from . import world

NO_SPACE = {
    "safetensors": SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    ),
    "system": OSError(28, "No space left on device"),
    "quota": OSError(122, "Disk quota exceeded"),
    "torch": RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
}
NO_MEMORY = {
    "cpu": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 8589934592 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "python": MemoryError(),
}


def failing(error, at):
    """A stand-in for a function that raises at its ``at``-th call."""
    calls = [0]

    def around(original):
        def function(*args, **kwargs):
            calls[0] += 1
            if calls[0] == at:
                raise error
            return original(*args, **kwargs)

        return function

    return around


def assert_checkpoint_stands(folder, text, step):
    assert f"phase0-step{step:06d}" in text
    assert "start again" in text
    names = {p.name for p in (folder / "checkpoints").iterdir()}
    assert not [name for name in names if name.startswith(".staging")], "no half checkpoint is left"
    for path in (folder / "checkpoints").iterdir():
        assert damage_of(path) is None


@pytest.fixture
def unbroken(finished):
    return world.weights_of(finished.folder / "student")


@pytest.mark.parametrize("kind", longer(NO_SPACE))
def test_full_disk_while_a_checkpoint_is_saved(run, unbroken, tmp_path, monkeypatch, kind):
    with monkeypatch.context() as patch:
        where, name = (torch, "save") if kind == "torch" else (checkpoints, "save_file")
        at = 3 if kind == "torch" else 2  # optimizer and schedule: two files each time
        patch.setattr(where, name, failing(NO_SPACE[kind], at)(getattr(where, name)))
        with pytest.raises(RunFailure, match="disk is full") as failure:
            run()
    assert_checkpoint_stands(tmp_path / "out", str(failure.value), 4)
    done = run()
    again = world.weights_of(done.folder / "student")
    assert all(torch.equal(unbroken[key], again[key]) for key in unbroken)


@pytest.mark.parametrize("kind", longer(["system", "safetensors"]))
def test_full_disk_while_the_student_is_saved(run, unbroken, tmp_path, monkeypatch, kind):
    from chatstill.run import kept_network as kept

    with monkeypatch.context() as patch:
        patch.setattr(kept, "save_student", failing(NO_SPACE[kind], 1)(kept.save_student))
        with pytest.raises(RunFailure, match="disk is full"):
            run()
    assert not (tmp_path / "out" / "metrics.json").exists()
    again = world.weights_of(run().folder / "student")
    assert all(torch.equal(unbroken[key], again[key]) for key in unbroken)


@pytest.mark.parametrize("kind", longer(NO_MEMORY))
def test_out_of_memory_says_what_to_change(run, tmp_path, monkeypatch, kind):
    from chatstill.train.stage import StageModule

    with monkeypatch.context() as patch:
        # the pre-flight's rehearsal runs the module too: count from the first checkpoint on
        save = trainer.DistillationTrainer._save_checkpoint

        def arm(self, model, trial):
            save(self, model, trial)
            patch.setattr(StageModule, "forward", failing(NO_MEMORY[kind], 1)(StageModule.forward))

        patch.setattr(trainer.DistillationTrainer, "_save_checkpoint", arm)
        with pytest.raises(RunFailure, match="out of memory") as failure:
            run()
    text = str(failure.value)
    assert "per_gpu_train_batch_size" in text and "gradient_accumulation_steps" in text
    assert_checkpoint_stands(tmp_path / "out", text, 4)


def test_other_errors_of_ours_are_not_hidden(run, monkeypatch):
    monkeypatch.setattr(checkpoints, "save_file", failing(RuntimeError("a bug"), 1)(None))
    with pytest.raises(RuntimeError, match="a bug"):
        run()


def test_too_high_a_learning_rate_ends_in_one_message(run, tmp_path):
    with pytest.raises(RunFailure, match=r"not finite at step \d+.*learning_rate") as failure:
        run(learning_rate=1e38, max_grad_norm=0, save_steps=1, warmup_steps=0)
    assert "last good checkpoint" in str(failure.value)
    left = sorted((tmp_path / "out" / "checkpoints").iterdir())
    assert left and not [path for path in left if damage_of(path) is not None]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.5 MB."""
    with mounted(tmp_path / "small", "1536k") as folder:
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 20, 60, 150, 300, 500, 800])
def test_a_disk_that_is_really_full(small_disk, shared, teacher_of, finished, tmp_path, room):
    """Whatever is written when no room is left, the command line says it in one message."""
    from chatstill import cli

    from .children import fork, wait

    values = world.values_for(shared / "data", small_disk / "out", teacher_of(), save_steps=2)
    world.loaded(values, tmp_path)
    ballast = small_disk / "ballast"

    def distilling():
        return cli.main(["distill", str(tmp_path / "distill.json")])

    def fill():
        stat = os.statvfs(small_disk)
        free = stat.f_bavail * stat.f_frsize
        ballast.write_bytes(b"\0" * max(free - room * 1024, 0))

    fill()
    said = tmp_path / "said.txt"
    code = wait(fork(distilling, said))
    text = said.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-3000:]
    if code:
        assert code in (1, 2), text[-3000:]
        assert "space" in text.lower() or "disk" in text.lower(), text[-3000:]
    ballast.unlink()
    assert wait(fork(distilling, said)) == 0, said.read_text(encoding="utf-8")[-3000:]
    left = world.weights_of(small_disk / "out" / "student")
    right = world.weights_of(finished.folder / "student")
    assert all(torch.equal(left[key], right[key]) for key in left)
