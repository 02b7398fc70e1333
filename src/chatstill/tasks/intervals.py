"""Bootstrap intervals: groups are resampled where there are groups, else rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .base import Groups, MetricFunction, Parts
from .ranking import factorise

__all__ = ["Parts", "Ratio", "bootstrap"]


@dataclass(frozen=True)
class Ratio:
    """A metric that is a ratio of two sums over units: resampling adds up, nothing is recounted.

    Attributes:
        parts: (scores, labels, groups) -> numerators and denominators, one entry for each unit (a
            row or a group) that is resampled as a whole.
        empty: The value where the denominators sum to 0.
    """

    parts: Callable[[np.ndarray, np.ndarray, Groups], Parts]
    empty: float = float("nan")

    def __call__(self, scores: np.ndarray, labels: np.ndarray, groups: Groups = None) -> float:
        above, below = self.parts(scores, labels, groups)
        return self.divide(above, below)

    def divide(self, above: np.ndarray, below: np.ndarray) -> float:
        """The ratio of both sums."""
        total = float(below.sum())
        return float(above.sum()) / total if total else self.empty


def bootstrap(
    metric: MetricFunction,
    scores: np.ndarray,
    labels: np.ndarray,
    groups: Groups = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a metric.

    A group drawn twice counts as two groups. Resamples where the metric has no value (one class
    left) are left out; NaN if none has one. A ``Ratio`` takes microseconds a resample, others a
    full evaluation.

    Returns:
        The lower and upper end.
    """
    values = _resampled(metric, [scores], labels, groups, n, seed)[0]
    return _interval(values, level)


def paired_bootstrap(
    metric: MetricFunction,
    a_scores: np.ndarray,
    b_scores: np.ndarray,
    labels: np.ndarray,
    groups: Groups = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """``metric(a) - metric(b)`` and its percentile interval, both on the same resamples.

    Returns:
        The difference on all rows, the lower and the upper end.
    """
    a, b = _resampled(metric, [a_scores, b_scores], labels, groups, n, seed)
    difference = metric(a_scores, labels, groups) - metric(b_scores, labels, groups)
    return (difference, *_interval(a - b, level))


def sums_by_group(values: np.ndarray, groups: Groups) -> np.ndarray:
    """Values of rows summed over each group (G,); unchanged without groups (N,)."""
    values = np.asarray(values, dtype=np.float64)
    if groups is None:
        return values
    codes, num_groups = factorise(groups)
    return np.bincount(codes, weights=values, minlength=num_groups)


def _resampled(
    metric: MetricFunction,
    scores: list[np.ndarray],
    labels: np.ndarray,
    groups: Groups,
    n: int,
    seed: int,
) -> list[np.ndarray]:
    """The metric of each of several models on n resamples, the same for all: (n,) each."""
    generator = np.random.default_rng(seed)
    results = np.empty((len(scores), n))
    if isinstance(metric, Ratio):
        parts = [metric.parts(one, labels, groups) for one in scores]
        num_units = len(parts[0][0])
        for draw in range(n):
            chosen = generator.integers(num_units, size=num_units)
            for number, (above, below) in enumerate(parts):
                results[number, draw] = metric.divide(above[chosen], below[chosen])
        return list(results)
    scores, labels = [np.asarray(one) for one in scores], np.asarray(labels)
    units = _Units(len(labels), groups)
    for draw in range(n):
        rows, names = units.draw(generator)
        for number, one in enumerate(scores):
            results[number, draw] = metric(one[rows], labels[rows], names)
    return list(results)


class _Units:
    """Draws rows, or whole groups of rows, with replacement."""

    def __init__(self, num_rows: int, groups: Groups) -> None:
        self.num_rows = num_rows
        self.grouped = groups is not None
        if groups is not None:
            codes, num_groups = factorise(groups)
            self.order = np.argsort(codes, kind="stable")
            self.size = np.bincount(codes, minlength=num_groups)
            self.start = np.cumsum(self.size) - self.size

    def draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
        """Row numbers of one resample, and each row's group (drawn twice: two groups)."""
        if not self.grouped:
            return generator.integers(self.num_rows, size=self.num_rows), None
        chosen = generator.integers(len(self.size), size=len(self.size))
        size = self.size[chosen]
        names = np.repeat(np.arange(len(chosen)), size)
        inside = np.arange(len(names)) - np.repeat(np.cumsum(size) - size, size)
        return self.order[np.repeat(self.start[chosen], size) + inside], names


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
