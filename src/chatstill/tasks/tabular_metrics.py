"""Metrics of a ``data`` block by the kind of its labels: classes, sets of labels, numbers, grades."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar, Protocol

import numpy as np

from . import by_scores as by
from . import gain
from . import metrics as m
from .base import Groups, MetricFunction
from .chat import ChatTask
from .intervals import Parts, Ratio, sums_by_group
from .ranking import group_table, ranking_metrics

Function = Callable[[np.ndarray, np.ndarray], float]


class Scorer(Protocol):
    """The metric half of ``tasks.base.Task``."""

    main_metric: str

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """See ``tasks.base.Task.metrics``."""
        ...

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        """See ``tasks.base.Task.missing``."""
        ...

    def metric(self, name: str) -> MetricFunction:
        """See ``tasks.base.Task.metric``."""
        ...

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        """See ``tasks.base.Task.main_metric_of``."""
        ...


def scorer_for(kind: str, num_labels: int, *, ranking: bool) -> Scorer:
    """The metrics of a kind of label; two classes in groups are ranked as ``chat`` does it."""
    if kind == "regression":
        return RegressionScorer()
    if kind == "multi_label":
        return MultiLabelScorer(num_labels)
    if kind == "relevance":
        return RelevanceScorer(num_labels)
    if ranking and num_labels == 2:
        return ChatTask()
    return ClassScorer(num_labels)


class ClassScorer:
    """One class a row: ``accuracy`` and ``mcc``, of two classes ``f1`` and ``auc``, of more ``macro_f1``."""

    main_metric = "accuracy"

    def __init__(self, num_labels: int) -> None:
        self.num_labels = num_labels
        self._functions: dict[str, Function] = {"accuracy": by.accuracy}
        if num_labels == 2:
            self._functions |= {"f1": by.f1, "mcc": by.matthews, "auc": by.auc}
        else:
            self._functions |= {
                "macro_f1": partial(macro_f1, num_labels=num_labels),
                "mcc": by.matthews,
            }

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, self.num_labels)
        missing = self.missing(labels, groups)
        used = {name: f for name, f in self._functions.items() if name not in missing}
        return {name: function(scores, labels) for name, function in used.items()}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if self.num_labels != 2 or len(np.unique(labels)) > 1:
            return {}
        return {"auc": f"all {len(labels)} rows have the same label"}

    def metric(self, name: str) -> MetricFunction:
        if name == "accuracy":
            return Ratio(by.accuracy_parts)
        if name == "f1" and name in self._functions:
            return Ratio(by.f1_parts, empty=0.0)
        function = self._functions[name]
        return lambda scores, labels, groups: function(scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric


class MultiLabelScorer:
    """Any number of labels a row, each decided at logit 0.

    ``micro_f1`` over all decisions, ``macro_f1`` the plain mean of each label's F1 (0 for a label that
    no row has or is called), ``exact_match`` the share of rows with every label right.
    """

    main_metric = "micro_f1"

    def __init__(self, num_labels: int) -> None:
        self.num_labels = num_labels

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked_sets(scores, labels, self.num_labels)
        return {name: self.metric(name)(scores, labels, None) for name in self._names}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        if name == "micro_f1":
            return Ratio(_micro_f1_parts, empty=0.0)
        if name == "exact_match":
            return Ratio(_exact_parts)
        if name != "macro_f1":
            raise KeyError(name)
        return lambda scores, labels, groups: float(np.mean(label_f1(scores > 0, labels > 0)))

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric

    _names: ClassVar[tuple[str, ...]] = ("micro_f1", "macro_f1", "exact_match")


class RegressionScorer:
    """Numbers: ``pearson``, ``spearmanr``, ``corr`` (their mean), ``rmse``."""

    main_metric = "corr"

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, 1)
        return {name: function(scores, labels) for name, function in _REGRESSION.items()}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        function = _REGRESSION[name]
        return lambda scores, labels, groups: function(scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric


class RelevanceScorer:
    """Grades of relevance: ``ndcg`` of each group, ranked by the expected grade (``tasks.gain``).

    Beside it accuracy over the grades, and the ranking metrics of ``chat`` with every grade above the
    lowest as relevant.
    """

    main_metric = "ndcg@10"

    def __init__(self, num_labels: int) -> None:
        self.num_labels = num_labels

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, self.num_labels)
        result = {"accuracy": by.accuracy(scores, labels)}
        if self.missing(labels, groups) or groups is None:
            return result
        score = gain.expected_grade(scores)
        values, chance = gain.ndcg_by_group(score, labels, groups)
        result |= {name: float(value.mean()) for name, value in values.items()}
        result |= {f"random_{name}": float(value.mean()) for name, value in chance.items()}
        table = group_table(score, labels > 0, groups)
        result["groups"] = float(table.num_groups)
        result["groups_without_positive"] = float(table.num_groups - len(table.size))
        return result | ranking_metrics(table)

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if groups is None:
            return dict.fromkeys(gain.NAMES, "the rows have no groups")
        codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        highest = np.full(int(codes.max(initial=0)) + 1, -np.inf)
        np.maximum.at(highest, codes, np.asarray(labels, dtype=np.float64))
        if (highest > 0).any():
            return {}
        return dict.fromkeys(gain.NAMES, "no group holds a row above the lowest grade")

    def metric(self, name: str) -> MetricFunction:
        if name == "accuracy":
            return Ratio(_grouped_accuracy_parts)
        if name in gain.NAMES:
            return Ratio(partial(_ndcg_parts, name=name))
        raise KeyError(name)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return next(name for name in (self.main_metric, "accuracy") if name in metrics)


def macro_f1(scores: np.ndarray, labels: np.ndarray, num_labels: int) -> float:
    """The plain mean of each class's F1; a class that no row has or is called counts 0."""
    classes = np.arange(num_labels)
    called = m.decide(scores)[:, None] == classes
    return float(np.mean(label_f1(called, labels[:, None] == classes)))


def label_f1(called: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """F1 of each column (C,) of two bool arrays (N, C); 0 where a column is empty in both."""
    hits = 2.0 * (called & positive).sum(axis=0)
    total = called.sum(axis=0) + positive.sum(axis=0)
    return np.divide(hits, total, out=np.zeros(len(hits)), where=total > 0)


_REGRESSION: dict[str, Function] = {
    "pearson": by.pearson,
    "spearmanr": by.spearman,
    "corr": by.correlation,
    "rmse": lambda scores, labels: float(np.sqrt(np.mean((m.margin(scores) - labels) ** 2))),
}


def _grouped_accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right, count = by.accuracy_parts(scores, labels, groups)
    return sums_by_group(right, groups), sums_by_group(count, groups)


def _micro_f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    called, positive = np.asarray(scores) > 0, np.asarray(labels) > 0
    return 2.0 * (called & positive).sum(axis=1), called.sum(axis=1) + positive.sum(axis=1) * 1.0


def _exact_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right = ((np.asarray(scores) > 0) == (np.asarray(labels) > 0)).all(axis=1)
    return right.astype(np.float64), np.ones(len(right))


def _ndcg_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups, name: str) -> Parts:
    if groups is None:
        raise ValueError(f"{name} needs groups")
    values = gain.ndcg_by_group(gain.expected_grade(scores), np.asarray(labels), groups)[0][name]
    return values, np.ones(len(values))
