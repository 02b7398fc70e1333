"""A task: how its files are read, what its labels mean, and how predictions are scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Example:
    """One row. ``id`` is stable: ``<split>-<row number from 0>``; ``line`` is the file's line, from 1.

    ``label`` is a class index of ``Labels.names``, a score for regression, or None without label.
    ``group`` names the query that ranking metrics group by, None where the task does not rank.
    """

    id: str
    line: int
    text_a: str
    text_b: str | None = None
    label: float | int | None = None
    group: str | None = None


@dataclass(frozen=True)
class Labels:
    """The task's label space.

    Attributes:
        kind: ``classification`` or ``regression``.
        names: Class names in index order; empty for regression.
        synonyms: Further names per class under which a model's own label list may know it.
    """

    kind: Literal["classification", "regression"]
    names: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()

    @property
    def num_outputs(self) -> int:
        return len(self.names) or 1


class Task(Protocol):
    """The contract of a task.

    Attributes:
        name: The normalised name, such as ``chat`` or ``sst2``.
        labels: Its label space.
        main_metric: The metric that model selection uses; higher is better.
        ranking: Whether rows of one group are ranked against each other.
    """

    name: str
    labels: Labels
    main_metric: str
    ranking: bool

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """The file of a split (``data_dir/<TASK>`` first, then ``data_dir``), None if there is none."""
        ...

    def read(self, path: Path, split: Split) -> Iterator[Example]:
        """Rows of a file, streamed.

        Raises:
            UserError: with file, line and what was found, at the first malformed row; undecodable bytes
                with their offset.
        """
        ...

    def metrics(
        self, scores: np.ndarray, labels: np.ndarray, groups: Sequence[str] | np.ndarray | None
    ) -> dict[str, float]:
        """Official metrics as fractions (0.873, not 87.3).

        Args:
            scores: (N, C) logits in the task's label order; (N, 1) for regression or a sigmoid scorer.
            labels: (N,) class indices or scores.
            groups: (N,) group of each row for ranking tasks, else None.
        """
        ...
