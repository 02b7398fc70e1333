"""Where training stands: what everything random in a step follows from. No torch is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


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
