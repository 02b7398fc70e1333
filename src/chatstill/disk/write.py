"""Writing: files and folders that are whole or absent, made under fresh names, never through a link.

Whatever lies under a name of ours may have been put there by somebody else: a link of that name leads to a
file that is not ours. So a file is written under a fresh name and renamed, and what has to be opened in
place is opened only if it is a plain file of one name.
"""

import errno
import json
import math
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from ..errors import Problem, UserError
from .fresh import final_path, fresh_name, is_fresh_name
from .full import writing
from .lock import hold

_GRACE = 60.0  # seconds between making a file and locking it, at the very most


@contextmanager
def replacing(path: Path, mode: str = "w", *, newline: str | None = None) -> Iterator[IO[Any]]:
    """A stream whose bytes stand under ``path``, synced, when the block ends; an error leaves nothing.

    A link under that name is replaced, not followed.

    Args:
        path: The file; its folder is there.
        mode: ``w`` for UTF-8 text, ``wb`` for bytes.
        newline: As ``open`` has it.

    Raises:
        OSError: of a full disk with the name of the file.
    """
    clear_strays(path)
    with writing(path), _named(path):
        staging, number = _create(path)
        try:
            with _stream(number, mode, newline) as stream:
                with suppress(OSError):  # without locks, what a killed writer leaves may stay
                    hold(number)
                yield stream
                stream.flush()
                os.fsync(number)
            os.replace(staging, path)
        except BaseException:
            staging.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors about a file's fresh name are about the file."""
    try:
        yield
    except OSError as error:
        found = Path(os.fsdecode(error.filename)) if error.filename is not None else path
        if final_path(found) == found:
            raise
        raise OSError(error.errno, error.strerror, str(final_path(found))) from error


def _stream(number: int, mode: str, newline: str | None = None) -> IO[Any]:
    """What no UTF-8 can hold, as in a file's name of another encoding, is written as JSON escapes it."""
    text: dict[str, Any] = {} if "b" in mode else {"errors": "backslashreplace", "newline": newline}
    return os.fdopen(number, mode, encoding="utf-8" if text else None, **text)


def write_text(path: Path, text: str, *, newline: str | None = None) -> None:
    """Writes a whole file or nothing."""
    with replacing(path, newline=newline) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON; numbers that are not finite become null."""
    text = json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if not isinstance(value, int | float | str) and hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def create_text(path: Path, text: str) -> None:
    """Writes a file that is not there yet; the folder may be missing.

    Raises:
        FileExistsError: something of that name is there, a link that leads nowhere included.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with writing(path):
        number = os.open(path, flags, 0o666)
        try:
            with _stream(number, "w") as stream:
                stream.write(text)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def fresh_folder(path: Path) -> Path:
    """Makes a folder of a fresh name beside ``path``, whose folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path):
        while True:
            staging = fresh_name(path)
            try:
                staging.mkdir()
            except FileExistsError:
                continue
            return staging


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """Opens a file that is written in place, and only if it is one of ours.

    Args:
        path: The file.
        flags: Of ``os.open``, such as ``os.O_RDWR | os.O_CREAT``.
        mode: Of a new file.

    Raises:
        UserError: it is a link, has a second name elsewhere, or is no plain file.
    """
    secure = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        number = os.open(path, flags | secure, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO) or path.is_symlink():
            raise UserError(not_ours(path)) from None
        raise
    facts = os.fstat(number)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        os.close(number)
        raise UserError(not_ours(path))
    return number


def open_append(path: Path) -> IO[str]:
    """A UTF-8 stream at the end of a file of ours, which is made where there is none.

    Raises:
        UserError: see ``open_own``.
    """
    number = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return cast(IO[str], _stream(number, "a"))


def not_ours(path: Path) -> Problem:
    """What is said of a file or folder of ours that is something else."""
    if path.is_symlink():
        what = f"{path} is a link to {os.readlink(path)}, which would be written to"
    elif path.is_file():
        what = f"{path} has another name elsewhere (a hard link), which would be written to"
    else:
        what = f"{path} is no plain file"
    hint = f"Remove {path} yourself, or put a copy of it in its place."
    return Problem(str(path.parent), f"{what}; nothing was written.", hint, code="files.not-ours")


def remove(path: Path) -> None:
    """Removes a file, a folder with all in it, or a link, never what it leads to; absence is fine.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def remove_if_possible(path: Path) -> None:
    """``remove`` for what may as well stay."""
    with suppress(OSError):
        remove(path)


def clear_strays(path: Path) -> None:
    """Removes what killed writers left beside ``path``. A writer at work holds its file, which stays."""
    now = time.time()
    try:
        found = [p for p in path.parent.iterdir() if is_fresh_name(p.name, path.name)]
    except OSError:
        return
    for stray in found:
        try:
            if now - stray.lstat().st_mtime > _GRACE and _is_left(stray):
                remove(stray)
        except OSError:
            continue


def clear_folder(folder: Path) -> None:
    """The same for all that was written into a folder, whose lock the caller holds."""
    for stray in [path for path in folder.iterdir() if is_fresh_name(path.name)]:
        with suppress(OSError):
            if _is_left(stray):
                remove(stray)


def _is_left(path: Path) -> bool:
    """Whether nobody writes to it: files are held by their writers; links and folders are not."""
    if path.is_symlink() or path.is_dir():
        return True
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return hold(number)
    finally:
        os.close(number)


def _create(path: Path) -> tuple[Path, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        staging = fresh_name(path)
        try:
            return staging, os.open(staging, flags, 0o666)
        except FileExistsError:
            continue


def sync(path: Path) -> None:
    """Makes a file's content, or a folder's names, durable.

    Raises:
        OSError: of a full disk with the name of the file.
    """
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with writing(path):
            os.fsync(number)
    finally:
        os.close(number)


def sync_folder(folder: Path) -> None:
    """Makes renames and new names in a folder durable; some file systems cannot, and need not."""
    try:
        sync(folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOTSUP):
            return
        raise
