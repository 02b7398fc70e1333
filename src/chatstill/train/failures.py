"""Full disk and exhausted memory as one message that says what to change."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..disk.full import full_disk, is_full
from ..errors import Interrupted, RunFailure, UserError
from .checkpoints import CheckpointStore


@contextmanager
def failures(store: CheckpointStore) -> Iterator[None]:
    """Full disk and exhausted memory as one message that says what to change."""

    try:
        with disk_failures(store):
            yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunFailure(_OUT_OF_MEMORY.format(_stands(store))) from error
    except RuntimeError as error:
        text = str(error).lower()
        if "can't allocate memory" in text or "out of memory" in text:
            raise RunFailure(_OUT_OF_MEMORY.format(_stands(store))) from error
        raise


@contextmanager
def disk_failures(store: CheckpointStore) -> Iterator[None]:
    """A full disk in whatever class a library raises it, with the file, the free room, and what stands."""
    try:
        yield
    except (UserError, RunFailure, Interrupted):
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise RunFailure(_DISK_FULL.format(full_disk(error), _stands(store))) from error


def _stands(store: CheckpointStore) -> str:
    newest, _ = store.newest()
    if newest is None:
        return "no checkpoint had been written yet"
    return f"the last good checkpoint is {newest.path}; start again to go on from it"


_OUT_OF_MEMORY = (
    "out of memory. Halve per_gpu_train_batch_size and double gradient_accumulation_steps (the result "
    "stays comparable), or shorten max_seq_length; {}"
)
_DISK_FULL = "{}. Make room, or lower save_total_limit; {}"
