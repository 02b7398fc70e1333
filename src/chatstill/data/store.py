"""A folder of flat arrays that is complete or absent, shared by processes, with its damage noticed.

Arrays grow on disk in a staging folder, with a journal of what is safe there; a manifest with sizes and
checksums is written last, all is synced, and the folder is renamed into place. A lock lets one process
build while others wait.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from ..disk.full import full_disk, is_full, writing
from ..disk.json_file import read_object
from ..disk.lock import hold
from ..disk.write import open_own, remove, remove_if_possible, sync_folder, write_text
from ..errors import RunFailure, UserError
from .fingerprint import fingerprint

MANIFEST = "manifest.json"
JOURNAL = "journal.json"
CHUNK = 1 << 22


class ArrayWriter:
    """Appends to flat arrays in ``folder`` without holding them; ``publish`` moves them into place.

    ``commit`` makes what was written so far durable: a writer opened later on the same folder goes on
    from there. As a context manager it removes the staging folder where the rows themselves are at
    fault or the disk is full; after any other interruption what was committed stays.

    Attributes:
        state: What the last ``commit`` of an interrupted writer was given; None at a fresh start.
    """

    def __init__(self, folder: Path, types: dict[str, type[np.generic]]) -> None:
        self.folder = folder
        self.staging = folder.with_name(f"{folder.name}.staging")
        self.state: dict[str, Any] | None = None
        self._types = {name: np.dtype(kind) for name, kind in types.items()}
        self._files: dict[str, BinaryIO] = {}
        self._sums = dict.fromkeys(types, 0)

    def __enter__(self) -> ArrayWriter:
        # The caller holds the lock: whatever staging there is belongs to a process that died.
        entries = self._take_over()
        if entries is None:
            remove(self.staging)
            with writing(self.staging):
                self.staging.mkdir(parents=True)
        for name in self._types:
            flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if entries is None else 0)
            number = open_own(self.staging / f"{name}.bin", flags)
            file = self._files[name] = os.fdopen(number, "r+b")
            if entries is not None:
                file.truncate(entries[name]["size"])
                file.seek(entries[name]["size"])
                self._sums[name] = entries[name]["crc32"]
        return self

    def _take_over(self) -> dict[str, Any] | None:
        """What was committed before an interruption, as it stands in the journal; None if nothing."""
        if self.staging.is_symlink():
            return None
        try:
            journal = read_object(self.staging / JOURNAL)
            body, entries = journal["body"], journal["body"]["files"]
            if journal["sha256"] != fingerprint(body) or entries.keys() != self._types.keys():
                return None
            for name, entry in entries.items():
                path = self.staging / f"{name}.bin"
                os.close(open_own(path, os.O_RDWR))
                if _crc32(path, entry["size"]) != entry["crc32"]:
                    return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            return None
        self.state = body["state"]
        return dict(entries)

    def append(self, name: str, values: np.ndarray) -> None:
        """Append values to an array."""
        data = np.ascontiguousarray(values, self._types[name]).tobytes()
        with writing(self._path(name)):
            self._files[name].write(data)
        self._sums[name] = zlib.crc32(data, self._sums[name])

    def commit(self, state: dict[str, Any]) -> None:
        """Make all that was appended durable, together with what is needed to go on from here."""
        files = {}
        for name, file in self._files.items():
            with writing(self._path(name)):
                file.flush()
                os.fsync(file.fileno())
            files[name] = {"size": file.tell(), "crc32": self._sums[name]}
        _write_signed(self.staging / JOURNAL, {"state": state, "files": files})

    def publish(self, facts: dict[str, Any]) -> None:
        """Sync everything, write the manifest with ``facts``, and rename into place."""
        files = {}
        for name, file in self._files.items():
            files[name] = {
                "dtype": self._types[name].str,
                "size": file.tell(),
                "crc32": self._sums[name],
            }
            with writing(self._path(name)):
                _sync_and_close(file)
        _write_signed(self.staging / MANIFEST, {"facts": facts, "files": files})
        (self.staging / JOURNAL).unlink(missing_ok=True)
        sync_folder(self.staging)
        remove(self.folder)
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
        if error is None:
            remove_if_possible(self.staging)
            return
        told = full_disk(error) if (full := is_full(error)) else ""
        if full or isinstance(error, UserError):
            remove_if_possible(self.staging)
        if full:
            hint = "Make room, or set cache_dir (for a check: the variable TMPDIR) to another disk"
            raise RunFailure(f"{told}. {hint}") from error

    def _path(self, name: str) -> Path:
        return self.staging / f"{name}.bin"


def _write_signed(path: Path, body: dict[str, Any]) -> None:
    """JSON with its own checksum, synced."""
    write_text(path, json.dumps({"body": body, "sha256": fingerprint(body)}))


def _sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """``{"facts", "files"}`` of an undamaged folder; None if absent, half-written or damaged."""
    try:
        manifest = read_object(folder / MANIFEST)
        body = manifest["body"]
        if manifest["sha256"] != fingerprint(body) or not isinstance(body["facts"], dict):
            return None
        for name, entry in body["files"].items():
            path = folder / f"{name}.bin"
            if np.dtype(entry["dtype"]).kind not in "iuf" or entry["size"] < 0:
                return None
            if path.stat().st_size != entry["size"] or _crc32(path) != entry["crc32"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Every one of them means that this is not what publish wrote.
        return None
    return body


def _crc32(path: Path, size: int | None = None) -> int | None:
    """Of the whole file or its first ``size`` bytes; None if it has fewer."""
    value, left = 0, path.stat().st_size if size is None else size
    with open(path, "rb") as file:
        while left and (chunk := file.read(min(CHUNK, left))):
            value, left = zlib.crc32(chunk, value), left - len(chunk)
    return None if left else value


def open_array(folder: Path, name: str, entry: dict[str, Any]) -> np.ndarray:
    """A memory-mapped array of the folder, read-only; a plain empty one where it has no items."""
    if entry["size"] == 0:
        return np.empty(0, np.dtype(entry["dtype"]))
    return np.memmap(folder / f"{name}.bin", np.dtype(entry["dtype"]), mode="r")


@contextmanager
def locked(path: Path, *, reading: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a file lock; it goes with the process, however that ends. The file stays.

    Args:
        path: The lock's file.
        reading: Where the folder cannot be written, nobody builds there, and who reads needs no lock.
        wait: Otherwise gives False at once where another process holds it.

    Raises:
        UserError: the file is a link.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if not reading or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield True
        return
    try:
        yield hold(number, wait=wait)
    finally:
        os.close(number)
