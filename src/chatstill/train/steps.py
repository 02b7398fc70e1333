"""The rows of a view as optimizer steps of one process."""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from ..data.loader import StepLoader
from ..data.sampler import BatchPlan
from ..data.views import View

Batch = dict[str, Tensor]


class ViewSteps:
    """Steps over a view.

    Args:
        view: The rows.
        make_batch: Pads rows of the view into one batch.
        batch_size: Rows of a micro-batch on one process.
        accumulation: Micro-batches of a step.
        seed: Of the order.
        rank: This process.
        world_size: Number of processes.
    """

    def __init__(
        self,
        view: View,
        make_batch: Callable[[View, np.ndarray], Batch],
        *,
        batch_size: int,
        accumulation: int,
        seed: int,
        rank: int,
        world_size: int,
    ) -> None:
        self.view, self.make_batch, self.rank = view, make_batch, rank
        cost = view.lengths if view.teacher is None else view.lengths + view.teacher.lengths
        self.plan = BatchPlan(cost, batch_size, world_size, accumulation, seed)
        self.num_rows = len(view)
        self.rows_per_step = len(view) / self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> int:
        return self.plan.steps_per_epoch

    def start(self, step: int, num_steps: int) -> Iterator[tuple[int, list[Batch]]]:
        """Yields (epoch, this process's micro-batches) from step ``step`` to the planned end."""
        loader = StepLoader(self.view, self.plan, self.rank, self.make_batch, step, num_steps)
        return iter(loader)
