"""A user's own class as a task: examples and labels in the form of transformers' old DataProcessor."""

import copy
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Problem, UserError
from ..registry.plugins import faults, line_of
from . import metrics as m
from .base import Example, Groups, Labels, MetricFunction, Rows, Split
from .defaults import TaskDefaults
from .positive import with_positive
from .processor_rows import Reader, plain_rows
from .selection import metrics_of
from .tables import Layout, Table
from .tabular_metrics import scorer_for

METHODS: dict[Split, str] = {split: f"get_{split}_examples" for split in ("train", "dev", "test")}
NEEDED = (METHODS["train"], METHODS["dev"], "get_labels")
MARKS = (*METHODS.values(), "get_labels")


def is_processor(value: object) -> bool:
    """Whether a class looks as if it were meant as a task."""
    return isinstance(value, type) and any(callable(getattr(value, name, None)) for name in MARKS)


def task_faults(path: str, cls: type) -> list[Problem]:
    """What a class lacks to be a task; its code is not run."""
    place, problems = line_of(path, cls), []
    name = getattr(cls, "task_name", None)
    if not isinstance(name, str) or not name.strip():
        message = f"the class {cls.__name__} has no task_name."
        hint = f'Name the task in the class: task_name = "{cls.__name__.lower()}".'
        problems.append(Problem(place, message, hint, code="plugin.task-without-name"))
    missing = [name for name in NEEDED if not callable(getattr(cls, name, None))]
    if missing:
        message = f"the class {cls.__name__} has no {' and no '.join(missing)}."
        hint = "A task has get_train_examples(data_dir), get_dev_examples(data_dir), get_labels()."
        problems.append(Problem(place, message, hint, code="plugin.task-lacks-methods"))
    return problems


class ProcessorTask(TaskDefaults):
    """A class of a plugin as a task; see ``tasks.base.Task`` for the contract.

    Args:
        cls: The class; it is made without arguments.
        path: The plugin's file, for messages.

    Raises:
        UserError: something in the class is missing or fails, with file and line.
    """

    ranking = False
    reads_folders = True

    def __init__(self, cls: type, path: str) -> None:
        problems = task_faults(path, cls)
        if problems:
            raise UserError(problems)
        self.path, self.cls = path, cls
        self.name: str = cls.task_name  # type: ignore[attr-defined]
        with faults(path, f"{cls.__name__}() fails"):
            self.plugin = cls()
        with faults(path, f"{cls.__name__}.get_labels fails"):
            found = self.plugin.get_labels()
        self.labels = _labels(found, line_of(path, cls.get_labels))  # type: ignore[attr-defined]
        self._count_by(None)
        self._seen: dict[tuple[str, str], str] = {}
        self.main_metric: str = getattr(cls, "main_metric", None) or self._plain.main_metric
        if callable(getattr(cls, "metrics", None)):
            self._try_metrics()
        elif getattr(cls, "main_metric", None) is not None:
            self._check_main(cls, metrics_of(self), "the usual metrics are")

    def _count_by(self, wanted: str | int | bool | None) -> None:
        self.labels = with_positive(self.labels, wanted)
        self.label_words = self.labels.names
        self._plain = scorer_for(self.labels.kind, self.labels, ranking=False)

    def with_positive(self, wanted: str | int | bool) -> "ProcessorTask":
        """The same task where ``wanted`` is the class that counts.

        Raises:
            UserError: it is no class of the task.
        """
        task = copy.copy(self)  # tasks are shared
        task._count_by(wanted)
        return task

    def augmented(self, path: Path) -> "ProcessorTask":
        task = copy.copy(self)
        task.more_rows, task._seen = path, {}
        return task

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """``data_dir`` itself: the class knows what it reads there."""
        if split == "train" and self.more_rows is not None:
            return self.more_rows if self.more_rows.is_file() else None
        return data_dir if callable(getattr(self.cls, METHODS[split], None)) else None

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        return None

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return [Path(f"{self.path} ({self.cls.__name__}.{METHODS[split]})")]

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """The examples of a split of ``path``; of a file its plain texts, to be predicted.

        Raises:
            UserError: while reading, with the plugin's file, the line of the method, and the example.
        """
        values: Counter[str] = Counter()
        if path == self.more_rows and split == "train":
            return Rows(self._augmented(path, values), values, [])
        if path.is_file():
            return Rows(plain_rows(path, split), values, [])
        optional = split == "test" if labelled is None else not labelled
        return Rows(self._examples(path, split, optional, values), values, [])

    def fingerprint(self, path: Path, split: Split) -> str:
        """Of the content of all examples of a split; they are read for it once."""
        if (str(path), split) not in self._seen:
            for _ in self.read(path, split, False):
                pass
        return self._seen[str(path), split]

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """Those of the class's own ``metrics(scores, labels)``, else the usual ones.

        Raises:
            UserError: its own fails or gives no numbers.
        """
        if not callable(getattr(self.cls, "metrics", None)):
            return self._plain.metrics(scores, labels, groups)
        scores, labels = m.checked(scores, labels, self.labels.num_outputs)
        found = self._own_metrics(scores, labels)
        kept = {name: value for name, value in found.items() if math.isfinite(value)}
        if not kept:
            message = f"metrics gave no number: {found}."
            place = line_of(self.path, self.cls.metrics)  # type: ignore[attr-defined]
            raise UserError(Problem(place, message, code="plugin.metric-no-number"))
        return kept

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        has_metrics = callable(getattr(self.cls, "metrics", None))
        return {} if has_metrics else self._plain.missing(labels, groups)

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        """What a metric was taken over, where that is not all classes; of its own, nothing is known."""
        has_metrics = callable(getattr(self.cls, "metrics", None))
        return {} if has_metrics else self._plain.remarks(scores, labels)

    def metric(self, name: str) -> MetricFunction:
        """One metric; those of the class's own are called anew for each resample."""
        if not callable(getattr(self.cls, "metrics", None)):
            return self._plain.metric(name)

        def value(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> float:
            try:  # a resample may lack a class, which a user's metric need not expect
                return self._own_metrics(scores, labels).get(name, math.nan)
            except UserError:
                return math.nan

        return value

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        """``main_metric`` of the class, else the first of its own metrics."""
        return self.main_metric if self.main_metric in metrics else next(iter(metrics))

    def _own_metrics(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        if self.labels.columns:  # the class numbers its two labels as its get_labels does
            labels = 1 - labels
            scores = scores[:, ::-1] if scores.shape[1] == 2 else -scores
        with faults(self.path, f"{self.cls.__name__}.metrics fails"):
            found = self.plugin.metrics(scores, labels)
            if not isinstance(found, Mapping) or not found:
                shown = type(found).__name__
                raise TypeError(f"it must give a dict of names and numbers, not {shown}")
            return {str(name): float(value) for name, value in found.items()}

    def _try_metrics(self) -> None:
        """Calls the class's own metrics on a few made-up rows: a slip shows before training."""
        outputs = self.labels.num_outputs
        if self.labels.kind == "regression":
            labels = np.array([0.0, 1.0, 0.5, 0.75])
            scores = np.array([[0.1], [0.9], [0.4], [0.8]])
        else:
            labels = np.tile(np.arange(outputs, dtype=np.float64), 2)
            scores = np.tile(np.eye(outputs), (2, 1))
        found = self._own_metrics(scores, labels)
        self._check_main(self.cls.metrics, list(found), "metrics gives")  # type: ignore[attr-defined]
        self.main_metric = getattr(self.cls, "main_metric", None) or next(iter(found))

    def _check_main(self, of: Any, names: list[str], there: str) -> None:
        """A main metric that is never given would select nothing."""
        wanted = getattr(self.cls, "main_metric", None)
        if wanted is not None and wanted not in names:
            message = f"main_metric is '{wanted}', but {there} {', '.join(names)}."
            place = line_of(self.path, of)
            raise UserError(Problem(place, message, code="plugin.main-metric-not-given"))

    def _examples(
        self, path: Path, split: Split, optional: bool, values: Counter[str]
    ) -> Iterator[Example]:
        method = getattr(self.cls, METHODS[split], None)
        name = f"{self.cls.__name__}.{METHODS[split]}"
        if method is None:
            message = f"the class {self.cls.__name__} has no {METHODS[split]}."
            raise UserError(
                Problem(line_of(self.path, self.cls), message, code="plugin.task-without-split")
            )
        place = f"{line_of(self.path, method)} ({METHODS[split]})"
        reader = Reader(self.labels, place, split, optional, values)
        with faults(self.path, f"{name} fails"):
            found = getattr(self.plugin, METHODS[split])(str(path))
            rows = iter(found)
        while True:
            with faults(self.path, f"{name} fails"):
                row: Any = next(rows, Reader)
            if row is Reader:
                break
            yield reader.example(row)
        self._remember(path, split, reader.finished(), place)

    def _augmented(self, path: Path, values: Counter[str]) -> Iterator[Example]:
        """The rows of a file of ``chatstill augment``; the first of them are those of the class."""
        reader = Reader(self.labels, str(path), "train", True, values)
        for _, row in Table(path, Layout("jsonl")).records():
            yield reader.example(row)
        self._remember(path, "train", reader.finished(), str(path))

    def _remember(self, path: Path, split: Split, digest: str, place: str) -> None:
        before = self._seen.setdefault((str(path), split), digest)
        if before != digest:
            message = f"{METHODS[split]} gives other examples at each call."
            hint = "Give the same rows in the same order: sort what you list, seed what you draw."
            raise UserError(Problem(place, message, hint, code="plugin.other-examples-each-time"))


def _labels(found: Any, place: str) -> Labels:
    """The label space of what ``get_labels`` gives; None or [None] is a regression.

    Raises:
        UserError: no list, fewer than two labels, one twice.
    """
    if found is None or (isinstance(found, (list, tuple)) and list(found) == [None]):
        return Labels("regression")
    if isinstance(found, str) or not hasattr(found, "__iter__"):
        message = f"get_labels gives {type(found).__name__}, expected a list of labels, or None."
        raise UserError(
            Problem(
                place, message, "None, or [None], means a regression.", code="plugin.labels-no-list"
            )
        )
    names = tuple(str(label) for label in found)
    if len(names) < 2 or len(set(names)) != len(names):
        message = f"get_labels gives {list(names)}, expected two or more different labels."
        raise UserError(
            Problem(
                place, message, "None, or [None], means a regression.", code="plugin.labels-too-few"
            )
        )
    return Labels("classification", names, tuple(() for _ in names))
