"""Losses against plain arithmetic on literal tensors."""

import math

import pytest
import torch

from chatstill.losses import hard_label_loss


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
