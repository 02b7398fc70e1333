"""The usual metrics of a label space: accuracy and F1 of classes, Pearson and Spearman of scores."""

from collections.abc import Callable

import numpy as np

from . import metrics as m
from .base import Groups, Labels, MetricFunction
from .intervals import Parts, Ratio


class PlainMetrics:
    """The usual metrics of a label space.

    Two classes: ``accuracy``, ``f1`` (of class 1). More: ``accuracy``, ``macro_f1``. Regression:
    ``pearson``, ``spearman``.

    Attributes:
        names: Their names.
        main: The one that selection uses.
    """

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        if labels.kind == "regression":
            self.names, self.main = ("pearson", "spearman"), "spearman"
        else:
            self.names = ("accuracy", "f1" if len(labels.names) == 2 else "macro_f1")
            self.main = "accuracy"

    def metrics(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """All of them.

        Args:
            scores: (N, C) logits; (N, 1) for regression or a sigmoid scorer.
            labels: (N,) class indices or scores.

        Raises:
            RunFailure: a score is NaN or infinite.
            ValueError: no rows, a row without label, shapes that don't fit.
        """
        scores, labels = m.checked(scores, labels, self.labels.num_outputs)
        return {name: _FUNCTIONS[name](scores, labels, None) for name in self.names}

    def metric(self, name: str) -> MetricFunction:
        """One of them, to be resampled row by row.

        Raises:
            KeyError: another name.
        """
        if name not in self.names:
            raise KeyError(name)
        return _FUNCTIONS[name]


def macro_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the F1 of every class that is a label or a prediction of some row."""
    found = np.union1d(predictions, labels)
    return float(np.mean([m.f1(predictions == one, labels == one) for one in found]))


def _accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right = m.decide(scores) == np.asarray(labels)
    return right.astype(np.float64), np.ones(len(right))


def _f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    called, positive = m.decide(scores) == 1, np.asarray(labels) == 1
    return 2.0 * (called & positive), called.astype(np.float64) + positive


_FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray, Groups], float]] = {
    "accuracy": Ratio(_accuracy_parts),
    "f1": Ratio(_f1_parts, empty=0.0),
    "macro_f1": lambda scores, labels, groups: macro_f1(m.decide(scores), np.asarray(labels)),
    "pearson": lambda scores, labels, groups: m.pearson(m.margin(scores), np.asarray(labels)),
    "spearman": lambda scores, labels, groups: m.spearman(m.margin(scores), np.asarray(labels)),
}
