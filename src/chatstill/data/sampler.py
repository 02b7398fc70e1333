"""The order of rows: global batches of like cost, a function of seed, epoch and lengths.

Nothing here draws from a global generator or remembers where it stands, so any step of any epoch
can be computed at once, on every process alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ..disk.large_array import large_array, numbered
from ..errors import Problem, UserError

SORTED_TOGETHER = 50
STREAM = 0x6F72646572  # keeps these draws apart from others made of the same seed


class Epoch(Sequence[list[np.ndarray]]):
    """One epoch: a sequence of steps, each a list of micro-batches of global row numbers.

    Holds one flat array and makes the steps on demand, since millions of small arrays cost more
    than the rows.
    """

    def __init__(
        self, rows: np.ndarray, bounds: np.ndarray, order: np.ndarray, accumulation: int
    ) -> None:
        self._rows = rows
        self._bounds = bounds
        self._order = order
        self._accumulation = accumulation

    def __len__(self) -> int:
        return -(-len(self._order) // self._accumulation)

    @overload
    def __getitem__(self, step: int) -> list[np.ndarray]: ...

    @overload
    def __getitem__(self, step: slice) -> list[list[np.ndarray]]: ...

    def __getitem__(self, step: int | slice) -> list[np.ndarray] | list[list[np.ndarray]]:
        if isinstance(step, slice):
            return [self[number] for number in range(*step.indices(len(self)))]
        if not -len(self) <= step < len(self):
            raise IndexError(step)
        start = step % len(self) * self._accumulation
        batches = self._order[start : start + self._accumulation]
        return [self._rows[self._bounds[at] : self._bounds[at + 1]] for at in batches]


def steps_per_epoch(num_rows: int, global_size: int, accumulation: int) -> int:
    """Optimizer steps of an epoch: what ``BatchPlan`` lays out, known from the number of rows alone."""
    return -(-max(1, num_rows // global_size) // accumulation)


def largest_micro_batch(num_rows: int, global_size: int) -> int:
    """Rows of the largest of ``BatchPlan``'s, over all processes: what is left over joins the others."""
    return -(-num_rows // max(1, num_rows // global_size))


class BatchPlan:
    """Which rows train when.

    The rows of an epoch are shuffled, sorted by cost within stretches of ``SORTED_TOGETHER``
    micro-batches, cut into micro-batches, and these are shuffled. All of it depends on the seed,
    the epoch, the lengths and the *global* size of a micro-batch alone: two processes with 8 rows
    each see the batches of one process with 16.

    A remainder is spread over the micro-batches as one row more, to the cheapest of each stretch,
    so none is smaller than the global size and every process always has a row.

    Args:
        lengths: (N,) cost of each row, usually tokens (over both views together).
        batch_size: Rows of a micro-batch on one process.
        world_size: Processes.
        accumulation: Micro-batches of a step; the last step of an epoch may have fewer.
        seed: The run's seed.
        folder: Where the order of very many rows is laid down while it is used.

    Raises:
        UserError: there are no rows, or fewer than processes.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        world_size: int = 1,
        accumulation: int = 1,
        seed: int = 0,
        *,
        folder: Path | None = None,
    ) -> None:
        assert min(batch_size, world_size, accumulation) >= 1
        self.lengths = np.asarray(lengths)
        self.global_size = batch_size * world_size
        self.world_size = world_size
        self.accumulation = accumulation
        self.seed, self.folder = seed, folder
        if len(self.lengths) < world_size:
            message = f"{len(self.lengths)} rows cannot be shared by {world_size} processes"
            raise UserError(
                Problem(
                    "training data",
                    message if len(self.lengths) else "no rows",
                    code="data.too-few-rows",
                )
            )
        self.num_micro_batches = max(1, len(self.lengths) // self.global_size)
        self._last: tuple[int, Epoch] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-self.num_micro_batches // self.accumulation)

    def epoch(self, number: int) -> Epoch:
        """The steps of an epoch; the last one asked for is kept."""
        last = self._last
        if last is None or last[0] != number:
            last = self._last = (number, self._plan(number))
        return last[1]

    def step(self, number: int) -> tuple[int, list[np.ndarray]]:
        """(epoch, micro-batches) of a step counted over all epochs."""
        epoch, inside = divmod(number, self.steps_per_epoch)
        return epoch, self.epoch(epoch)[inside]

    def _plan(self, number: int) -> Epoch:
        generator = np.random.default_rng([STREAM, self.seed, number])
        num_rows, num_batches = len(self.lengths), self.num_micro_batches
        kind = np.int32 if num_rows < 2**31 else np.int64
        rows = numbered(num_rows, kind, self.folder)
        generator.shuffle(rows)
        # A stretch never covers all: the rows of a batch would be the same in every epoch.
        together = min(max(num_batches // 4, min(num_batches // 2, 2), 1), SORTED_TOGETHER)
        num_stretches = -(-num_batches // together)
        stretch_ends = np.arange(1, num_stretches + 1) * num_batches // num_stretches
        sizes = large_array(num_batches, np.int32, self.folder)
        sizes[:] = self.global_size if num_batches > 1 else num_rows
        spare = num_rows - num_batches * int(sizes[0])
        spare_ends = np.arange(1, num_stretches + 1) * spare // num_stretches
        start = first = spent = 0
        for last, spare_end in zip(stretch_ends.tolist(), spare_ends.tolist(), strict=True):
            each, more = divmod(spare_end - spent, last - first)
            sizes[first:last] += each
            sizes[first : first + more] += 1
            end = start + int(sizes[first:last].sum())
            stretch = rows[start:end]
            rows[start:end] = stretch[np.argsort(self.lengths[stretch], kind="stable")]
            start, first, spent = end, last, spare_end
        bounds = large_array(num_batches + 1, np.int64, self.folder)
        bounds[0] = 0
        np.cumsum(sizes, out=bounds[1:])
        order = numbered(num_batches, np.int64, self.folder)
        generator.shuffle(order)
        return Epoch(rows, bounds, order, self.accumulation)

    def share(self, rows: np.ndarray, rank: int) -> np.ndarray:
        """The rows of one process out of a global micro-batch.

        Rows are dealt out from the longest down, so every process pads to about the same length.
        Rows that do not divide, the shortest ones, go to the processes dealt to last.
        """
        if self.world_size == 1:
            return rows
        order = rows[np.argsort(-self.lengths[rows], kind="stable")]
        even = len(order) // self.world_size * self.world_size
        mine = order[rank : even : self.world_size]
        extra = even + self.world_size - 1 - rank
        return np.append(mine, order[extra]) if extra < len(order) else mine


def eval_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """All rows in batches of like length, the longest first: what does not fit fails at once."""
    order = np.argsort(-np.asarray(lengths).astype(np.int64), kind="stable")
    return [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
