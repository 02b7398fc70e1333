"""Outputs that are not what they are taken for are told before training, with the way out."""

import numpy as np
import pytest

from chatstill.evaluate.results import judge
from chatstill.preflight.output_scale import output_problem, stated_problem
from chatstill.tasks import get_task
from chatstill.tasks.base import Labels

SCORE = Labels("regression")
TWO = Labels("classification", ("no", "yes"))
THREE = Labels("classification", ("a", "b", "c"))
TAGS = Labels("multi_label", ("a", "b"))
LABELS = np.linspace(0, 5, 40)
LOGITS = np.log((LABELS + 0.1) / (5.2 - LABELS))[:, None]


def test_scores_on_another_scale_are_an_error_beside_gold_labels():
    found = output_problem(LOGITS, LABELS, SCORE, None)
    assert found.severity == "error" and found.code == "outputs.another-scale"
    assert '"teacher_output": "logit", "teacher_output_range": [0, 5]' in found.hint
    shares = output_problem(LABELS[:, None] / 5, LABELS, SCORE, None)
    assert (
        shares.code == "outputs.another-scale" and '"teacher_output": "probability"' in shares.hint
    )


def test_it_is_a_warning_where_one_scale_alone_is_learnt_from():
    alone = output_problem(LOGITS, LABELS, SCORE, None, gold=False)
    assert alone.severity == "warning" and alone.code == "outputs.another-scale"
    unread = output_problem(LOGITS, LABELS, SCORE, None, soft=False)
    assert unread.severity == "warning" and "student" not in unread.message


def test_a_weak_or_a_good_teacher_is_not_taken_for_one_of_another_scale():
    random = np.random.default_rng(0)
    assert output_problem(random.normal(size=(40, 1)) * 9, LABELS, SCORE, None) is None
    assert (
        output_problem(LABELS[:, None] + random.normal(size=(40, 1)), LABELS, SCORE, None) is None
    )


def probabilities(columns):
    values = np.random.default_rng(0).random((20, columns))
    return values if columns < 3 else values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("space", "columns"), [(TWO, 1), (THREE, 3), (TAGS, 2)])
def test_probabilities_are_not_read_as_logits(space, columns):
    scores, labels = probabilities(columns), np.zeros(20)
    found = output_problem(scores, labels, space, None)
    assert (
        found.severity == "error"
        and found.code == "outputs.look-like-probabilities"
        and '"teacher_output"' in found.hint
    )
    for stated in ("logit", "probability"):
        assert output_problem(scores, labels, space, stated) is None
    assert output_problem(scores * 4 - 2, labels, space, None) is None


def test_two_logits_between_0_and_1_that_do_not_sum_to_1_are_logits():
    assert output_problem(probabilities(2), np.zeros(20), TWO, None) is None


def test_a_probability_beyond_1_is_none():
    assert "gives -3" in stated_problem(np.array([[-3.0], [0.5]]), "probability").message
    assert stated_problem(np.array([[0.0], [1.0]]), "probability") is None
    assert stated_problem(np.array([[-3.0]]), "logit") is None


def test_figures_of_such_a_network_carry_the_warning():
    task = get_task("stsb")
    (warning,) = judge(task, LOGITS, LABELS, None, resamples=0)["warnings"]
    assert "another scale than the labels" in warning
    flat = judge(task, 0.01 * LABELS[:, None] + 2.5, LABELS, None, resamples=0)
    assert "the predictions hardly differ" in flat["warnings"][0]
    assert judge(task, LABELS[:, None], LABELS, None, resamples=0)["warnings"] == []
