"""The teacher's outputs, computed once per row and kept on disk: shards that are whole or absent.

Rows are sorted by length and cut into shards, so a shard is filled in batches with little padding, and a
length-grouped training batch reads from one or two shards. What a shard holds depends on the cache's
fingerprint alone: not on who filled it, in which order, or how often filling was interrupted.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..disk.write import write_text
from ..errors import Problem, RunFailure, UserError
from .store import ArrayWriter, locked, open_array, read_manifest
from .teacher_cache_layout import (
    FORMAT,
    Layout,
    Part,
    batches_of,
    cache_fingerprint,
    cut_into_shards,
    ranges,
)

__all__ = ["Filled", "Layout", "Part", "TeacherCache", "cache_fingerprint"]

NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
Arrays = dict[str, np.ndarray]
Compute = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Filled:
    """How far a filling is: rows and valid tokens that are there, and those computed here."""

    rows: int = 0
    tokens: int = 0
    computed_rows: int = 0
    computed_tokens: int = 0

    def then(self, rows: int, tokens: int, *, computed: bool) -> Filled:
        """With further rows."""
        return Filled(
            self.rows + rows,
            self.tokens + tokens,
            self.computed_rows + rows * computed,
            self.computed_tokens + tokens * computed,
        )


class TeacherCache:
    """The shards of one cache.

    Args:
        folder: Where caches lie; this one in a folder named by its fingerprint.
        name: Its ``cache_fingerprint``.
        layout: What is kept.
        lengths: (N,) valid tokens of each row, in the order of row numbers.
        whose: Of whom the outputs are, for messages.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        layout: Layout,
        lengths: np.ndarray,
        whose: str = "the teacher's",
    ) -> None:
        self.folder, self.name, self.layout = Path(folder) / name, name, layout
        self.whose = whose
        self.lengths = np.asarray(lengths, np.int64)
        self._order = np.argsort(self.lengths, kind="stable")
        self._place = np.empty(len(self._order), np.int64)
        self._place[self._order] = np.arange(len(self._order))
        self._bounds = cut_into_shards(self.lengths[self._order], layout)
        ends = np.cumsum(self.lengths[self._order])
        self._token_start = ends - self.lengths[self._order]  # by place, over all shards
        self._open: dict[int, Arrays] = {}

    @property
    def num_shards(self) -> int:
        """How many shards the rows are cut into."""
        return len(self._bounds) - 1

    @property
    def num_bytes(self) -> int:
        """Size of the whole cache."""
        return self.layout.total_bytes(len(self.lengths), int(self.lengths.sum()))

    def rows_of(self, shard: int) -> np.ndarray:
        """Row numbers of a shard, shortest first."""
        return self._order[self._bounds[shard] : self._bounds[shard + 1]]

    def describe(self, sources: Mapping[str, Any]) -> None:
        """Writes ``cache.json``: whose outputs these are, for people and for clearing up.

        Its time of change says when the cache was last used. Another user's is left as it is.
        """
        facts = {
            "format": FORMAT,
            "rows": len(self.lengths),
            "shards": self.num_shards,
            "bytes": self.num_bytes,
            "parts": self.layout.facts(),
            "sources": dict(sources),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / "cache.json", json.dumps(facts, indent=1) + "\n")
        except OSError as error:
            if error.errno not in NOT_ALLOWED:
                raise

    def num_present(self) -> int:
        """Rows in shards that lie there; unchecked, for plans."""
        there = [n for n in range(self.num_shards) if (self._path(n) / "manifest.json").is_file()]
        return sum(len(self.rows_of(shard)) for shard in there)

    def fill(
        self,
        compute: Compute,
        *,
        first: int = 0,
        progress: Callable[[Filled], None] | None = None,
    ) -> int:
        """Checks every shard and computes those that are missing, stale or damaged.

        Processes may fill one cache at once: a shard that another one is at is left for last. When
        this returns, all shards are there and open. What is whole is read without a lock: the folder
        may be another user's.

        Args:
            compute: ``row numbers -> arrays by part``; a part per token holds the valid tokens of
                the rows one after another.
            first: The shard to begin with, to keep processes apart.
            progress: Called after each batch or checked shard.

        Returns:
            The number of rows computed here.

        Raises:
            RunFailure: the disk is full, or a value is not finite in its stored type.
            UserError: a shard is missing, and the folder cannot be written.
        """
        so_far = Filled()
        numbers = np.roll(np.arange(self.num_shards), -first).tolist()
        later: list[int] = []
        for wait, shards in ((False, numbers), (True, later)):
            for shard in shards:
                for state in self._make_sure(shard, compute, so_far, wait=wait):
                    so_far = state
                    if progress is not None:
                        progress(state)
                if shard not in self._open:
                    later.append(shard)
        return so_far.computed_rows

    def _make_sure(
        self, shard: int, compute: Compute, so_far: Filled, *, wait: bool
    ) -> Iterator[Filled]:
        """Opens a shard, computing it first if need be; gives the state after each batch.

        Without ``wait`` a shard that another process is at stays closed.
        """
        if self._open_shard(shard):
            yield so_far.then(*self._sizes(shard), computed=False)
            return
        with self._locked(shard, wait=wait) as mine:
            if not mine:
                return
            if self._open_shard(shard):  # another process has built it meanwhile
                yield so_far.then(*self._sizes(shard), computed=False)
                return
            for rows in self._fill_shard(shard, compute):
                so_far = so_far.then(len(rows), int(self.lengths[rows].sum()), computed=True)
                yield so_far
            assert self._open_shard(shard), "a shard just written cannot be read"

    @contextmanager
    def _locked(self, shard: int, *, wait: bool) -> Iterator[bool]:
        try:
            with locked(self.folder / "locks" / f"{shard:06d}", wait=wait) as mine:
                yield mine
        except OSError as error:
            inside = str(error.filename).startswith(str(self.folder))
            if error.errno not in NOT_ALLOWED or not inside:
                raise
            message = f"{self.whose} outputs cannot be stored here: {error.strerror}"
            hint = "Set cache_dir to another folder."
            raise UserError(
                Problem(str(self.folder), message, hint, code="cache.outputs-not-writable")
            ) from error

    def read(self, rows: np.ndarray) -> Arrays:
        """The stored values of some rows, in the order asked.

        Returns:
            By part: (B, …) per row, or (T, …) per token, the rows' valid tokens one after another.
        """
        rows = np.asarray(rows, np.int64)
        place = self._place[rows]
        shard_of = np.searchsorted(self._bounds, place, side="right") - 1
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        found = {
            part.name: np.empty(
                (int(ends[-1]) if part.per_token and len(ends) else len(rows), *part.shape),
                part.dtype,
            )
            for part in self.layout.parts
        }
        for shard in np.unique(shard_of).tolist():
            here = np.flatnonzero(shard_of == shard)
            start = self._bounds[shard]
            at_rows = place[here] - start
            tokens: tuple[np.ndarray, np.ndarray] | None = None
            for part in self.layout.parts:
                values = self._open[shard][part.name]
                if not part.per_token:
                    found[part.name][here] = values[at_rows]
                    continue
                if tokens is None:
                    begin = self._token_start[place[here]] - self._token_start[start]
                    source = ranges(begin, lengths[here])
                    tokens = source, ranges((ends - lengths)[here], lengths[here])
                found[part.name][tokens[1]] = values[tokens[0]]
        return found

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:06d}"

    def _expected(self, shard: int) -> dict[str, Any]:
        return {"cache": self.name, "shard": shard, "rows": len(self.rows_of(shard))}

    def _open_shard(self, shard: int) -> bool:
        """Maps a shard that is whole and this cache's; its sums are checked."""
        manifest = read_manifest(self._path(shard))
        if manifest is None or manifest["facts"] != self._expected(shard):
            return False
        num_rows, num_tokens = self._sizes(shard)
        arrays: Arrays = {}
        for part in self.layout.parts:
            entry = manifest["files"].get(part.name)
            number = num_tokens if part.per_token else num_rows
            if entry is None or entry["size"] != number * part.entry_bytes:
                return False
            flat = open_array(self._path(shard), part.name, entry).view(np.ndarray)
            arrays[part.name] = flat.reshape(number, *part.shape)
        self._open[shard] = arrays
        return True

    def _sizes(self, shard: int) -> tuple[int, int]:
        rows = self.rows_of(shard)
        return len(rows), int(self.lengths[rows].sum())

    def _fill_shard(self, shard: int, compute: Compute) -> Iterator[np.ndarray]:
        """Computes a shard batch by batch; gives the rows of each batch when they are written."""
        types = {part.name: np.dtype(part.dtype).type for part in self.layout.parts}
        rows = self.rows_of(shard)
        with ArrayWriter(self._path(shard), types) as writer:
            for batch in batches_of(self.lengths[rows]):
                part_rows = rows[batch]
                values = compute(part_rows)
                tokens = int(self.lengths[part_rows].sum())
                for part in self.layout.parts:
                    number = tokens if part.per_token else len(part_rows)
                    writer.append(part.name, _stored(values[part.name], part, number, self.whose))
                yield part_rows
            writer.publish(self._expected(shard))


def _stored(values: np.ndarray, part: Part, number: int, whose: str) -> np.ndarray:
    """Values in their stored type.

    Raises:
        RunFailure: one of them is not finite in it.
    """
    assert values.shape == (number, *part.shape), (part.name, values.shape, number, part.shape)
    with np.errstate(over="ignore"):
        stored = values.astype(part.dtype, copy=False)
    if not np.isfinite(stored).all():
        largest = np.nanmax(np.abs(values.astype(np.float64)))
        raise RunFailure(
            f"{whose} {part.name} has values that are not finite in {part.dtype} (the largest "
            f'is {largest:.3g}); with "teacher_cache": false nothing is stored'
        )
    return stored
