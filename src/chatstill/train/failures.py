"""Full disk and exhausted memory as one message that says what to change."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError

from ..errors import RunFailure
from .checkpoints import CheckpointStore


@contextmanager
def failures(store: CheckpointStore) -> Iterator[None]:
    """Full disk and exhausted memory as one message that says what to change."""

    def stands() -> str:
        newest, _ = store.newest()
        if newest is None:
            return "no checkpoint had been written yet"
        return f"the last good checkpoint is {newest.path}; start again to go on from it"

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
    except MemoryError as error:
        raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunFailure(_DISK_FULL.format(stands())) from error
    except (RuntimeError, SafetensorError) as error:
        text = str(error).lower()
        if (
            "no space left" in text
            or "disk quota" in text
            or "enforce fail at inline_container" in text
        ):
            raise RunFailure(_DISK_FULL.format(stands())) from error
        if "can't allocate memory" in text or "out of memory" in text:
            raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
        raise


_OUT_OF_MEMORY = (
    "out of memory. Halve per_gpu_train_batch_size and double gradient_accumulation_steps (the result "
    "stays comparable), or shorten max_seq_length; {}"
)
_DISK_FULL = "the disk is full. Make room, or lower save_total_limit; {}"
