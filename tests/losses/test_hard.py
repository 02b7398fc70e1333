"""Losses against plain arithmetic on literal tensors."""

import math

import pytest
import torch

from chatstill.losses import hard_label_count, hard_label_loss


def test_cross_entropy_is_summed():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]])
    expected = 0.0
    for row, label in zip(logits.tolist(), [1, 0], strict=True):
        expected += math.log(sum(math.exp(z) for z in row)) - row[label]
    loss = hard_label_loss(logits, torch.tensor([1, 0]), "cross_entropy")
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_sigmoid_is_summed_binary_cross_entropy():
    logits, labels = [1.5, -0.5, 0.0], [1, 0, 1]
    expected = 0.0
    for z, y in zip(logits, labels, strict=True):
        p = 1 / (1 + math.exp(-z))
        expected -= math.log(p) if y else math.log(1 - p)
    loss = hard_label_loss(torch.tensor(logits)[:, None], torch.tensor(labels), "sigmoid")
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_regression_is_the_sum_of_squares():
    logits, labels = torch.tensor([[1.0], [2.5]]), torch.tensor([0.5, 4.0])
    assert hard_label_loss(logits, labels, "regression").item() == pytest.approx(0.25 + 2.25)


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.full((4096, 2), 0.25, dtype=torch.bfloat16)
    loss = hard_label_loss(logits, torch.zeros(4096, dtype=torch.long), "cross_entropy")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(4096 * math.log(2), rel=1e-5)


def test_unknown_objective():
    with pytest.raises(ValueError, match="hinge"):
        hard_label_loss(torch.zeros(1, 2), torch.zeros(1), "hinge")


def test_several_labels_are_a_sigmoid_each():
    logits, labels = [[1.5, -0.5], [0.0, 2.0]], [[1, 0], [0, 1]]
    expected = 0.0
    for row, wanted in zip(logits, labels, strict=True):
        for z, y in zip(row, wanted, strict=True):
            p = 1 / (1 + math.exp(-z))
            expected -= math.log(p if y else 1 - p)
    labels = torch.tensor(labels, dtype=torch.float32)
    loss = hard_label_loss(torch.tensor(logits), labels, "multi_label")
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert hard_label_count(labels, 2, "multi_label") == 4


@pytest.mark.parametrize(
    ("objective", "labels"),
    [
        ("cross_entropy", torch.tensor([1, -100, 0])),
        ("sigmoid", torch.tensor([1.0, math.nan, 0.0])),
        ("regression", torch.tensor([2.5, math.nan, 1.0])),
        ("multi_label", torch.tensor([[1.0, 0.0], [math.nan, math.nan], [0.0, 1.0]])),
    ],
)
def test_rows_without_a_label_count_for_nothing(objective, labels):
    outputs = 2 if objective in ("cross_entropy", "multi_label") else 1
    logits = torch.tensor([[0.3, -1.0], [5.0, 7.0], [1.0, 0.2]])[:, :outputs].requires_grad_()
    loss = hard_label_loss(logits, labels, objective)
    kept = torch.tensor([0, 2])
    assert loss.item() == pytest.approx(
        hard_label_loss(logits[kept], labels[kept], objective).item()
    )
    loss.backward()
    assert torch.equal(logits.grad[1], torch.zeros(outputs))
    assert logits.grad[0].abs().sum() > 0
    per_row = 2 if objective == "multi_label" else 1
    assert hard_label_count(labels, outputs, objective) == 2 * per_row
    assert hard_label_count(None, outputs, objective) == 0
