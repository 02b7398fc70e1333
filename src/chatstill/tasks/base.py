"""A task: how its files are read, what its labels mean, and how predictions are scored."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..errors import Problem

# How a network answers a task: C class logits, one logit for two classes, or one score.
Objective = Literal["cross_entropy", "sigmoid", "regression"]
Split = Literal["train", "dev", "test"]
Groups = Sequence[str] | np.ndarray | None
MetricFunction = Callable[[np.ndarray, np.ndarray, Groups], float]


@dataclass(frozen=True, slots=True)
class Example:
    """One row. ``id`` is stable: ``<split>-<row number from 0>``; ``line`` counts from 1.

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
        settled: Whether everyone counts the classes in this order; if not, a model that only
            numbers its outputs is warned about.
    """

    kind: Literal["classification", "regression"]
    names: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    settled: bool = True

    @property
    def num_outputs(self) -> int:
        return len(self.names) or 1


class Rows(Iterator[Example]):
    """The rows of a file, streamed, with what was noticed on the way.

    Attributes:
        label_values: How often each label stood in the file, by its text; filled while reading.
        warnings: What the user should know; complete after the last row.
    """

    def __init__(
        self, examples: Iterator[Example], label_values: Counter[str], warnings: list[Problem]
    ) -> None:
        self._examples = examples
        self.label_values = label_values
        self.warnings = warnings

    def change(self, texts: Callable[[str], str]) -> "Rows":
        """Itself, with every text changed as it is read."""
        self._examples = (_changed(example, texts) for example in self._examples)
        return self

    def __iter__(self) -> Iterator[Example]:
        return self._examples

    def __next__(self) -> Example:
        return next(self._examples)


def _changed(example: Example, texts: Callable[[str], str]) -> Example:
    second = None if example.text_b is None else texts(example.text_b)
    return replace(example, text_a=texts(example.text_a), text_b=second)


class Task(Protocol):
    """The contract of a task.

    Attributes:
        name: The normalised name, such as ``chat`` or ``sst2``.
        labels: Its label space.
        label_words: How the files write each class, in index order; empty for regression.
        main_metric: The metric that model selection uses; higher is better. See ``main_metric_of``.
        ranking: Whether rows of one group are ranked against each other.
    """

    name: str
    labels: Labels
    label_words: tuple[str, ...]
    main_metric: str
    ranking: bool

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """The file of a split (``data_dir/<TASK>`` first, then ``data_dir``), None if none."""
        ...

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        """Another split's file that stands in for a missing one, with the warning to print."""
        ...

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        """Where the file of a split is looked for, for messages."""
        ...

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of a file, streamed.

        Args:
            path: The file.
            split: Part of the examples' ids.
            labelled: True: every row must have a label; False: rows may lack it; None: False
                for ``test`` only.

        Raises:
            UserError: while reading, with file, line and what was found, at the first
                malformed row; undecodable bytes with their offset; a file without rows.
        """
        ...

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """Official metrics as fractions (0.873, not 87.3). A metric without a value is left out.

        Args:
            scores: (N, C) logits in the task's label order; (N, 1) for regression or a sigmoid
                scorer.
            labels: (N,) class indices or scores.
            groups: (N,) group of each row for ranking tasks, else None.

        Raises:
            RunFailure: a score is NaN or infinite.
            ValueError: no rows, a row without label, shapes that don't fit.
        """
        ...

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        """Metrics that ``metrics`` leaves out for these labels and groups, each with the reason."""
        ...

    def metric(self, name: str) -> MetricFunction:
        """One metric as a function, for ``intervals.bootstrap``.

        Raises:
            KeyError: the task has no metric of this name that can be resampled.
        """
        ...

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        """The metric that selection uses among those that have a value."""
        ...
