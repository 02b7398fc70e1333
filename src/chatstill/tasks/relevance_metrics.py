"""Metrics of grades of relevance within groups."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from . import by_scores as by
from . import gain
from . import metrics as m
from .base import Groups, MetricFunction, Parts, Ranking
from .intervals import Ratio
from .ranking import RANKING, group_table, ranking_metrics, ranking_parts


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
        missing = self.missing(labels, groups)
        if self.main_metric in missing or groups is None:
            return result
        score, relevant = self.ranked(scores, labels)
        values, chance = gain.ndcg_by_group(score, labels, groups)
        result |= {name: float(value.mean()) for name, value in values.items()}
        result |= {f"random_{name}": float(value.mean()) for name, value in chance.items()}
        table = group_table(score, relevant, groups)
        result["groups"] = float(table.num_groups)
        result["groups_without_positive"] = float(table.num_groups - len(table.size))
        return result if missing else result | ranking_metrics(table)

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        if groups is None:
            return dict.fromkeys((*gain.NAMES, *RANKING), "the rows have no groups")
        codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        grades = np.asarray(labels, dtype=np.float64)
        highest = np.full(int(codes.max(initial=0)) + 1, -np.inf)
        lowest = -highest
        np.maximum.at(highest, codes, grades)
        np.minimum.at(lowest, codes, grades)
        if not (highest > lowest).any():
            reason = "no group holds rows of two grades: their order makes no difference"
            return dict.fromkeys((*gain.NAMES, *RANKING), reason)
        if not ((highest > 0) & (lowest == 0)).any():
            reason = "no group holds both a row of the lowest grade and one above it"
            return dict.fromkeys(RANKING, reason)
        return {}

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        if name == "accuracy":
            return Ratio(by.grouped_accuracy_parts)
        if name in gain.NAMES:
            return Ratio(partial(_ndcg_parts, name=name))
        return Ratio(ranking_parts(name, self.ranked))

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking:
        return gain.expected_grade(scores), np.asarray(labels) > 0

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return next(name for name in (self.main_metric, "accuracy") if name in metrics)


def _ndcg_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups, name: str) -> Parts:
    if groups is None:
        raise ValueError(f"{name} needs groups")
    values = gain.ndcg_by_group(gain.expected_grade(scores), np.asarray(labels), groups)[0][name]
    return values, np.ones(len(values))
