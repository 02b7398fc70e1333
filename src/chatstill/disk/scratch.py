"""Temporary folders. One whose process was killed is found and cleared by the next run.

A folder's lock is held as long as its process lives, however that ends; there is nothing to remember.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .lock import hold

_PREFIX, _LOCK = "chatstill-held-", ".lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone afterwards; those that killed processes of this user left go first."""
    clear_left()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    number = _lock(folder)
    try:
        yield folder
    finally:
        if number is not None:
            os.close(number)
        shutil.rmtree(folder, ignore_errors=True)


def clear_left() -> None:
    """Removes temporary folders whose process is gone. Links and what is another user's are passed over."""
    with suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            made_here = entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False)
            if made_here and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                _clear(Path(entry.path))


def _lock(folder: Path) -> int | None:
    """Holds a folder. The lock's file appears with its lock: nobody finds it free in between."""
    with suppress(OSError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(folder / f"{_LOCK}.new", flags, 0o600)
        if hold(number):
            os.rename(folder / f"{_LOCK}.new", folder / _LOCK)
            return number
        os.close(number)
    return None


def _clear(folder: Path) -> None:
    """One folder; without a lock's file it is being made, or its file system knows no locks."""
    with suppress(OSError):
        number = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if hold(number):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(number)
