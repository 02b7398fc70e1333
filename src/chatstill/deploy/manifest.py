"""``index.json``: which files are the index. It is written last, so an index is the last complete one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..data.fingerprint import fingerprint
from ..data.store import locked
from ..disk.json_file import JsonFault, fault_of, read_object
from ..disk.write import write_text
from ..errors import Problem, UserError
from .folder import FILE, LOCK, absent
from .held import VECTOR, Hold
from .numbers import Dtype
from .tensor_file import REBUILD, TensorFile, header_digest

FORMAT = 1

PlainName = Annotated[str, Field(pattern=r"^[a-z]+-[0-9a-z-]+\.(safetensors|usearch)$")]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileEntry(_Block):
    """A file of the index: its name, bytes, the digest of its header, and how many things it holds."""

    file: PlainName
    size: int
    head: str
    count: int

    @classmethod
    def of(cls, path: Path, count: int) -> FileEntry:
        """The entry of a file that was written."""
        size = path.stat().st_size
        return cls(file=path.name, size=size, head=header_digest(path), count=count)

    def open(self, folder: Path) -> TensorFile:
        """The file; raises as ``TensorFile``."""
        return TensorFile(folder / self.file, self.size, self.head)


class ColumnEntry(_Block):
    """An array that is kept, as ``held.Column``."""

    name: str
    width: int
    per_token: bool


class Nearest(_Block):
    """The graph of neighbours: its candidates, R of ``nearest``, and the recall that was measured."""

    candidates: int
    file: PlainName = "nearest-0.usearch"
    size: int = 0
    radius: float = 0.0
    recall: float | None = None


class Manifest(_Block):
    """The whole index.

    Attributes:
        format: Of these files.
        network: Fingerprint of the network.
        held: What is kept of a reply.
        columns: Its arrays.
        dtype: In which numbers.
        pool: How many neighbouring states were averaged.
        named: Whether replies have ids of the user's; else they are numbered.
        next_number: The next number, where they are numbered.
        shards: Replies, in order; a row's number counts through all of them.
        names: Names and the rows that they stand for.
        removed: Numbers of names that were removed, counted through ``names``.
        nearest: For the first stage.
        remarks: What was measured at building, for people.
    """

    format: int = FORMAT
    network: str
    held: Hold
    columns: list[ColumnEntry]
    dtype: Dtype
    pool: int = 1
    named: bool
    next_number: int = 1
    shards: list[FileEntry] = []
    names: list[FileEntry] = []
    removed: FileEntry | None = None
    nearest: Nearest | None = None
    remarks: list[str] = []

    def files(self) -> set[str]:
        """Names of all files."""
        more = [one.file for one in (self.removed, self.nearest) if one is not None]
        return {*(one.file for one in (*self.shards, *self.names)), *more}

    @property
    def form(self) -> str:
        """``keys, int8, pool 2``."""
        pooled = f", pool {self.pool}" if self.pool > 1 else ""
        return f"{self.held}, {self.dtype}{pooled}"

    @property
    def by_angle(self) -> bool:
        """Whether the nearest are those of the smallest angle: where the vectors are all that is kept, they
        are a text's whole meaning; [CLS] vectors are near by product, as ``two_tower`` trains them."""
        return [column.name for column in self.columns] == [VECTOR]

    def in_the_form_of(self, other: Manifest) -> bool:
        """Whether both keep the same of replies, of the same network, with ids or without."""
        fields = ("network", "held", "columns", "dtype", "pool", "named")
        return all(getattr(self, name) == getattr(other, name) for name in fields)

    @property
    def digest(self) -> str:
        """Tells states of an index apart."""
        return fingerprint(self.model_dump(mode="json"))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes what was written the index."""
    body = manifest.model_dump(mode="json")
    signed = {"index": body, "sha256": fingerprint(body)}
    write_text(folder / FILE, json.dumps(signed, indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path, place: str = "INDEX") -> Manifest:
    """The index of a folder.

    Raises:
        UserError: there is none, building it was interrupted, or the file is damaged or of another version.
    """
    path = folder / FILE
    try:
        signed = read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(absent(folder, place)) from None
    except (OSError, JsonFault) as error:
        message = fault_of(error)
        raise UserError(
            Problem(str(path), message, REBUILD, code="index.manifest-unreadable")
        ) from None
    body: Any = signed.get("index")
    form = body.get("format") if isinstance(body, dict) else None
    if isinstance(form, int) and form != FORMAT:
        message = f"is of format {form}, this version of chatstill reads {FORMAT}"
        raise UserError(Problem(str(path), message, REBUILD, code="index.another-format"))
    try:
        if signed.get("sha256") != fingerprint(body):
            raise ValueError
        return Manifest.model_validate(body)
    except (ValidationError, ValueError, TypeError):
        message = "was changed since it was written, or is no index's"
        raise UserError(
            Problem(str(path), message, REBUILD, code="index.manifest-damaged")
        ) from None


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Holds an index for writing; readers need no lock.

    Raises:
        UserError: another process writes to it.
    """
    with locked(folder / LOCK, wait=False) as ours:
        if not ours:
            message = f"another process is writing to {folder}"
            hint = "Wait until it has ended; ranking goes on meanwhile."
            raise UserError(Problem("--out", message, hint, code="index.second-writer"))
        yield
