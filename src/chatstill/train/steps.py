"""The rows of a view as optimizer steps of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from torch import Tensor

from ..data.loader import StepLoader
from ..data.sampler import BatchPlan, largest_micro_batch
from ..figures import counted
from .launch import rank, world_size

if TYPE_CHECKING:
    from ..config.schema import RunConfig

Batch = dict[str, Tensor]


class HasLengths(Protocol):
    """Prepared rows: a view, or the blocks of a corpus.

    ``folder``: where they lie. ``teacher``: the same as the teacher reads them.
    """

    lengths: np.ndarray

    @property
    def folder(self) -> Path | None: ...

    @property
    def teacher(self) -> Any: ...

    def __len__(self) -> int: ...


Source = TypeVar("Source", bound=HasLengths)


class ViewSteps(Generic[Source]):
    """Steps over a view, or over blocks.

    Args:
        view: The rows.
        make_batch: Pads rows of the view into one batch.
        config: Batch size, accumulation and seed.
    """

    def __init__(
        self, view: Source, make_batch: Callable[[Source, np.ndarray], Batch], config: RunConfig
    ) -> None:
        self.view, self.make_batch = view, make_batch
        cost = view.lengths if view.teacher is None else view.lengths + view.teacher.lengths
        batch, accumulation = config.per_gpu_train_batch_size, config.gradient_accumulation_steps
        self.plan = BatchPlan(
            cost, batch, world_size(), accumulation, config.seed, folder=view.folder
        )
        self.num_rows = len(view)

    @property
    def steps_per_epoch(self) -> int:
        return self.plan.steps_per_epoch

    def start(self, step: int, num_steps: int) -> Iterator[tuple[int, list[Batch]]]:
        """Yields (epoch, this process's micro-batches) from step ``step`` to the planned end."""
        loader = StepLoader(self.view, self.plan, rank(), self.make_batch, step, num_steps)
        return iter(loader)


def batch_text(config: RunConfig, num_rows: int) -> str:
    """Rows of a step, and of its micro-batches where few rows make them larger or smaller than asked."""
    size = config.per_gpu_train_batch_size * world_size()
    text = (
        f"{size * config.gradient_accumulation_steps} rows: {config.per_gpu_train_batch_size} on each of "
        f"{counted(world_size(), 'process', 'processes')}, "
        f"{counted(config.gradient_accumulation_steps, 'micro-batch', 'micro-batches')} a step"
    )
    largest = largest_micro_batch(num_rows, size)
    if largest < size:
        return f"{text}; there are {num_rows} rows, one micro-batch"
    return text if largest < 1.1 * size else f"{text}; up to {largest} rows each, none is left over"
