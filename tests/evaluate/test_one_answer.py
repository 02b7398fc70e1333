"""A network that answers every row alike is told, with the cause that its scores speak for."""

import numpy as np
import pytest

from chatstill.evaluate.one_answer import one_answer
from chatstill.evaluate.results import judge
from chatstill.tasks import get_task
from chatstill.tasks.base import Labels

TWO = Labels("classification", ("no", "yes"))
THREE = Labels("classification", ("a", "b", "c"))
TAGS = Labels("multi_label", ("a", "b"))
EVEN = np.arange(40) % 2


def lying(labels, low, step=1.0):
    """One logit a row, right in its order: ``low`` for class 0, ``step`` more for class 1."""
    return (low + step * labels)[:, None]


def test_answers_that_differ_and_rows_that_have_one_label_are_no_fault():
    assert one_answer(lying(EVEN, -0.5), EVEN, TWO) is None
    assert one_answer(lying(EVEN, -4.0), np.zeros(40), TWO) is None
    assert one_answer(lying(EVEN, -4.0), np.full(40, np.nan), TWO) is None
    assert one_answer(lying(EVEN, -4.0), EVEN, Labels("regression")) is None


def test_blocks_of_a_corpus_are_given_no_class():
    sums = np.tile(
        [0.5, 6.0, 8.0], (40, 1)
    )  # loss, right, counted: of a network that knows the text
    task = get_task("corpus")
    assert one_answer(sums, np.zeros(40), task.labels) is None
    assert judge(task, sums, np.zeros(40), np.full(40, -1))["warnings"] == []


@pytest.mark.parametrize("columns", [1, 2])
def test_a_threshold_beyond_all_scores_is_named_with_them(columns):
    margin = lying(EVEN, -4.0)
    scores = margin if columns == 1 else np.concatenate([3 - margin / 2, 3 + margin / 2], axis=1)
    found = one_answer(scores, EVEN, TWO)
    assert found.code == "answers.one-class-by-threshold"
    for value in ("all 40 rows", "'no'", "50.0%", "-4 to -3", "threshold"):
        assert value in found.message


def test_unbalanced_rows_are_named_where_most_have_that_class():
    labels = (np.arange(40) < 4).astype(int)
    found = one_answer(lying(labels, -4.0), labels, TWO)
    assert found.code == "answers.one-class-unbalanced" and "90.0%" in found.message
    assert "class_weights" in found.hint and "threshold" in found.hint


def test_a_head_that_was_not_trained_is_named_where_scores_hardly_differ():
    labels = np.arange(42) % 3
    scores = np.random.default_rng(0).normal(size=(42, 3)) * 0.01 + [0.0, 1.0, 0.0]
    found = one_answer(scores + np.arange(42)[:, None], labels, THREE)  # a row's mean says nothing
    assert found.code == "answers.one-class-untrained"
    spread = one_answer(scores * 20 + [0.0, 9.0, 0.0], labels, THREE)
    assert spread.code == "answers.one-class"


def test_rows_without_a_label_do_not_count():
    labels = EVEN.astype(float)
    labels[:3] = np.nan
    assert "all 37 rows" in one_answer(lying(EVEN, -4.0), labels, TWO).message


def test_one_set_of_labels_for_all_rows_is_told_with_its_names():
    labels = np.stack([EVEN, 1 - EVEN], axis=1)
    none = one_answer(labels - 3.0, labels, TAGS)
    assert none.code == "answers.one-set" and "0.0%" in none.message
    first = one_answer(labels * [0.5, 0.5] + [1.0, -3.0], labels, TAGS)
    assert first.code == "answers.one-set" and "labels a" in first.message
    assert one_answer(labels - 0.5, labels, TAGS) is None


def test_figures_of_such_a_network_carry_the_finding():
    task = get_task("sst-2")
    (warning,) = judge(task, lying(EVEN, -4.0), EVEN, None, resamples=0)["warnings"]
    found = one_answer(lying(EVEN, -4.0), EVEN, task.labels)
    assert found.message in warning and found.hint in warning
    assert judge(task, lying(EVEN, -0.5), EVEN, None, resamples=0)["warnings"] == []


@pytest.mark.parametrize(
    ("trained_on", "code"),
    [(EVEN, "one-class-by-threshold"), ((np.arange(40) < 4).astype(int), "one-class-unbalanced")],
)
def test_rows_that_it_learnt_from_tell_the_cause_where_they_are_known(trained_on, code):
    labels = (np.arange(40) < 4).astype(int)
    with_some = np.append(trained_on.astype(float), np.nan)
    assert one_answer(lying(labels, -4.0), labels, TWO, with_some).code == f"answers.{code}"
    assert one_answer(lying(EVEN, -4.0), EVEN, TWO, with_some).code == f"answers.{code}"
    unknown = np.full(3, np.nan)
    assert one_answer(lying(labels, -4.0), labels, TWO, unknown).code.endswith("unbalanced")
