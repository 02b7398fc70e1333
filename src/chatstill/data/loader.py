"""Loading: the micro-batches of one process, step after step, made ahead in the background."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

from .sampler import BatchPlan

Source = TypeVar("Source")
Batch = TypeVar("Batch")
AHEAD = 3


class StepLoader(Generic[Source, Batch]):
    """Optimizer steps from ``start_step`` to the planned end, across epochs.

    Iterating gives ``(epoch, [micro-batches of this process])``. Any step can be the first one at
    no cost, so a resumed run replays nothing. A thread makes ``AHEAD`` steps ahead; an exception in
    it comes out at the step it belongs to.

    Args:
        view: What ``collate_fn`` takes rows from: a view, or several.
        plan: The order of rows.
        rank: This process.
        collate_fn: ``(view, row numbers) -> batch``.
        start_step: The first step, counted over all epochs.
        num_steps: The end: planned steps counted over all epochs, not steps left.
    """

    def __init__(
        self,
        view: Source,
        plan: BatchPlan,
        rank: int,
        collate_fn: Callable[[Source, np.ndarray], Batch],
        start_step: int = 0,
        num_steps: int = 0,
    ) -> None:
        self.view = view
        self.plan = plan
        self.rank = rank
        self.collate_fn = collate_fn
        self.start_step = start_step
        self.num_steps = num_steps

    def __len__(self) -> int:
        return max(0, self.num_steps - self.start_step)

    def step(self, number: int) -> tuple[int, list[Batch]]:
        """One step, made at once: its epoch and the micro-batches of this process."""
        epoch, micro_batches = self.plan.step(number)
        shares = [self.plan.share(rows, self.rank) for rows in micro_batches]
        return epoch, [self.collate_fn(self.view, rows) for rows in shares]

    def __iter__(self) -> Iterator[tuple[int, list[Batch]]]:
        steps = iter(range(self.start_step, self.num_steps))
        pool = ThreadPoolExecutor(1, "chatstill-loader")
        pending: deque[Future[tuple[int, list[Batch]]]] = deque()
        try:
            for _, number in zip(range(AHEAD), steps, strict=False):
                pending.append(pool.submit(self.step, number))
            while pending:
                loaded = pending.popleft().result()
                for number in steps:
                    pending.append(pool.submit(self.step, number))
                    break
                yield loaded
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
