"""Which metric selects, whether more of it is better, and what stands for it where it has no value."""

import copy
import math

import numpy as np
import pytest
from tests.found import refused

from chatstill.tasks import get_task
from chatstill.tasks.base import Labels
from chatstill.tasks.relevance_metrics import RelevanceScorer
from chatstill.tasks.selection import (
    check_selection,
    lower_is_better,
    selecting_value,
    selects_by_lowest,
    with_metric,
)
from chatstill.tasks.tabular_metrics import scorer_for


@pytest.mark.parametrize("name", ["rmse", "loss", "log_loss", "mean_error", "MAE", "perplexity"])
def test_errors_are_better_when_they_are_lower(name):
    assert lower_is_better(name)


@pytest.mark.parametrize("name", ["accuracy", "f1", "lossless_share", "error_free", "corr"])
def test_all_else_is_better_when_it_is_higher(name):
    assert not lower_is_better(name)


def test_what_selects_says_whether_the_lowest_is_best():
    """Of labels that are all alike the error selects, where a correlation would."""
    task = copy.copy(get_task("stsb"))
    task.missing = lambda labels, groups: {"corr": "alike"} if len(set(labels)) < 2 else {}
    task.metrics = lambda scores, labels, groups: {"rmse": 1.0}
    task.main_metric_of = lambda metrics: "corr" if "corr" in metrics else "rmse"
    assert not selects_by_lowest(task) and not selects_by_lowest(task, np.array([1.0, 2.0]))
    assert selects_by_lowest(task, np.array([1.0, 1.0]))


def chat(**groups):
    """Dev rows of chat: groups of some sizes, the first row of each relevant."""
    sizes = groups["sizes"]
    labels = np.concatenate([[1.0] + [0.0] * (size - 1) for size in sizes])
    return labels, np.repeat(np.arange(len(sizes)), sizes)


def test_a_figure_of_groups_of_one_size_can_select_where_there_are_such_groups():
    task = with_metric(get_task("chat"), "r10@1")
    check_selection(task, *chat(sizes=[10, 10, 4]))
    with refused("metric.no-value", "r10@1"):
        check_selection(task, *chat(sizes=[4, 4]))
    with refused("metric.no-value", "r2@1"):
        check_selection(with_metric(get_task("chat"), "r2@1"), *chat(sizes=[10, 10]))
    for name in ("r10@3", "r@10", "x10@1"):
        with refused("metric.not-for-selection", name):
            with_metric(get_task("chat"), name)
    with refused("metric.not-for-selection"):
        with_metric(get_task("sst2"), "r10@1")


class Own:
    """A task whose figures are given."""

    chosen_metric, main_metric = "", "corr"

    def missing(self, labels, groups):
        return {"mrr": "the rows have no groups"}

    def main_metric_of(self, metrics):
        return next(iter(metrics))


def test_a_figure_without_a_value_this_time_is_no_other_figure():
    """A correlation of equal scores has none: the error beside it must not count as a correlation."""
    task = Own()
    assert selecting_value(task, {"rmse": 2.06, "corr": 0.5}, np.zeros(2), None) == 0.5
    assert math.isnan(selecting_value(task, {"rmse": 2.06}, np.zeros(2), None))
    task.main_metric = "mrr"
    assert selecting_value(task, {"accuracy": 0.75}, np.zeros(2), None) == 0.75, "by its reason"
    task.chosen_metric = "corr"
    assert math.isnan(selecting_value(task, {"accuracy": 0.75}, np.zeros(2), None))


@pytest.mark.parametrize("ranking", [True, False])
def test_every_metric_of_grades_can_be_resampled(ranking):
    scorer = RelevanceScorer(3)
    generator = np.random.default_rng(0)
    labels, groups = generator.integers(0, 3, 40).astype(float), np.repeat(np.arange(8), 5)
    scores = generator.normal(size=(40, 3))
    found = scorer.metrics(scores, labels, groups if ranking else None)
    names = [name for name in found if not name.startswith(("random_", "groups"))]
    assert ("mrr" in names) == ranking
    for name in names:
        value = scorer.metric(name)(scores, labels, groups)
        assert value == pytest.approx(found[name]), name
    with pytest.raises(KeyError):
        scorer.metric("f1")
    assert scorer_for("classification", Labels("classification", ("a", "b")), ranking=False)
