"""Losses between logits against plain arithmetic on literal tensors, and faults that it shows."""

import math

import pytest
import torch
from torch.nn import functional as F

from chatstill.losses import logits_mse, soft_label_count, soft_label_loss

STUDENT = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]
TEACHER = [[0.2, 2.5, -1.0], [1.0, 0.0, 0.5]]


def softmax(row, temperature=1.0):
    powers = [math.exp(z / temperature) for z in row]
    return [power / sum(powers) for power in powers]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def kl(teacher, student):
    return sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True))


def slow_kl(temperature):
    rows = zip(TEACHER, STUDENT, strict=True)
    return temperature**2 * sum(
        kl(softmax(t, temperature), softmax(s, temperature)) for t, s in rows
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_soft_labels_are_temperature_squared_times_forward_kl(temperature):
    loss = soft_label_loss(
        torch.tensor(STUDENT), torch.tensor(TEACHER), "cross_entropy", temperature=temperature
    )
    assert loss.item() == pytest.approx(slow_kl(temperature), rel=1e-4)


def test_the_faults_that_this_arithmetic_shows():
    """Arguments swapped, temperature² left out, mean over classes: none of them passes above."""
    student, teacher, right = torch.tensor(STUDENT), torch.tensor(TEACHER), slow_kl(4.0)
    own, aim = F.log_softmax(student / 4, -1), F.log_softmax(teacher / 4, -1)
    faults = {
        "swapped": 16 * F.kl_div(aim, own.exp(), reduction="sum"),
        "no temperature²": F.kl_div(own, aim.exp(), reduction="sum"),
        "mean": 16 * F.kl_div(own, aim.exp(), reduction="none").mean(),
        "softmax as input": 16 * F.kl_div(own.exp(), aim.exp(), reduction="sum"),
    }
    assert float(16 * F.kl_div(own, aim.exp(), reduction="sum")) == pytest.approx(right, rel=1e-4)
    for fault, value in faults.items():
        assert float(value) != pytest.approx(right, rel=1e-2), fault


def test_soft_cross_entropy_of_tinybert_and_textbrewer():
    expected = 0.0
    for t, s in zip(TEACHER, STUDENT, strict=True):
        expected -= sum(
            p * math.log(q) for p, q in zip(softmax(t, 2.0), softmax(s, 2.0), strict=True)
        )
    loss = soft_label_loss(
        torch.tensor(STUDENT),
        torch.tensor(TEACHER),
        "cross_entropy",
        temperature=2.0,
        kind="cross_entropy",
        temperature_squared=False,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_gradients_of_kl_and_cross_entropy_are_equal():
    gradients = []
    for kind in ("kl", "cross_entropy"):
        student = torch.tensor(STUDENT, requires_grad=True)
        soft_label_loss(student, torch.tensor(TEACHER), "cross_entropy", kind=kind).backward()
        gradients.append(student.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("objective", ["sigmoid", "multi_label"])
def test_every_label_is_a_bernoulli_of_its_own(objective):
    temperature, expected = 3.0, 0.0
    columns = slice(0, 1) if objective == "sigmoid" else slice(0, 3)
    for t, s in zip(TEACHER, STUDENT, strict=True):
        for zt, zs in zip(t[columns], s[columns], strict=True):
            p, q = sigmoid(zt / temperature), sigmoid(zs / temperature)
            expected += kl((p, 1 - p), (q, 1 - q))
    loss = soft_label_loss(
        torch.tensor(STUDENT)[:, columns],
        torch.tensor(TEACHER)[:, columns],
        objective,
        temperature=temperature,
    )
    assert loss.item() == pytest.approx(temperature**2 * expected, rel=1e-4)


def test_regression_is_the_squared_error_without_temperature():
    student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.5], [5.0]])
    for temperature in (1.0, 7.0):
        loss = soft_label_loss(student, teacher, "regression", temperature=temperature)
        assert loss.item() == pytest.approx(0.25 + 4.0)


def test_logits_mse():
    expected = 0.0
    for own, aim in zip(STUDENT, TEACHER, strict=True):
        expected += sum((s - t) ** 2 for s, t in zip(own, aim, strict=True))
    student, teacher = torch.tensor(STUDENT), torch.tensor(TEACHER)
    assert logits_mse(student, teacher).item() == pytest.approx(expected, rel=1e-6)
    assert logits_mse(student, teacher, temperature=2.0).item() == pytest.approx(expected / 4)


def test_equal_logits_cost_nothing():
    logits = torch.tensor(STUDENT)
    for objective in ("cross_entropy", "multi_label", "regression"):
        assert soft_label_loss(logits, logits, objective).item() == pytest.approx(0.0, abs=1e-6)
    assert logits_mse(logits, logits).item() == 0


def test_what_soft_labels_are_divided_by():
    assert soft_label_count(8, 3, "cross_entropy", reduction="batchmean") == 8
    assert soft_label_count(8, 3, "cross_entropy", reduction="mean") == 24
    assert soft_label_count(8, 3, "multi_label", reduction="batchmean") == 24
    assert soft_label_count(8, 1, "regression", reduction="batchmean") == 8


def test_half_precision_is_computed_in_float32():
    student, teacher = (torch.tensor(rows, dtype=torch.bfloat16) for rows in (STUDENT, TEACHER))
    loss = soft_label_loss(student, teacher, "cross_entropy", temperature=4.0)
    assert loss.dtype == torch.float32
    exact = soft_label_loss(student.float(), teacher.float(), "cross_entropy", temperature=4.0)
    assert torch.equal(loss, exact)


def test_logits_far_apart_stay_finite():
    student = torch.tensor([[300.0, -300.0]], requires_grad=True)
    for objective in ("cross_entropy", "multi_label"):
        loss = soft_label_loss(student, torch.tensor([[-300.0, 300.0]]), objective)
        loss.backward()
        assert math.isfinite(loss.item()) and torch.isfinite(student.grad).all()


def test_unknown_objective():
    with pytest.raises(ValueError, match="hinge"):
        soft_label_loss(torch.zeros(1, 2), torch.zeros(1, 2), "hinge")
