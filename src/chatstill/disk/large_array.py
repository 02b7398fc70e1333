"""Arrays whose content the system may put on disk: what grows with the data does not grow a process."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

SMALL = 4 << 20  # bytes; such an array is no burden
CHUNK = 1 << 20  # numbers that are handled at a time


def large_array(length: int, dtype: DTypeLike, folder: Path | None = None) -> np.ndarray[Any, Any]:
    """An array of ``length`` numbers to be written, its content undefined.

    From ``SMALL`` bytes on it is a map of a file without a name, which is gone with the array, however the
    process ends. Where no file can be had, or the disk has no room for it, it lies in memory.

    Args:
        length: Numbers.
        dtype: Of a number.
        folder: Where the file lies: a folder on a disk. Otherwise, or where it cannot be written, that of
            temporary files, which on some machines is memory.
    """
    size = length * np.dtype(dtype).itemsize
    if size >= SMALL:
        for place in (folder, None):
            # Some systems know no way to take room.
            with suppress(OSError, AttributeError), tempfile.TemporaryFile(dir=place) as file:
                # Room is taken at once: a full disk would otherwise end the process at some later write.
                os.posix_fallocate(file.fileno(), 0, size)
                # A plain array over the map: indexing a np.memmap costs several times as much.
                return np.memmap(file, dtype, "r+", shape=(length,)).view(np.ndarray)
    return np.empty(length, dtype)


def numbered(length: int, dtype: DTypeLike, folder: Path | None = None) -> np.ndarray[Any, Any]:
    """0, 1, … as ``np.arange`` gives them, as a large array."""
    found = large_array(length, dtype, folder)
    for start in range(0, length, CHUNK):
        found[start : start + CHUNK] = np.arange(start, min(start + CHUNK, length))
    return found


def differences(offsets: np.ndarray, folder: Path | None = None) -> np.ndarray[Any, Any]:
    """(N,) int32 what (N + 1,) offsets grow by, as a large array."""
    found = large_array(len(offsets) - 1, np.int32, folder)
    for start in range(0, len(found), CHUNK):
        found[start : start + CHUNK] = np.diff(offsets[start : start + CHUNK + 1])
    return found
