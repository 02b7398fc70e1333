"""Metrics of sets of labels, grades and classes against plain arithmetic."""

import itertools
import math

import numpy as np
import pytest

from chatstill.tasks import gain
from chatstill.tasks.base import Labels
from chatstill.tasks.intervals import bootstrap
from chatstill.tasks.ranking import RANKING
from chatstill.tasks.tabular_metrics import RegressionScorer, scorer_for


def test_sets_of_labels():
    scores = np.array([[1.0, -1], [1, 1], [-1, -1], [-1, 1]])
    labels = np.array([[1.0, 0], [0, 1], [0, 0], [1, 1]])
    # label 0: 1 hit of 2 called and 2 true; label 1: 2 hits of 2 called and 2 true
    scorer = scorer_for("multi_label", Labels("multi_label", ("a", "b")), ranking=False)
    metrics = scorer.metrics(scores, labels, None)
    assert metrics == pytest.approx(
        {"micro_f1": 6 / 8, "macro_f1": (0.5 + 1) / 2, "exact_match": 0.5}
    )
    for name, value in metrics.items():
        assert scorer.metric(name)(scores, labels, None) == pytest.approx(value)
    low, high = bootstrap(scorer.metric("micro_f1"), scores, labels, n=50)
    assert 0 <= low <= 0.75 <= high <= 1


def test_a_label_that_never_occurs_counts_nothing():
    scorer = scorer_for("multi_label", Labels("multi_label", ("a", "b")), ranking=False)
    metrics = scorer.metrics(np.array([[1.0, -1]]), np.array([[1.0, 0]]), None)
    assert metrics == {"micro_f1": 1.0, "macro_f1": 0.5, "exact_match": 1.0}


def test_classes():
    scores = np.eye(3)[[0, 1, 2, 2]]
    metrics = scorer_for(
        "classification", Labels("classification", ("a", "b", "c")), ranking=False
    ).metrics(scores, np.array([0, 1, 2, 1]), None)
    assert metrics["accuracy"] == 0.75
    assert metrics["macro_f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_two_classes_in_groups_are_ranked():
    scorer = scorer_for("classification", Labels("classification", ("0", "1")), ranking=True)
    assert "mrr" in scorer.metrics(np.array([[0, 1], [1, 0.0]]), np.array([1, 0]), np.array([0, 0]))


def test_numbers():
    scorer = scorer_for("regression", Labels("regression"), ranking=False)
    metrics = scorer.metrics(np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 2, 3]), None)
    assert metrics["spearmanr"] == pytest.approx(1)
    assert metrics["rmse"] == pytest.approx(math.sqrt(1 / 3))


def dcg(grades, k):
    return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades[:k]))


def test_ndcg_of_one_group():
    grades = [0, 2, 1, 0]
    score = np.array([4.0, 3, 2, 1])
    values, _ = gain.ndcg_by_group(score, np.array(grades), np.zeros(4, int))
    for k, name in ((1, "ndcg@1"), (3, "ndcg@3"), (4, "ndcg")):
        assert values[name][0] == pytest.approx(dcg(grades, k) / dcg([2, 1, 0, 0], k))


def test_ties_get_what_a_random_order_of_them_gets_on_average():
    grades = [2, 0, 1]
    values, chance = gain.ndcg_by_group(np.zeros(3), np.array(grades), np.zeros(3, int))
    orders = list(itertools.permutations(grades))
    for name, k in (("ndcg@1", 1), ("ndcg", 3)):
        mean = sum(dcg(order, k) for order in orders) / len(orders) / dcg([2, 1, 0], k)
        assert values[name][0] == pytest.approx(mean) == chance[name][0]


def test_groups_without_a_grade_are_left_out_and_rows_need_not_be_neighbours():
    score, grade = np.array([1.0, 5, 0, 2]), np.array([1, 0, 0, 0])
    values, _ = gain.ndcg_by_group(score, grade, np.array([7, 3, 7, 3]))
    assert values["ndcg"].tolist() == [1.0]


def test_grades_are_ranked_by_their_mean():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.9, 0.1, 1e-12]]))
    assert gain.expected_grade(logits) == pytest.approx([1.3, 0.1])


def test_relevance_without_a_relevant_row_falls_back_to_accuracy():
    scorer = scorer_for("relevance", Labels("classification", ("0", "1", "2")), ranking=True)
    scores, labels, groups = np.eye(3)[[0, 1]], np.zeros(2), np.array([0, 0])
    metrics = scorer.metrics(scores, labels, groups)
    assert metrics == {"accuracy": 0.5} and scorer.main_metric_of(metrics) == "accuracy"
    assert set(scorer.missing(labels, groups)) == {*gain.NAMES, *RANKING}
    graded = scorer.metrics(scores, np.array([0, 2]), groups)
    assert graded["ndcg@10"] == 1.0 and graded["mrr"] == 1.0 and graded["random_ndcg@1"] == 0.5


@pytest.mark.parametrize(
    ("labels", "groups"), [([0, 1, 2, 1], [0, 1, 2, 3]), ([2, 2, 1, 1], [0, 0, 1, 1])]
)
def test_grades_whose_order_makes_no_difference_have_no_gain(labels, groups):
    """NDCG was 1 whatever a network answered, and chose the first step."""
    scorer = scorer_for("relevance", Labels("classification", ("0", "1", "2")), ranking=True)
    labels, groups = np.array(labels, float), np.array(groups)
    assert list(scorer.metrics(np.eye(3)[[0, 1, 2, 0]], labels, groups)) == ["accuracy"]
    assert set(scorer.missing(labels, groups)) == {*gain.NAMES, *RANKING}


def test_groups_of_relevant_rows_alone_have_a_gain_and_no_rank():
    scorer = scorer_for("relevance", Labels("classification", ("0", "1", "2")), ranking=True)
    labels, groups = np.array([1.0, 2, 1, 2]), np.array([0, 0, 1, 1])
    found = scorer.metrics(np.eye(3)[[0, 1, 2, 0]], labels, groups)
    assert "ndcg@10" in found and not set(found) & set(RANKING)
    assert set(scorer.missing(labels, groups)) == set(RANKING)


@pytest.mark.parametrize("labels", [[2.0, 2.0, 2.0], [1.0]])
def test_numbers_that_are_all_alike_correlate_with_nothing(labels):
    """``corr`` was 0 for all networks, and chose the first step; the lowest error chooses now."""
    scorer, labels = RegressionScorer(), np.array(labels)
    found = scorer.metrics(np.arange(len(labels))[:, None] * 1.0, labels, None)
    assert list(found) == ["rmse"] and scorer.main_metric_of(found) == "rmse"
    assert set(scorer.missing(labels, None)) == {"corr", "pearson", "spearmanr"}


def test_rows_are_ranked_and_relevant_by_the_kind_of_their_labels():
    grades = Labels("classification", ("0", "1", "2"))
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))
    score, relevant = scorer_for("relevance", grades, ranking=True).ranked(logits, np.array([2, 0]))
    assert score == pytest.approx([1.3, 0.5]) and relevant.tolist() == [True, False]
    three = Labels("classification", ("a", "b", "c"), positive="b")
    score, relevant = scorer_for("class", three, ranking=True).ranked(logits, np.array([1, 2]))
    assert score == pytest.approx(np.log([0.3 / 0.7, 0.3 / 0.7])) and relevant.tolist() == [
        True,
        False,
    ]
    two = Labels("classification", ("no", "yes"), positive="yes")
    score, relevant = scorer_for("class", two, ranking=True).ranked(logits[:, :2], np.array([1, 0]))
    assert score == pytest.approx(np.log([1.5, 0.5])) and relevant.tolist() == [True, False]


@pytest.mark.parametrize(
    ("kind", "labels", "ranking"),
    [
        ("class", Labels("classification", ("a", "b", "c")), True),
        ("class", Labels("classification", ("no", "yes"), positive="yes"), False),
        ("regression", Labels("regression"), True),
        ("multi_label", Labels("multi_label", ("a", "b")), True),
    ],
)
def test_where_no_class_is_relevant_nothing_is_ranked(kind, labels, ranking):
    nothing = np.zeros((1, labels.num_outputs))
    assert scorer_for(kind, labels, ranking=ranking).ranked(nothing, np.zeros(1)) is None
