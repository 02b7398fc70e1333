"""An index opened for reading. What it has opened stays readable, whatever a writer does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import Problem, UserError
from .folder import FILE
from .held import Column, Held, Kept
from .manifest import ColumnEntry, Manifest, read_manifest
from .numbers import SCALE
from .tensor_file import REBUILD, TensorFile, Texts

TOKENS, TEXT, NAME, ROWS = "tokens", "text", "name", "rows"
BATCH_TOKENS = 1 << 13  # so that a batch's numbers stay near the processor
BATCH_ROWS = 1 << 12
ATTEMPTS = 3


class Shard:
    """One file of replies, shortest first."""

    def __init__(self, file: TensorFile) -> None:
        self.tensors = file.tensors
        self.texts = Texts(file.tensors, TEXT)
        self.tokens = file.tensors[TOKENS].numpy().astype(np.int64)
        self.starts = np.cumsum(self.tokens) - self.tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def stored(self, column: Column | ColumnEntry, rows: np.ndarray) -> dict[str, Tensor]:
        """The numbers of rows as they are stored: of a token column those of all their tokens on end."""
        if column.per_token:
            counts = self.tokens[rows]
            inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = np.repeat(self.starts[rows], counts) + inside
        places = torch.from_numpy(rows)
        names = [name for name in (column.name, column.name + SCALE) if name in self.tensors]
        return {name: self.tensors[name][places] for name in names}

    def kept(
        self, columns: Sequence[Column | ColumnEntry], rows: np.ndarray, device: torch.device
    ) -> Kept:
        """What is kept of rows; tokens are padded to the longest of them."""
        counts = self.tokens[rows]
        length = int(counts.max())
        inside = np.arange(length)
        mask = torch.from_numpy((inside < counts[:, None]).astype(np.int64)).to(device)
        arrays: dict[str, torch.Tensor] = {}
        scales: dict[str, torch.Tensor] = {}
        neighbours = bool((counts == length).all() and (np.diff(rows) == 1).all())
        first, last = self.starts[rows], self.starts[rows] + counts - 1
        tokens = torch.from_numpy(np.minimum(first[:, None] + inside, last[:, None]).reshape(-1))
        for column in columns:
            for name, found in ((column.name, arrays), (column.name + SCALE, scales)):
                stored = self.tensors.get(name)
                if stored is None:
                    continue
                if not column.per_token:
                    taken = stored.index_select(0, torch.from_numpy(rows))
                elif neighbours:  # no copy
                    start = int(first[0])
                    taken = stored[start : start + len(tokens)].unflatten(0, (-1, length))
                else:
                    taken = stored.index_select(0, tokens).unflatten(0, (-1, length))
                found[column.name] = taken.to(device)
        return Kept(arrays, mask, scales)


class Batch(NamedTuple):
    """Rows of one shard that are read together."""

    shard: int
    rows: np.ndarray  # within the shard


class Index:
    """An index and all of its files, open.

    Args:
        folder: Its folder.
        manifest: One that is not written yet; default: that of the folder.

    Attributes:
        graph: The file of neighbours, mapped; None where there is none or it cannot be read, which is said
            when it is asked for.

    Raises:
        UserError: there is no index, building it was interrupted, or one of its files is not as it was.
    """

    def __init__(self, folder: Path, manifest: Manifest | None = None) -> None:
        self.folder = folder
        for attempt in range(ATTEMPTS):
            self.manifest = manifest or read_manifest(folder)
            last = attempt == ATTEMPTS - 1 or manifest is not None
            try:
                self._open()
                self.graph = self._map_graph(needed=not last)
                break
            except FileNotFoundError as error:  # a writer has put another state in its place
                if last:
                    message = "is missing, and the index needs it"
                    place = str(error.filename)
                    raise UserError(
                        Problem(place, message, REBUILD, code="index.file-missing")
                    ) from None
        sizes = [len(shard) for shard in self.shards]
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def _open(self) -> None:
        self.shards = [Shard(entry.open(self.folder)) for entry in self.manifest.shards]
        names = [entry.open(self.folder).tensors for entry in self.manifest.names]
        self._names = [Texts(tensors, NAME) for tensors in names]
        rows = [tensors[ROWS].numpy() for tensors in names]
        self.row_of_name = np.concatenate(rows) if rows else np.empty(0, np.int64)
        gone = self.manifest.removed
        self.removed = np.zeros(len(self.row_of_name), np.bool_)
        if gone is not None:
            self.removed[gone.open(self.folder).tensors[ROWS].numpy()] = True

    def _map_graph(self, *, needed: bool) -> mmap | None:
        """What is wrong with the file is said when it is asked for; raises FileNotFoundError if needed."""
        if self.manifest.nearest is None:
            return None
        try:
            with (self.folder / self.manifest.nearest.file).open("rb") as stream:
                return mmap(stream.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:  # no file, or an empty one
            if needed and isinstance(error, FileNotFoundError):
                raise
            return None

    @property
    def num_rows(self) -> int:
        """All rows, those that were removed too."""
        return int(self.first[-1])

    @cached_property
    def alive(self) -> np.ndarray:
        """(rows,) which of them still have a name."""
        found = np.zeros(self.num_rows, np.bool_)
        found[self.row_of_name[~self.removed]] = True
        return found

    def __len__(self) -> int:
        """Replies that can be ranked; equal ones count once."""
        return int(self.alive.sum())

    @cached_property
    def names(self) -> list[str]:
        """All names, those that were removed too."""
        return [name for texts in self._names for name in texts]

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Name to its number, of those that were not removed."""
        kept = np.flatnonzero(~self.removed)
        return {self.names[number]: int(number) for number in kept}

    @cached_property
    def _numbers_of_rows(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number in np.flatnonzero(~self.removed):
            found.setdefault(int(self.row_of_name[number]), []).append(int(number))
        return found

    def names_of(self, row: int) -> tuple[str, ...]:
        """The names of a reply, in the order in which they came."""
        return tuple(self.names[number] for number in self._numbers_of_rows.get(row, ()))

    def text(self, row: int) -> str:
        """A reply."""
        shard = int(np.searchsorted(self.first, row, side="right")) - 1
        found: str = self.shards[shard].texts[row - int(self.first[shard])]
        return found

    def texts(self) -> Iterator[str]:
        """All replies in the order of their rows, those that were removed too."""
        for shard in self.shards:
            yield from shard.texts

    def batches(self, rows: np.ndarray | None = None) -> Iterator[Batch]:
        """Rows in batches of one shard and of about one length; by default all that can be ranked.

        Args:
            rows: Row numbers, ascending.
        """
        wanted = np.flatnonzero(self.alive) if rows is None else rows
        of_tokens = any(column.per_token for column in self.manifest.columns)
        bounds = np.searchsorted(wanted, self.first)
        for number, shard in enumerate(self.shards):
            inside = wanted[bounds[number] : bounds[number + 1]] - self.first[number]
            lengths = shard.tokens[inside] if of_tokens else np.ones(len(inside), np.int64)
            start = 0
            while start < len(inside):
                end = batch_end(lengths, start, BATCH_TOKENS, BATCH_ROWS)
                yield Batch(number, inside[start:end])
                start = end

    def kept(self, held: Held, batch: Batch, device: torch.device) -> Kept:
        """What is kept of a batch's replies."""
        return self.shards[batch.shard].kept(held.scored, batch.rows, device)

    def require(self, network: str) -> None:
        """Refuses a network that did not make the index.

        Raises:
            UserError: with both fingerprints.
        """
        if network == self.manifest.network:
            return
        message = (
            f"{self.folder / FILE} was made by another network, of fingerprint "
            f"{self.manifest.network[:16]}; this one's is {network[:16]}"
        )
        hint = "Take the network that made it, or build the index again: chatstill index … --fresh."
        raise UserError(Problem("MODEL", message, hint, code="index.of-another-network"))


def batch_end(tokens: np.ndarray, start: int, most_tokens: int, most_rows: int) -> int:
    """Where a batch ends that begins at ``start``: lengths ascend, so the last of it is the longest.

    Args:
        tokens: Of each row, ascending.
        start: Its first row.
        most_tokens: Of the batch, padding included; a single row may have more.
        most_rows: Of the batch.
    """
    some = tokens[start : start + most_rows]
    fits = some * np.arange(1, len(some) + 1) <= most_tokens
    return start + max(1, int(np.searchsorted(~fits, True)))
