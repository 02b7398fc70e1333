"""The phases of a method, and where training stands in one. No torch is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import torch


Data = Literal["train", "texts", "corpus"]


@dataclass(frozen=True)
class Phase:
    """One training phase.

    Attributes:
        name: Appears in the log, the plan and the names of checkpoints.
        epochs: Passes over the training rows; ``max_steps`` > 0 overrides it.
        learning_rate: Peak learning rate; None takes the run's.
        max_steps: Optimizer steps; 0 or less means by epochs.
        train: What is trained, in words for the plan.
        data: Which rows: ``train``, the task's; ``texts``, each distinct text of them and of the transfer set
            as a row by itself, without label; or ``corpus``, blocks of ``data_dir/corpus``. Dev rows are of
            the same kind. See ``Method.data_of``.
        selected_by: What tells its best weights on dev: ``metric``, the task's, or ``loss``, the sum of the
            phase's terms; empty: the metric where the phase learns from ``train`` and the method trains the
            classifier, else the loss.
    """

    name: str
    epochs: float
    learning_rate: float | None = None
    max_steps: int = -1
    train: str = "all parameters"
    data: Data = "train"
    selected_by: Literal["", "metric", "loss"] = ""


@dataclass(frozen=True)
class Context:
    """Where training stands; everything random in a step follows from it.

    Attributes:
        seed: The run's seed.
        phase: Index of the phase.
        step: Optimizer steps finished in this phase (the first step runs with 0).
        micro_batch: Index of the micro-batch inside the step.
        epoch: Epoch inside the phase.
        num_steps: Planned optimizer steps of this phase.
        rank: This process.
    """

    seed: int
    phase: int
    step: int
    micro_batch: int
    epoch: int
    num_steps: int
    rank: int = 0

    def generator(self, purpose: str, *, shared: bool) -> torch.Generator:
        """A fresh CPU generator that depends on seed, phase, step, micro-batch and purpose alone.

        Args:
            purpose: Keeps the draws of different uses independent.
            shared: The same numbers on every process (Theseus' draws), or also of the rank (masking).
        """
        import torch

        return torch.Generator().manual_seed(self.number(purpose, shared=shared))

    def row_generator(self, purpose: str, row: int) -> np.random.Generator:
        """A fresh generator that depends on seed, phase, epoch, purpose and the row alone.

        The same for any number of processes and micro-batches: what is drawn of a row is the row's.
        """
        from ..data.masking import row_generator

        return row_generator(self.seed, self.phase, self.epoch, row, purpose)

    def number(self, purpose: str, *, shared: bool) -> int:
        """A 63-bit number from the same sources as ``generator``."""
        parts = (self.seed, self.phase, self.step, self.micro_batch, purpose)
        key = repr(parts if shared else (*parts, self.rank)).encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1
