"""Metrics as functions of what a network gives, and their parts by row for resampling."""

from collections.abc import Callable

import numpy as np

from . import metrics as m
from .base import Groups
from .intervals import Parts, sums_by_group

Function = Callable[[np.ndarray, np.ndarray], float]
"""(N, C) scores and (N,) labels -> the metric."""


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose highest class is the label."""
    return m.accuracy(m.decide(scores), labels)


def f1(scores: np.ndarray, labels: np.ndarray) -> float:
    """F1 of class 1."""
    return m.f1(m.decide(scores), labels)


def matthews(scores: np.ndarray, labels: np.ndarray) -> float:
    """Matthews correlation of the decided classes."""
    return m.matthews(m.decide(scores), labels)


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve of class 1."""
    return m.auc(m.margin(scores), labels == 1)


def pearson(scores: np.ndarray, labels: np.ndarray) -> float:
    """Linear correlation."""
    return m.pearson(m.margin(scores), labels)


def spearman(scores: np.ndarray, labels: np.ndarray) -> float:
    """Rank correlation, ties at their mean rank."""
    return m.spearman(m.margin(scores), labels)


def correlation(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of both correlations, STS-B's."""
    return (pearson(scores, labels) + spearman(scores, labels)) / 2


def accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    """Numerator and denominator of accuracy, row by row."""
    right = m.decide(scores) == np.asarray(labels)
    return right.astype(np.float64), np.ones(len(right))


def f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    """Numerator and denominator of F1, row by row."""
    called, positive = m.decide(scores) == 1, np.asarray(labels) == 1
    return 2.0 * (called & positive), called.astype(np.float64) + positive


def grouped_accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    """Numerator and denominator of accuracy, group by group."""
    right, count = accuracy_parts(scores, labels, groups)
    return sums_by_group(right, groups), sums_by_group(count, groups)
