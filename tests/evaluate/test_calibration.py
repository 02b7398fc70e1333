"""Calibration error, temperature and threshold against plain arithmetic."""

import math

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.evaluate.calibration import (
    calibrate,
    calibration_error,
    fit_temperature,
    log_loss,
    probabilities,
    threshold_like,
)
from chatstill.figures import fitted


def test_probabilities_are_a_softmax_of_divided_logits():
    found = probabilities(np.array([[0.0, math.log(9)]]), temperature=2.0)
    np.testing.assert_allclose(found, [[0.25, 0.75]])
    np.testing.assert_allclose(probabilities(np.array([[math.log(4)]])), [[0.2, 0.8]])
    assert np.isfinite(probabilities(np.array([[1e30, -1e30]]))).all()


def test_calibration_error_by_hand():
    # confidences .9 .9 .6 .6; right, wrong, right, right. With two bins all lie in (.5, 1]:
    probability = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1])
    assert calibration_error(probability, labels, bins=2) == pytest.approx(0.0)  # .75 against .75
    # with ten, .6 and .9 apart: (2 |1 - .6| + 2 |.5 - .9|) / 4
    assert calibration_error(probability, labels, bins=10) == pytest.approx(0.4)


def test_a_confidence_on_the_edge_belongs_to_the_lower_bin():
    # .5 lies in (0, .5], .75 in (.5, 1]: gaps of -.5 and +.25 do not cancel
    probability = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert calibration_error(probability, np.array([1, 1]), bins=2) == pytest.approx(0.375)
    assert calibration_error(np.array([[0.0, 1.0]]), np.array([1])) == 0.0


def test_log_loss_by_hand():
    scores = np.log(np.array([[0.8, 0.2], [0.4, 0.6]]))
    expected = -(math.log(0.8) + math.log(0.4)) / 2
    assert log_loss(scores, np.array([0, 0])) == pytest.approx(expected)
    assert log_loss(np.array([[math.log(4)]]), np.array([1])) == pytest.approx(-math.log(0.8))


@pytest.mark.parametrize("one_logit", [False, True])
def test_the_temperature_undoes_a_factor(one_logit):
    """Labels drawn from the probabilities of logits: whoever multiplies these by 3 is told 3."""
    generator = np.random.default_rng(reseeded(0))
    logit = generator.normal(size=40_000) * 2
    labels = (generator.random(40_000) < 1 / (1 + np.exp(-logit))).astype(int)
    scores = logit[:, None] if one_logit else np.stack([-logit / 2, logit / 2], axis=1)
    assert fit_temperature(3 * scores, labels) == pytest.approx(3, rel=0.03)
    found = calibrate(3 * scores, labels)
    assert found["ece_scaled"] < 0.01 < found["ece"]
    assert found["log_loss_scaled"] < found["log_loss"]


def test_the_temperature_is_the_smallest_loss_around():
    scores = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0], [0.5, 0.0]])
    labels = np.array([0, 1, 1, 0])
    best = fit_temperature(scores, labels)
    losses = [log_loss(scores, labels, best * factor) for factor in (0.99, 1.0, 1.01)]
    assert losses[1] == min(losses)


def test_where_all_is_right_the_temperature_stays_within_its_bounds():
    assert 0.1 <= fit_temperature(np.array([[2.0, 0.0]]), np.array([0])) < 0.11
    assert 19 < fit_temperature(np.array([[2.0, 0.0]]), np.array([1])) <= 20
    for margin in (1.0, 8.0, 40.0):  # a loss of 0 to the last digit over ever more of the range
        sure = np.array([[margin, 0.0], [0.0, 2 * margin]])
        assert fit_temperature(sure, np.array([0, 1])) == pytest.approx(0.1, abs=1e-4)


def test_a_temperature_at_the_end_of_its_range_is_said_so():
    assert fitted(1.3) == "fitted on the same rows"
    right, wrong = (fit_temperature(np.array([[2.0, 0.0]]), np.array([row])) for row in (0, 1))
    for temperature, end in (
        (right, "lower end of its range, 0.1"),
        (wrong, "upper end of its range, 20"),
    ):
        assert end in fitted(temperature, "dev rows")


# -- threshold -------------------------------------------------------------------------------------


def column(*logits):
    return np.array(logits)[:, None]


LABELS = np.array([1, 1, 0, 1, 0])


def test_the_threshold_has_the_teachers_precision_and_finds_most():
    teacher = column(1.0, 1.0, 1.0, -1.0, -1.0)  # calls three, two of them right
    student = column(4.0, 3.0, 2.0, 1.0, 0.5)  # 1, 1, 2/3, 3/4, 3/5 from the top down
    found = threshold_like(student, teacher, LABELS, temperature=2.0)
    assert found["teacher_precision"] == pytest.approx(2 / 3)
    assert found["teacher_recall"] == pytest.approx(2 / 3)
    assert found["probability"] == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert found["probability_scaled"] == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert found["precision"] == pytest.approx(3 / 4)
    assert found["recall"] == 1.0


def test_rows_of_equal_score_are_called_together():
    teacher = column(1.0, -1.0, -1.0, -1.0, -1.0)  # precision 1
    student = column(2.0, 1.0, 1.0, 0.0, 0.0)
    found = threshold_like(student, teacher, LABELS, 1.0)
    assert (found["precision"], found["recall"]) == (1.0, pytest.approx(1 / 3))


def test_calling_rows_from_the_threshold_on_gives_its_figures():
    generator = np.random.default_rng(reseeded(1))
    for _ in range(100):
        labels = generator.integers(0, 2, 200)
        teacher = generator.normal(size=(200, 2)) + np.eye(2)[labels]
        student = 3 * generator.normal(size=(200, 2)) + 6 * np.eye(2)[labels]
        found = threshold_like(student, teacher, labels, 1.7)
        for name, scale in (("probability", 1.0), ("probability_scaled", 1.7)):
            called = probabilities(student, scale)[:, 1] >= found[name]  # to the last digit
            assert labels[called].mean() == pytest.approx(found["precision"])
            assert called[labels == 1].mean() == pytest.approx(found["recall"])
        assert found["precision"] >= found["teacher_precision"]


@pytest.mark.parametrize(
    ("student", "teacher", "labels"),
    [
        (column(1.0, 2.0), column(-1.0, -1.0), np.array([0, 1])),  # the teacher calls none
        (column(2.0, 1.0), column(-1.0, 1.0), np.array([0, 1])),  # its precision is out of reach
        (column(2.0, 1.0), column(1.0, 1.0), np.array([0, 0])),  # there is nothing to find
    ],
)
def test_where_there_is_no_threshold_it_is_none(student, teacher, labels):
    found = threshold_like(student, teacher, labels, 1.0)
    assert found["probability"] is None
    assert found["recall"] is None


def test_the_line_of_the_threshold_gives_the_students_precision_beside_the_teachers():
    from chatstill.evaluate.results import _calibration_lines

    threshold = {
        "probability": 0.481,
        "label": "match",
        "precision": 0.9,
        "teacher_precision": 0.8824,
        "recall": 0.5625,
        "teacher_recall": 0.9375,
    }
    (line,) = _calibration_lines({"threshold": threshold})
    assert "precision 0.9000, the teacher's 0.8824; recall 0.5625, the teacher's 0.9375" in line
