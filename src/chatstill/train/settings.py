"""What a phase of training is given: its data, its settings, and what selection knows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, Self

from torch import Tensor

if TYPE_CHECKING:
    from ..config.schema import RunConfig

Batch = dict[str, Tensor]


class Steps(Protocol):
    """Optimizer steps of one process; starts anywhere at once."""

    num_rows: int

    @property
    def steps_per_epoch(self) -> int: ...

    def start(self, step: int, num_steps: int) -> Iterator[tuple[int, list[Batch]]]:
        """Yields (epoch, this process's micro-batches) from step ``step`` to the planned end."""
        ...


def better(value: float, than: float, *, lower: bool = False) -> bool:
    """Whether a figure is better than another."""
    return value < than if lower else value > than


@dataclass
class Selection:
    """Which step's weights are kept, and what early stopping knows. Saved in every checkpoint."""

    best: float | None = None
    best_step: int | None = None
    evaluations_since: int = 0

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Self:
        """From what a checkpoint holds, other facts beside it."""
        return cls(
            **{field.name: saved[field.name] for field in fields(cls) if field.name in saved}
        )

    def update(self, value: float, step: int, *, lower: bool = False) -> bool:
        """Notes an evaluation (NaN is never better); True if it is the best so far.

        Args:
            value: The main metric.
            step: Where it was taken.
            lower: Whether lower is better.
        """
        if not math.isnan(value) and (self.best is None or better(value, self.best, lower=lower)):
            self.best, self.best_step, self.evaluations_since = value, step, 0
            return True
        self.evaluations_since += 1
        return False


@dataclass(frozen=True)
class PhaseSettings:
    """How a phase is run, beside what TrainingArguments hold.

    Attributes:
        index: Number of the phase in the run.
        seed: The run's seed.
        keep: ``last`` or ``best`` weights are the phase's result.
        patience: Evaluations without a better one before the phase stops; None = never.
        eval_steps: Steps between evaluations; 0 = none.
        save_steps: Steps between checkpoints; None = by time.
        save_seconds: Seconds between checkpoints where ``save_steps`` is None.
    """

    index: int
    seed: int
    keep: str = "last"
    patience: int | None = None
    eval_steps: int = 0
    save_steps: int | None = None
    save_seconds: float = 300.0


def evaluates(config: RunConfig) -> bool:
    """Whether dev is scored while a method trains."""
    return config.do_eval or config.keep == "best" or config.patience is not None


def phase_settings(config: RunConfig, index: int, steps_per_epoch: int) -> PhaseSettings:
    """How the phase of a number is run; dev is scored after every epoch where no key says it."""
    looks = config.eval_steps or steps_per_epoch
    return PhaseSettings(
        index=index,
        seed=config.seed,
        keep=config.keep or "last",
        patience=config.patience,
        eval_steps=looks if evaluates(config) else 0,
        save_steps=config.save_steps,
    )


class Length:
    """Stands in for the data loader where the Trainer only asks how long it is."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length
