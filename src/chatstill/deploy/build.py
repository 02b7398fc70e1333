"""Writing an index: files of fixed names first, the manifest last.

The names of new files follow from what goes into them (network, form, replies, and the index that they are
added to). So whoever starts the same work again finds the files that are whole and makes the others; until
the manifest is written, readers and crashes leave the last complete index.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.fingerprint import fingerprint
from ..disk.write import clear_folder, remove, write_json
from ..errors import Problem, UserError
from ..figures import byte_size
from .folder import BUILDING
from .held import VERSION, Column, Held, Kept
from .index import NAME, ROWS, TEXT, TOKENS, Index, batch_end
from .manifest import ColumnEntry, FileEntry, Manifest, Nearest, write_manifest
from .nearest import write_graph
from .numbers import Dtype, bytes_per_row, packed
from .served import Served
from .tensor_file import is_whole, pack_texts, write_tensors

SHARD_BYTES = 128 << 20
FEW_BYTES = 10_000  # are said one by one
ENCODE_TOKENS, ENCODE_ROWS = 1 << 12, 256
Arrays = dict[str, Tensor]
AnyColumn = Column | ColumnEntry
OnRows = Callable[[int], None]


class Source:
    """Where the rows of new shards come from, by number."""

    tokens: np.ndarray

    def text(self, row: int) -> str:
        raise NotImplementedError

    def arrays(self, rows: np.ndarray, on_rows: OnRows) -> Arrays:
        """Of rows in this order: numbers as they are stored."""
        raise NotImplementedError


class Encoding(Source):
    """Replies that are encoded.

    Args:
        served: The network.
        held: What is kept.
        dtype: In which numbers.
        texts: Replies.
    """

    def __init__(self, served: Served, held: Held, dtype: Dtype, texts: Sequence[str]) -> None:
        self.served, self.held, self.dtype, self.texts = served, held, dtype, texts
        self.counts = [
            count
            for start in range(0, len(texts), 4096)
            for count in served.reply_tokens(texts[start : start + 4096])
        ]
        read = np.minimum(np.array(self.counts, np.int64), served.longest_reply)
        self.full = read + served.special
        self.tokens = np.array([held.tokens(int(count)) for count in self.full], np.int64)

    def text(self, row: int) -> str:
        return self.texts[row]

    @torch.no_grad()
    def arrays(self, rows: np.ndarray, on_rows: OnRows) -> Arrays:
        parts: dict[str, list[Tensor]] = {}
        start = 0
        while start < len(rows):
            end = batch_end(self.full[rows], start, ENCODE_TOKENS, ENCODE_ROWS)
            some = rows[start:end]
            kept = self.held.of(self.served.encode_replies([self.texts[row] for row in some]))
            for name, values in self._flat(kept):
                for key, value in packed(name, values, self.dtype).items():
                    parts.setdefault(key, []).append(value)
            on_rows(len(some))
            start = end
        return {name: torch.cat(values) for name, values in parts.items()}

    def _flat(self, kept: Kept) -> list[tuple[str, Tensor]]:
        """Columns as rows of numbers: of a token column those of valid tokens on end."""
        valid = kept.mask.bool()
        found = []
        for column in self.held.columns:
            values = kept.arrays[column.name].float()
            found.append((column.name, (values[valid] if column.per_token else values).cpu()))
        return found


class Moving(Source):
    """Rows of another index, as they are stored there."""

    def __init__(self, index: Index, rows: np.ndarray) -> None:
        self.index, self.columns, self.rows = index, index.manifest.columns, rows
        counts = [shard.tokens for shard in index.shards]
        self.tokens = np.concatenate(counts)[rows] if counts else np.empty(0, np.int64)

    def text(self, row: int) -> str:
        return self.index.text(int(self.rows[row]))

    def arrays(self, rows: np.ndarray, on_rows: OnRows) -> Arrays:
        parts: dict[str, list[Tensor]] = {}
        for row in self.rows[rows]:
            number = int(np.searchsorted(self.index.first, row, side="right")) - 1
            inside = np.array([row - self.index.first[number]])
            for column in self.columns:
                for name, values in self.index.shards[number].stored(column, inside).items():
                    parts.setdefault(name, []).append(values)
        on_rows(len(rows))
        return {name: torch.cat(values) for name, values in parts.items()}


class Size(NamedTuple):
    """Bytes of replies in an index, without their texts and ids."""

    rows: int
    tokens: int
    size: int

    @property
    def said(self) -> str:
        """``1,000 replies, 12,345 tokens: 61 kB a reply, 61.0 MB in all``, few bytes as such."""
        each, whole = _said(self.size / max(self.rows, 1)), _said(self.size)
        return f"{self.rows:,} replies, {self.tokens:,} tokens: {each} a reply, {whole} in all"


def _said(size: float) -> str:
    return f"{size:,.0f} bytes" if size < FEW_BYTES else byte_size(size)


def size_of(tokens: np.ndarray, columns: Sequence[AnyColumn], dtype: Dtype) -> Size:
    """What rows of so many tokens take."""
    return Size(len(tokens), int(tokens.sum()), int(_bytes(tokens, columns, dtype).sum()))


def _bytes(tokens: np.ndarray, columns: Sequence[AnyColumn], dtype: Dtype) -> np.ndarray:
    found = np.zeros(len(tokens), np.int64)
    for column in columns:
        found += bytes_per_row(column.width, dtype) * (tokens if column.per_token else 1)
    return found


class Writer:
    """Writes the files of one change of an index, whose lock the caller holds.

    Args:
        folder: The index.
        manifest: What the index is when they are written, without them.
        parts: What the change depends on, for the names of files.
    """

    def __init__(self, folder: Path, manifest: Manifest, parts: Mapping[str, object]) -> None:
        self.folder, self.manifest = folder, manifest
        everything = {"base": manifest.digest, "version": VERSION, **parts}
        self.build = fingerprint(everything)[:20]

    def begin(self) -> None:
        """Marks the folder as an index's."""
        write_json(self.folder / BUILDING, {"build": self.build})

    def shards(self, source: Source, on_rows: OnRows) -> np.ndarray:
        """Writes the rows of a source, shortest first, and gives the new number of each.

        Args:
            source: The rows.
            on_rows: Called with the number of rows that a step has written, or found written.
        """
        order = np.argsort(source.tokens, kind="stable")
        columns, dtype = self.manifest.columns, self.manifest.dtype
        sizes = np.cumsum(_bytes(source.tokens[order], columns, dtype))
        start, number, entries = 0, 0, []
        base = sum(entry.count for entry in self.manifest.shards)
        self._require_room(source, order, sizes)
        while start < len(order):
            before = int(sizes[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(sizes, before + SHARD_BYTES, side="right")))
            entries.append(self._shard(source, order[start:end], number, on_rows))
            start, number = end, number + 1
        self._with(shards=[*self.manifest.shards, *entries])
        found = np.empty(len(order), np.int64)
        found[order] = base + np.arange(len(order))
        return found

    def names(self, names: Sequence[str], rows: np.ndarray) -> None:
        """Writes names and the rows that they stand for."""
        if not names:
            return
        tensors = {**pack_texts(NAME, names), ROWS: torch.from_numpy(rows.astype(np.int64))}
        entry = self._file(f"names-{self.build}.safetensors", lambda: tensors, len(names))
        self._with(names=[*self.manifest.names, entry])

    def removed(self, numbers: np.ndarray) -> None:
        """Writes which names were removed."""
        if not len(numbers):
            self._with(removed=None)
            return
        tensors = {ROWS: torch.from_numpy(np.sort(numbers).astype(np.int64))}
        entry = self._file(f"removed-{self.build}.safetensors", lambda: tensors, len(numbers))
        self._with(removed=entry)

    def graph(self, nearest: Nearest, before: Nearest | None = None) -> Nearest:
        """Writes the graph of neighbours, and gives its entry; ``before`` as in ``write_graph``."""
        path = self.folder / f"nearest-{self.build}.usearch"
        size, radius = write_graph(Index(self.folder, self.manifest), path, before)
        entry = nearest.model_copy(update={"file": path.name, "size": size, "radius": radius})
        self._with(nearest=entry)
        return entry

    def change(self, **values: object) -> None:
        """Sets fields of the manifest."""
        self._with(**values)

    def finish(self) -> Manifest:
        """Makes the files the index, and removes those that are no longer part of it."""
        write_manifest(self.folder, self.manifest)
        clear(self.folder, self.manifest)
        return self.manifest

    def _shard(self, source: Source, rows: np.ndarray, number: int, on_rows: OnRows) -> FileEntry:
        def make() -> Arrays:
            return {
                **source.arrays(rows, on_rows),
                TOKENS: torch.from_numpy(source.tokens[rows].astype(np.int32)),
                **pack_texts(TEXT, [source.text(int(row)) for row in rows]),
            }

        name = f"shard-{self.build}-{number:05d}.safetensors"
        return self._file(name, make, len(rows), on_rows)

    def _file(
        self,
        name: str,
        make: Callable[[], Arrays],
        count: int,
        when_there: OnRows = lambda rows: None,
    ) -> FileEntry:
        """A file that is made unless it is there whole; ``when_there`` is told its count then."""
        path = self.folder / name
        if is_whole(path, self.build):
            when_there(count)
        else:
            write_tensors(path, make(), self.build)
        return FileEntry.of(path, count)

    def _with(self, **values: object) -> None:
        self.manifest = self.manifest.model_copy(update=values)

    def _require_room(self, source: Source, order: np.ndarray, sizes: np.ndarray) -> None:
        there = sum(
            path.stat().st_size for path in self.folder.glob(f"shard-{self.build}-*.safetensors")
        )
        texts = sum(len(source.text(int(row)).encode("utf-8", "surrogatepass")) for row in order)
        need = (int(sizes[-1]) if len(sizes) else 0) + 3 * texts + 20 * len(order) - there
        free = shutil.disk_usage(self.folder).free
        if need > free:
            message = f"the index needs {byte_size(need)}, and {byte_size(free)} are free"
            hint = "Make room, name another folder, or take a smaller form: --dtype int8, --pool 2."
            raise UserError(Problem("--out", message, hint, code="index.disk-too-small"))


def clear(folder: Path, manifest: Manifest) -> None:
    """Removes what interrupted or earlier writers left; the caller holds the lock."""
    keep = manifest.files()
    for path in folder.iterdir():
        kind = path.name.split("-")[0]
        if kind in ("shard", "names", "removed", "nearest") and path.name not in keep:
            remove(path)
    remove(folder / BUILDING)
    clear_folder(folder)
