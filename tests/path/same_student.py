"""Runs that end with the same weights: by one process and two, with a live teacher and a stored one."""

import torch

from chatstill.run import run as pipeline

from ..processes import run_processes
from . import world


def two_processes_equal_one(shared, teacher, folder, changes):
    """One process on batches of 8, two on batches of 4: ``folder`` has the runs ``one`` and ``two``."""

    def loaded(name, batch):
        more = {**changes, "per_gpu_train_batch_size": batch}
        values = world.values_for(shared / "data", folder / name, teacher, **more)
        return world.loaded(values, folder / f"configs-{name}")

    one_and_two_alike(loaded, folder)


def one_and_two_alike(loaded, folder):
    """Weights of a run by one process; by two with half of its batch each they are equal but for rounding.

    Args:
        loaded: (name, rows of a process) -> the configuration of a run into ``folder / name``.
        folder: Of both runs.
    """
    pipeline.distill(loaded("one", 8), console=world.console())
    half = loaded("two", 4)
    run_processes(lambda rank: pipeline.distill(half, console=world.console()), 2)
    return _are_alike(folder, "one", "two", atol=1e-5)


def stored_teacher_equals_live(shared, teacher, folder, changes):
    """``folder`` has the runs ``stored`` and ``live``."""
    for name, cache in (("stored", True), ("live", False)):
        values = world.values_for(shared / "data", folder / name, teacher, **changes)
        loaded = world.loaded({**values, "teacher_cache": cache}, folder / f"configs-{name}")
        pipeline.distill(loaded, console=world.console())
    _are_alike(folder, "stored", "live", atol=1e-4)


def _are_alike(folder, first, second, *, atol):
    one, other = (world.weights_of(folder / name / "student") for name in (first, second))
    assert one.keys() == other.keys() and one
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=atol, msg=name)
    return one
