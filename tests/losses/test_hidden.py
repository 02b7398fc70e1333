"""Losses between hidden states against plain arithmetic; what stands at padding must not matter."""

import math

import pytest
import torch

from chatstill.losses import (
    cosine_distance,
    hidden_cosine,
    hidden_count,
    hidden_mse,
    patience_count,
    patience_loss,
)

STUDENT = [[[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]], [[0.0, 1.0], [2.0, 2.0], [1.0, 1.0]]]
TEACHER = [[[0.0, 1.0], [1.5, 1.0], [2.0, 2.0]], [[1.0, 1.0], [0.0, 3.0], [0.5, 0.0]]]
MASK = [[1, 1, 0], [1, 1, 1]]


def tensors():
    return torch.tensor(STUDENT), torch.tensor(TEACHER), torch.tensor(MASK)


def valid_pairs():
    for student, teacher, mask in zip(STUDENT, TEACHER, MASK, strict=True):
        for s, t, inside in zip(student, teacher, mask, strict=True):
            if inside:
                yield s, t


def cosine(s, t):
    product = sum(a * b for a, b in zip(s, t, strict=True))
    return product / math.sqrt(sum(a * a for a in s) * sum(b * b for b in t))


def test_squared_difference_over_valid_tokens():
    expected = sum((a - b) ** 2 for s, t in valid_pairs() for a, b in zip(s, t, strict=True))
    student, teacher, mask = tensors()
    assert hidden_mse(student, teacher, mask).item() == pytest.approx(expected)
    assert hidden_count(mask, 2) == 5 * 2
    unmasked = hidden_mse(student, teacher, None).item()
    assert unmasked == pytest.approx(expected + 1 + 4), "the padded token too"
    assert hidden_count(mask, 2, positions="all") == 6 * 2


def test_the_unmasked_mean_is_another_number():
    """The planted fault: a plain mean over everything is seen by the arithmetic above."""
    student, teacher, mask = tensors()
    right = hidden_mse(student, teacher, mask).item() / hidden_count(mask, 2)
    assert torch.nn.functional.mse_loss(student, teacher).item() != pytest.approx(right, rel=1e-2)


def test_one_minus_cosine_over_valid_tokens():
    expected = sum(1 - cosine(s, t) for s, t in valid_pairs())
    student, teacher, mask = tensors()
    assert hidden_cosine(student, teacher, mask).item() == pytest.approx(expected, rel=1e-5)
    assert hidden_count(mask) == 5
    every = expected + 1 - cosine(STUDENT[0][2], TEACHER[0][2])
    assert hidden_cosine(student, teacher, None).item() == pytest.approx(every, rel=1e-5)
    assert cosine_distance(student, teacher).item() == pytest.approx(every, rel=1e-5)


@pytest.mark.parametrize("loss", [hidden_mse, hidden_cosine])
@pytest.mark.parametrize("garbage", [1e30, math.inf, math.nan])
def test_padding_never_enters_the_arithmetic(loss, garbage):
    student, teacher, mask = tensors()
    before = loss(student, teacher, mask)
    student[0, 2], teacher[0, 2] = garbage, -garbage
    student.requires_grad_()
    after = loss(student, teacher, mask)
    assert torch.equal(before, after.detach())
    after.backward()
    assert torch.isfinite(student.grad).all()
    assert torch.equal(student.grad[0, 2], torch.zeros(2))


@pytest.mark.parametrize("loss", [hidden_mse, hidden_cosine])
def test_more_padding_leaves_loss_and_count(loss):
    student, teacher, mask = tensors()
    longer = [torch.nn.functional.pad(x, (0, 0, 0, 4), value=9.0) for x in (student, teacher)]
    wider = torch.nn.functional.pad(mask, (0, 4))
    assert loss(*longer, wider).item() == pytest.approx(loss(student, teacher, mask).item())
    assert hidden_count(wider, 2) == hidden_count(mask, 2)


def test_patience_is_the_squared_distance_of_unit_vectors():
    student, teacher = (
        torch.tensor([[3.0, 4.0], [1.0, 0.0]]),
        torch.tensor([[0.0, 2.0], [5.0, 0.0]]),
    )
    assert patience_loss(student, teacher).item() == pytest.approx(0.6**2 + 0.2**2)
    plain = patience_loss(student, teacher, normalize=False).item()
    assert plain == pytest.approx(9 + 4 + 16)


def test_the_forms_of_patience():
    """The paper sums over layers and width; the public code's mean is 1 / (layers x width) of it."""
    assert patience_count(4, layers=5, width=8) == 4
    assert patience_count(4, layers=5, width=8, reduction="mean") == 4 * 5 * 8
