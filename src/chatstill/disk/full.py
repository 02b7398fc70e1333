"""A full disk, as the system and the libraries tell it, in words that name the file and the free room."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..figures import byte_size
from .fresh import final_path

CODES = (errno.ENOSPC, errno.EDQUOT)
_SAID = (
    "no space left",
    "disk quota exceeded",
    f"os error {errno.ENOSPC})",
    f"os error {errno.EDQUOT})",
    "enforce fail at inline_container",  # torch.save, which names no reason
    "iostream error",  # its end of a file
)


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, is a full disk; libraries have classes of their own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in CODES:
            return True
        if isinstance(error, Exception) and any(said in str(error).lower() for said in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Names the file of a full disk: libraries and ``write`` do not.

    Raises:
        OSError: ENOSPC with ``path``, for whatever a full disk is raised as inside the block.
    """
    try:
        yield
    except Exception as error:
        named = isinstance(error, OSError) and error.errno in CODES and error.filename
        if named or not is_full(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def full_disk(error: BaseException) -> str:
    """``the disk is full: out/run.json cannot be written, 20 kB free in its folder``."""
    while isinstance(error, BaseException):
        if isinstance(error, OSError) and error.errno in CODES and error.filename is not None:
            path = final_path(Path(os.fsdecode(error.filename)))
            return f"the disk is full: {path} cannot be written, {_free(path)}"
        following = error.__cause__ or error.__context__
        if following is None:
            break
        error = following
    return "the disk is full"


def _free(path: Path) -> str:
    """The room in the folder of a file, as long as there is one."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return f"in {folder}"
    return f"{byte_size(free)} free in {folder.absolute()}"
