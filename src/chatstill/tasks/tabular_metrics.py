"""Metrics of a ``data`` block by the kind of its labels: classes, sets of labels, numbers, grades."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np

from ..figures import names_text
from . import by_scores as by
from . import metrics as m
from .base import Groups, Labels, MetricFunction, Ranking
from .chat import ChatTask
from .intervals import Parts, Ratio
from .positive import why_no_f1, why_no_ranking
from .ranking import RANKING, group_table, ranking_metrics, ranking_parts
from .relevance_metrics import RelevanceScorer

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

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        """See ``tasks.defaults.TaskDefaults.remarks``."""
        ...

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None:
        """See ``tasks.defaults.TaskDefaults.ranked``."""
        ...


class Unranked:
    """Rows that are no candidates of one another, or of which none is known to be relevant."""

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None:
        return None


def scorer_for(kind: str, labels: Labels, *, ranking: bool) -> Scorer:
    """The metrics of a kind of label.

    Rows in groups are ranked by the class that counts: of two classes as ``chat`` does it.
    """
    if kind == "regression":
        return RegressionScorer()
    if kind == "multi_label":
        return MultiLabelScorer(labels)
    if kind == "relevance":
        return RelevanceScorer(len(labels.names))
    if not ranking:
        return ClassScorer(labels)
    return ChatTask() if len(labels.names) == 2 else RankedClassScorer(labels)


class ClassScorer(Unranked):
    """One class a row: ``accuracy``, ``macro_f1`` and ``mcc``, of two classes also ``f1`` and ``auc``.

    ``f1`` is that of the class that counts, which comes second; where nothing tells which class that
    is, it is left out. ``auc`` and ``mcc`` are the same for both.
    """

    main_metric = "accuracy"

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.num_labels = len(labels.names)
        self._functions: dict[str, Function] = {"accuracy": by.accuracy}
        if self.num_labels == 2:
            self._functions["f1"] = by.f1
        self._functions |= {"macro_f1": macro_f1, "mcc": by.matthews}
        if self.num_labels == 2:
            self._functions["auc"] = by.auc

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, self.num_labels)
        missing = self.missing(labels, groups)
        used = {name: f for name, f in self._functions.items() if name not in missing}
        return {name: function(scores, labels) for name, function in used.items()}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if self.num_labels != 2:
            return {}
        reasons = {} if self.labels.positive else {"f1": why_no_f1(self.labels.names)}
        if len(np.unique(labels)) == 1:
            reasons["auc"] = f"all {len(labels)} rows have the same label"
        return reasons

    def metric(self, name: str) -> MetricFunction:
        if name == "accuracy":
            return Ratio(by.accuracy_parts)
        if name == "f1" and name in self._functions:
            return Ratio(by.f1_parts, empty=0.0)
        function = self._functions[name]
        return lambda scores, labels, groups: function(scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        seen = seen_classes(scores, labels)
        return _not_averaged(
            self.labels.names, [n for n in range(self.num_labels) if n not in seen]
        )


class RankedClassScorer(ClassScorer):
    """More than two classes in groups: the metrics of classes, and the rows of each group ranked.

    A row ranks by the log-odds of the class that counts against all others together.
    """

    main_metric = "mrr"

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, self.num_labels)
        result = super().metrics(scores, labels, groups)
        if self.missing(labels, groups) or groups is None:
            return result
        table = group_table(*self._by_odds(scores, labels), groups)
        result["groups"] = float(table.num_groups)
        result["groups_without_positive"] = float(table.num_groups - len(table.size))
        return result | ranking_metrics(table)

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if groups is None:
            return dict.fromkeys(RANKING, "the rows have no groups")
        if self.labels.positive is None:
            return dict.fromkeys(RANKING, why_no_ranking(self.labels.names))
        positive = np.asarray(labels) == self._column
        table = group_table(np.zeros(len(positive)), positive, groups)
        if (table.positives < table.size).any():
            return {}
        reason = f"no group holds both a row of the class {self.labels.positive!r} and another row"
        return dict.fromkeys(RANKING, reason)

    def metric(self, name: str) -> MetricFunction:
        if name == "accuracy":
            return Ratio(by.grouped_accuracy_parts)
        if name in self._functions:
            return super().metric(name)
        return Ratio(ranking_parts(name, self._by_odds))

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return next(name for name in (self.main_metric, "accuracy") if name in metrics)

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None:
        return None if self.labels.positive is None else self._by_odds(scores, labels)

    @property
    def _column(self) -> int:
        assert self.labels.positive is not None
        return self.labels.names.index(self.labels.positive)

    def _by_odds(self, scores: np.ndarray, labels: np.ndarray) -> Ranking:
        """(N,) log-odds of the class that counts, and (N,) whether a row has it."""
        scores = m.matrix(scores)
        others = np.delete(scores, self._column, axis=1)
        odds = scores[:, self._column] - np.logaddexp.reduce(others, axis=1)
        return odds, np.asarray(labels) == self._column


def _not_averaged(names: Sequence[str], without: Sequence[int]) -> dict[str, str]:
    if not without:
        return {}
    shown = names_text([names[n] for n in without])
    text = f"averaged over {len(names) - len(without)} of {len(names)} classes"
    return {"macro_f1": f"{text}; no row has or is called {shown}"}


class MultiLabelScorer(Unranked):
    """Any number of labels a row, each decided at logit 0.

    ``micro_f1`` over all decisions, ``macro_f1`` the plain mean of each label's F1 (0 for a label that
    no row has or is called), ``exact_match`` the share of rows with every label right.
    """

    main_metric = "micro_f1"

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.num_labels = len(labels.names)

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

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        applied = (np.asarray(scores) > 0) | (np.asarray(labels) > 0)
        unseen = [name for n, name in enumerate(self.labels.names) if not applied[:, n].any()]
        if not unseen:
            return {}
        shown = ", ".join(unseen[:8]) + (", ..." if len(unseen) > 8 else "")
        return {"macro_f1": f"no row has or is given {shown}, whose F1 counts as 0"}

    _names: ClassVar[tuple[str, ...]] = ("micro_f1", "macro_f1", "exact_match")


class RegressionScorer(Unranked):
    """Numbers: ``pearson``, ``spearmanr``, ``corr`` (their mean), ``rmse``."""

    main_metric = "corr"

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        return {}

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        scores, labels = m.checked(scores, labels, 1)
        missing = self.missing(labels, groups)
        used = {name: f for name, f in _REGRESSION.items() if name not in missing}
        return {name: function(scores, labels) for name, function in used.items()}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if len(np.unique(labels)) > 1:
            return {}
        return dict.fromkeys(("pearson", "spearmanr", "corr"), "all rows have the same label")

    def metric(self, name: str) -> MetricFunction:
        function = _REGRESSION[name]
        return lambda scores, labels, groups: function(scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric if self.main_metric in metrics else "rmse"


def macro_f1(scores: np.ndarray, labels: np.ndarray) -> float:
    """The plain mean of the F1 of each class that a row has or is called, as scikit-learn has it."""
    classes = seen_classes(scores, labels)
    called = m.decide(scores)[:, None] == classes
    return float(np.mean(label_f1(called, labels[:, None] == classes)))


def seen_classes(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The classes that a row has or is called, in their order."""
    return np.union1d(m.decide(scores), np.asarray(labels).astype(np.int64))


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


def _micro_f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    called, positive = np.asarray(scores) > 0, np.asarray(labels) > 0
    return 2.0 * (called & positive).sum(axis=1), called.sum(axis=1) + positive.sum(axis=1) * 1.0


def _exact_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right = ((np.asarray(scores) > 0) == (np.asarray(labels) > 0)).all(axis=1)
    return right.astype(np.float64), np.ones(len(right))
