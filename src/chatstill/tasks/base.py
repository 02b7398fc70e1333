"""A task: how its files are read, what its labels mean, and how predictions are scored."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..errors import Problem
from .query_groups import GroupsBy

# How a network answers a task: C class logits, one logit for two classes, one score, or a logit for
# each of C labels of which any number can apply.
Objective = Literal["cross_entropy", "sigmoid", "regression", "multi_label"]
LabelKind = Literal["classification", "regression", "multi_label", "none"]
Split = Literal["train", "dev", "test"]
Groups = Sequence[str] | np.ndarray | None
Parts = tuple[np.ndarray, np.ndarray]  # numerators and denominators of a ratio, one a unit
Ranking = tuple[np.ndarray, np.ndarray]  # what rows are ranked by, and which of them are relevant
MetricFunction = Callable[[np.ndarray, np.ndarray, Groups], float]


@dataclass(frozen=True, slots=True)
class Example:
    """One row. ``id`` is stable: ``<split>-<row number from 0>``; ``line`` counts from 1.

    ``label`` is a class index of ``Labels.names``, a score for regression, the indices of all labels
    that apply for multi-label, or None without label. ``group`` names the query that ranking metrics
    group by, None where the task does not rank. ``context`` are the turns before ``text_a``, oldest
    first; the network reads them joined by its separator, and the oldest are cut first. ``name`` is
    what the data call the row, None where they have no names; ``file`` the one that ``line`` counts in,
    empty where a split has one alone.
    """

    id: str
    line: int
    text_a: str
    text_b: str | None = None
    label: float | int | tuple[int, ...] | None = None
    group: str | None = None
    context: tuple[str, ...] = ()
    name: str | None = None
    file: str = ""

    @property
    def first_text(self) -> str:
        """The turns and the first text as one text, to be looked at."""
        return "\n".join((*self.context, self.text_a)) if self.context else self.text_a


@dataclass(frozen=True)
class Labels:
    """The task's label space.

    Attributes:
        kind: ``classification``, ``regression``, ``multi_label`` (any number of labels a row), or ``none``
            where the texts have no labels.
        names: Class names in index order; empty for regression.
        synonyms: Further names per class under which a model's own label list may know it.
        settled: Whether everyone counts the classes in this order; if not, a model that only
            numbers its outputs is warned about.
        columns: The names in the order in which files and networks number them, where that is
            another one than that of ``names``.
        positive: The class that counts in ``f1``, the threshold and the ranking metrics; None where
            nothing tells it. Of two classes it is the last one of ``names``.
        key: What a user changes to change the order of ``columns``, for messages.
    """

    kind: LabelKind
    names: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    settled: bool = True
    columns: tuple[str, ...] = ()
    positive: str | None = None
    key: str = ""

    @property
    def num_outputs(self) -> int:
        return len(self.names) or 1

    @property
    def numbered(self) -> tuple[str, ...]:
        """The names as files and networks number them, from 0."""
        return self.columns or self.names


class Rows(Iterator[Example]):
    """The rows of a file, streamed, with what was noticed on the way.

    Attributes:
        label_values: How often each label stood in the file, by its text; filled while reading.
        warnings: What the user should know; complete after the last row.
        bad: Malformed rows that were left out, each with place and reason; filled while reading.
    """

    def __init__(
        self,
        examples: Iterator[Example],
        label_values: Counter[str],
        warnings: list[Problem],
        bad: list[str] | None = None,
    ) -> None:
        self._examples = examples
        self.label_values = label_values
        self.warnings = warnings
        self.bad = [] if bad is None else bad

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
    context = tuple(texts(turn) for turn in example.context)
    return replace(example, text_a=texts(example.text_a), text_b=second, context=context)


class Task(Protocol):
    """The contract of a task.

    Attributes:
        name: The normalised name, such as ``chat`` or ``sst2``.
        labels: Its label space.
        label_words: How the files write each class, in index order; empty for regression.
        main_metric: The metric that model selection uses; higher is better but for those of
            ``tasks.selection.lower_is_better``. See ``main_metric_of``.
        ranking: Whether rows of one group are ranked against each other.
    """

    name: str
    ranking: bool

    @property
    def labels(self) -> Labels: ...

    @property
    def label_words(self) -> tuple[str, ...]: ...

    @property
    def main_metric(self) -> str: ...

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

    # What follows has defaults, and is described where they are: ``tasks.defaults``.

    reads_folders: bool
    chosen_metric: str

    @property
    def reading(self) -> str: ...

    @property
    def label_form(self) -> str: ...

    @property
    def bounds(self) -> tuple[float, float] | None: ...

    def parts(self, path: Path, split: Split) -> list[Path]: ...

    def transfer(self, path: Path) -> list[Path]: ...

    def absent(self, split: Split) -> Problem | None: ...

    def fingerprint(self, path: Path, split: Split) -> str | None: ...

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]: ...

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None: ...

    def with_positive(self, wanted: str | int | bool) -> "Task | None": ...

    def skipping(self) -> "Task | None": ...

    def grouping(self, by: GroupsBy) -> "Task | None": ...

    def augmented(self, path: Path) -> "Task | None": ...
