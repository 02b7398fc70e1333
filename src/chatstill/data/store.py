"""A folder of flat arrays that is complete or absent, shared by processes, with its damage noticed.

Arrays grow on disk in a staging folder; a manifest with sizes and checksums is written last, all is
synced, and the folder is renamed into place. A lock lets one process build while others wait.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from ..errors import RunFailure
from .fingerprint import fingerprint

MANIFEST = "manifest.json"
CHUNK = 1 << 22


class ArrayWriter:
    """Appends to flat arrays in ``folder`` without holding them; ``publish`` moves them into place.

    As a context manager it removes the staging folder unless ``publish`` was reached.
    """

    def __init__(self, folder: Path, types: dict[str, type[np.generic]]) -> None:
        self.folder = folder
        self.staging = folder.with_name(f"{folder.name}.staging-{os.getpid()}")
        self._types = {name: np.dtype(kind) for name, kind in types.items()}
        self._files: dict[str, BinaryIO] = {}
        self._sums = dict.fromkeys(types, 0)

    def __enter__(self) -> ArrayWriter:
        # The caller holds the lock: whatever staging there is belongs to a process that died.
        for left in self.folder.parent.glob(f"{self.folder.name}.staging-*"):
            shutil.rmtree(left, ignore_errors=True)
        self.staging.mkdir(parents=True)
        for name in self._types:
            self._files[name] = open(self.staging / f"{name}.bin", "wb")
        return self

    def append(self, name: str, values: np.ndarray) -> None:
        """Append values to an array."""
        data = np.ascontiguousarray(values, self._types[name]).tobytes()
        self._files[name].write(data)
        self._sums[name] = zlib.crc32(data, self._sums[name])

    def publish(self, facts: dict[str, Any]) -> None:
        """Sync everything, write the manifest with ``facts``, and rename into place."""
        files = {}
        for name, file in self._files.items():
            files[name] = {
                "dtype": self._types[name].str,
                "size": file.tell(),
                "crc32": self._sums[name],
            }
            _sync_and_close(file)
        body = {"facts": facts, "files": files}
        with open(self.staging / MANIFEST, "w", encoding="utf-8") as text:
            json.dump({"body": body, "sha256": fingerprint(body)}, text)
            text.flush()
            os.fsync(text.fileno())
        sync_folder(self.staging)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.staging.rename(self.folder)
        sync_folder(self.folder.parent)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            try:
                file.close()
            except OSError:
                # A full disk shows again when a file with unwritten bytes is closed; the first
                # error is the one to tell.
                continue
        shutil.rmtree(self.staging, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"the disk is full: {self.folder.parent} cannot take the prepared rows"
            raise RunFailure(f"{message}; free space or set cache_dir to another disk") from error


def _sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def sync_folder(folder: Path) -> None:
    """Make renames and new files in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """``{"facts", "files"}`` of an undamaged folder; None if absent, half-written or damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        body = manifest["body"]
        if manifest["sha256"] != fingerprint(body):
            return None
        for name, entry in body["files"].items():
            path = folder / f"{name}.bin"
            if path.stat().st_size != entry["size"] or _crc32(path) != entry["crc32"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Every one of them means that this is not what publish wrote.
        return None
    return body


def _crc32(path: Path) -> int:
    value = 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return value


def open_array(folder: Path, name: str, entry: dict[str, Any]) -> np.ndarray:
    """A memory-mapped array of the folder, read-only; a plain empty one where it has no items."""
    if entry["size"] == 0:
        return np.empty(0, np.dtype(entry["dtype"]))
    return np.memmap(folder / f"{name}.bin", np.dtype(entry["dtype"]), mode="r")


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a file lock; it goes with the process, however that ends. The file stays.

    Args:
        path: The lock's file.
        shared: Several may hold it at once.
        wait: Otherwise gives False at once where another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(number, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(number)
