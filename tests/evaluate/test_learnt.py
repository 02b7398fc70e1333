"""A training loss that stays where one answer for all rows has it is told."""

import numpy as np
import pytest
import torch

from chatstill.data.class_weights import class_weights
from chatstill.evaluate.learnt import learnt_nothing, loss_without_knowledge
from chatstill.losses import hard_label_loss
from chatstill.tasks import get_task


def best_constant(labels, objective, outputs, weights=None):
    """The loss of the best single answer for all rows, found by descent on the training loss itself."""
    answer = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([answer], max_iter=200, line_search_fn="strong_wolfe")
    gold = torch.tensor(labels)
    known = ~gold.isnan().reshape(len(gold), -1).any(1)
    rows = gold[known]
    each = None if weights is None else torch.tensor(weights)[rows.long()]
    divided = len(rows) * (outputs if objective == "multi_label" else 1)

    def loss():
        search.zero_grad()
        logits = answer.expand(len(rows), outputs)
        value = hard_label_loss(logits, rows, objective, each) / divided
        value.backward()
        return value

    search.step(loss)
    return float(loss().detach())


CLASSES = np.array([0, 1, 1, 2, 1, 1, 1, np.nan, 0, 1])
NUMBERS = np.array([0.5, 4.0, 2.5, np.nan, 1.0, 5.0])
SEVERAL = np.array([[0, 1, 1], [0, 1, 0], [1, 1, 0], [0, 1, 0], [np.nan] * 3], dtype=np.float64)


@pytest.mark.parametrize(
    ("labels", "kind", "objective", "outputs"),
    [
        (CLASSES, "classification", "cross_entropy", 3),
        (CLASSES % 2, "classification", "sigmoid", 1),
        (NUMBERS, "regression", "regression", 1),
        (SEVERAL, "multi_label", "multi_label", 3),
    ],
)
def test_it_is_the_training_loss_of_the_best_single_answer(labels, kind, objective, outputs):
    expected = best_constant(labels, objective, outputs)
    assert loss_without_knowledge(labels, kind) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("wanted", ["balanced", [1.0, 5.0]])
def test_classes_count_as_they_do_in_the_loss(wanted):
    labels = np.array([0.0] * 9 + [1.0])
    weights = class_weights(wanted, get_task("sst-2").labels, labels)
    expected = best_constant(labels, "cross_entropy", 2, weights)
    assert loss_without_knowledge(labels, "classification", weights) == pytest.approx(
        expected, abs=1e-4
    )
    if wanted == "balanced":
        assert expected == pytest.approx(np.log(2), abs=1e-4)


def test_rows_without_any_label_have_no_such_loss():
    assert loss_without_knowledge(np.full(5, np.nan), "classification") is None
    assert loss_without_knowledge(np.zeros(5), "none") is None


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ([0.72, 0.70, 0.694, 0.693, 0.692, 0.694], True),
        ([5.0, 0.9, 0.70, 0.71], True),  # above: it moved about and learnt nothing
        ([0.69, 0.69, 0.66, 0.66], False),
        ([0.9, 0.7, 0.4, 0.2], False),
        ([0.7, 0.7, 0.7], False),  # too few to say
    ],
)
def test_the_second_half_of_the_losses_decides(losses, told):
    found = learnt_nothing(losses, np.log(2), 3e-4)
    assert (found is not None) == told
    if told:
        assert "0.693" in found and "0.0003" in found


def test_rows_that_all_have_one_label_are_not_judged():
    without = loss_without_knowledge(np.ones(8), "classification")
    assert without == 0 and learnt_nothing([0.1, 0.01, 0.001, 0.0], without, 1e-4) is None
