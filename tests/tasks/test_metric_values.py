"""Metrics against scikit-learn, scipy and plain loops."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.draws import reseeded

from chatstill.errors import RunFailure
from chatstill.tasks import metrics as m

COARSE = st.integers(-3, 3).map(float)
CLASSES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)
SCORED = st.lists(st.tuples(COARSE, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(CLASSES, st.sampled_from([2, 3]))
def test_classification_equals_scikit_learn(pairs, num_classes):
    from sklearn import metrics as reference

    predictions, labels = np.array(pairs).T % num_classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert m.accuracy(predictions, labels) == reference.accuracy_score(labels, predictions)
        expected = reference.matthews_corrcoef(labels, predictions)
        assert m.matthews(predictions, labels) == pytest.approx(expected, abs=1e-12)
        if num_classes == 2:
            expected = reference.f1_score(labels, predictions, zero_division=0)
            assert m.f1(predictions, labels) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(SCORED)
def test_auc_counts_pairs(rows):
    score, positive = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0 for a in score[positive] for b in score[~positive]
    ]
    value = m.auc(score, positive)
    assert np.isnan(value) if not pairs else value == pytest.approx(np.mean(pairs))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(COARSE, COARSE), min_size=2, max_size=30))
def test_correlations_equal_scipy(pairs):
    from scipy import stats

    a, b = np.array(pairs).T
    assert np.array_equal(m.average_ranks(a), stats.rankdata(a))
    if np.ptp(a) and np.ptp(b):
        assert m.pearson(a, b) == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
        assert m.spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
    else:
        assert m.pearson(a, b) == m.spearman(a, b) == 0.0


def test_correlation_of_huge_tiny_and_almost_constant_values():
    a = np.array([1.0, 2, 3, 5])
    assert m.pearson(a * 1e200, a * 1e-200) == pytest.approx(1.0)
    assert m.pearson(a, 0.1 + np.array([0, 0, 0, 1e-18])) == 0.0
    assert -1 <= m.pearson(a, 1 + a * 1e-15) <= 1


@settings(max_examples=50, deadline=None)
@given(SCORED)
def test_monotone_transforms_do_not_change_auc(rows):
    score, positive = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    np.testing.assert_equal(m.auc(np.exp(score) * 3 + 1, positive), m.auc(score, positive))


def test_decisions_and_margins():
    assert m.decide(np.array([[0.1], [0.0], [-2]])).tolist() == [1, 0, 0]
    assert m.decide(np.array([0.1, -0.1])).tolist() == [1, 0]
    assert m.decide(np.array([[1, 1], [0, 2]])).tolist() == [0, 1]
    assert m.margin(np.array([[1, 4], [3, 3.0]])).tolist() == [3, 0]
    assert m.margin(np.array([[5.0]])).tolist() == [5]
    with pytest.raises(ValueError, match="3 classes"):
        m.margin(np.zeros((2, 3)))


def test_agreement_by_hand():
    teacher = np.array([[0, 1.0], [0, 2], [1, 0], [3, 0]])
    student = np.array([0.5, 3, 1, -2])
    result = m.agreement(student, teacher)
    assert result["agreement"] == 0.75
    assert result["spearman"] == pytest.approx(m.spearman(student, np.array([1, 2, -1, -3.0])))
    assert m.agreement(teacher, teacher * 2) == pytest.approx(
        {"agreement": 1, "spearman": 1, "pearson": 1}
    )
    assert set(m.agreement(student, student, "regression")) == {"spearman", "pearson"}
    assert m.agreement(student[:1], teacher[:1]) == {"agreement": 1}, "one row has no order"
    assert m.agreement(np.zeros(4), teacher) == {"agreement": 0.5}
    three = np.random.default_rng(reseeded(0)).normal(size=(20, 3))
    shifted = three + np.arange(20)[:, None]
    assert m.agreement(three, shifted)["pearson"] == pytest.approx(1)
    with pytest.raises(ValueError, match="classes"):
        m.agreement(three, three[:, :2])
    with pytest.raises(ValueError, match="rows"):
        m.agreement(three[:3], three)
    with pytest.raises(RunFailure):
        m.agreement(three, np.full((20, 3), np.nan))
