"""The figure of a run that trains no classifier: the method's own loss on dev."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..evaluate.own_loss import LOSS, own_loss
from ..evaluate.scoring import weights_digest
from ..train.control import Agreement
from ..train.device import device_of
from ..train.launch import rank, world_size

if TYPE_CHECKING:
    from ..config.schema import RunConfig
    from ..methods.base import Method

Batches = Callable[[Any, np.ndarray], dict[str, Tensor]]


class DevLoss:
    """A method's loss on dev, phase by phase; the same weights are not asked twice in a row.

    Args:
        method: What is trained.
        config: Batch size and device.
        held_out: Of ``Phase.data``: the dev rows of that kind, and what makes batches of them.
    """

    def __init__(
        self, method: Method, config: RunConfig, held_out: Callable[[str], tuple[Any, Batches]]
    ) -> None:
        self.method, self.config, self.held_out = method, config, held_out
        self._last: tuple[tuple[int, bytes], dict[str, float]] | None = None

    def metrics(self, index: int) -> tuple[float, dict[str, float]]:
        """The loss of a phase, and it with its terms; dealt out over the processes, equal on all of them."""
        phase = self.method.phases()[index]
        known = index, weights_digest(self.method.begin(phase))
        if self._last is None or self._last[0] != known:
            agreement = Agreement()
            found = own_loss(
                self.method,
                index,
                *self.held_out(phase.data),
                device=device_of(self.config),
                batch_size=self.config.per_gpu_eval_batch_size,
                rank=rank() if agreement.active else 0,
                world_size=world_size() if agreement.active else 1,
                add_up=agreement.sum_array,
            )
            self._last = known, found
        return self._last[1][LOSS], self._last[1]
