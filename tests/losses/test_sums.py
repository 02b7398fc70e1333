"""Sums against slow plain arithmetic where float32 alone loses digits: many numbers, small differences."""

import math

import pytest
import torch

from chatstill import losses
from chatstill.losses.squares import squared_difference
from chatstill.losses.sums import PIECE, sum_of_squares

MANY = 4000 * PIECE + 17  # 16 million


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_squares_of_any_number_of_values(size):
    values = [(number % 7) / 8 - 0.25 for number in range(size)]  # exact in float32
    found = sum_of_squares(torch.tensor(values))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(math.fsum(value * value for value in values), rel=1e-7)


def test_sixteen_million_equal_squares():
    """One running float32 sum is off by much more."""
    value = torch.tensor(1.1)
    expected = MANY * float(value) ** 2
    found = squared_difference(value.expand(MANY), torch.zeros(()).expand(MANY), None)
    assert found.item() == pytest.approx(expected, rel=3e-6)


def test_a_large_value_does_not_hide_small_ones():
    values = torch.full((PIECE * 300,), 0.01)
    values[0] = 1000.0
    expected = 1000.0**2 + (len(values) - 1) * float(values[1]) ** 2
    assert sum_of_squares(values).item() == pytest.approx(expected, rel=1e-7)


def test_squares_do_not_depend_on_the_number_of_threads():
    values = torch.arange(1 << 20).remainder(1013).float().mul(0.37)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(sum_of_squares(values))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


STUDENT = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]
TEACHER = [[0.2, 2.5, -1.0], [1.0, 0.0, 0.5]]


def exact_kl(teacher, student, temperature):
    """temperature² · KL in float64, from the definition."""
    total = []
    for row, own in zip(teacher, student, strict=True):
        aim_sum = math.fsum(math.exp(z / temperature) for z in row)
        own_sum = math.fsum(math.exp(z / temperature) for z in own)
        for z, w in zip(row, own, strict=True):
            log_p = z / temperature - math.log(aim_sum)
            log_q = w / temperature - math.log(own_sum)
            total.append(math.exp(log_p) * (log_p - log_q))
    return temperature**2 * math.fsum(total)


@pytest.mark.parametrize("temperature", [100.0, 1000.0])
def test_kl_at_high_temperatures(temperature):
    """In float32 a seventh of it is lost at 1000."""
    student, teacher = (torch.tensor(rows) for rows in (STUDENT, TEACHER))
    found = losses.soft_label_loss(student, teacher, "cross_entropy", temperature=temperature)
    exact = exact_kl(teacher.double().tolist(), student.double().tolist(), temperature)
    assert found.item() == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("objective", ["sigmoid", "multi_label"])
def test_kl_of_single_labels_at_high_temperatures(objective):
    student, teacher = ([[row[0]] for row in rows] for rows in (STUDENT, TEACHER))
    found = losses.soft_label_loss(
        torch.tensor(student), torch.tensor(teacher), objective, temperature=1000.0
    )
    both = [
        [[0.0, *torch.tensor(row).double().tolist()] for row in rows] for rows in (teacher, student)
    ]
    assert found.item() == pytest.approx(exact_kl(*both, 1000.0), rel=1e-5)


def near(values):
    """Rows, and the same turned by a ten-thousandth."""
    teacher = torch.tensor(values)
    return teacher, teacher + torch.tensor([1.0, -1.0, 1.0, -1.0]) * 1e-4


def exact_cosine_distance(one, other):
    one, other = (side.double().tolist() for side in (one, other))
    total = []
    for a, b in zip(one, other, strict=True):
        dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
        lengths = [math.sqrt(math.fsum(x * x for x in side)) for side in (a, b)]
        total.append(1.0 - dot / (lengths[0] * lengths[1]))
    return math.fsum(total)


VECTORS = [[1.0, 2.0, 3.0, 4.0], [-1.0, 0.5, 2.0, 0.25], [3.0, 3.0, -3.0, 1.0]]


def test_cosines_close_to_one():
    """1 - cos is a few billionths: float32 has no digits there."""
    teacher, student = near(VECTORS)
    exact = exact_cosine_distance(student, teacher)
    assert exact < 1e-8
    mask = torch.ones(1, 3)
    found = {
        "vectors": losses.cosine_distance(student, teacher),
        "states": losses.hidden_cosine(student[None], teacher[None], mask),
        "states without a mask": losses.hidden_cosine(student[None], teacher[None], None),
    }
    for what, value in found.items():
        assert value.item() == pytest.approx(exact, rel=1e-2), what
    scores = [side[:, :3][None, None] for side in (student, teacher)]
    exact = exact_cosine_distance(student[:, :3], teacher[:, :3])
    assert losses.attention_cosine(*scores, mask).item() == pytest.approx(exact, rel=1e-2)


def test_a_vector_of_zeros_is_at_distance_one():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert losses.hidden.cosine_distances(rows, rows.flip(0)).tolist() == [1.0, 1.0]
    assert losses.hidden.cosine_distances(rows, rows).tolist() == [1.0, 0.0]


def test_the_gradient_of_a_cosine_is_autograds_own():
    teacher, student = torch.tensor(VECTORS), torch.tensor(VECTORS).flip(0)
    gradients = []
    for function in (
        lambda left, right: (1 - torch.cosine_similarity(left, right, dim=-1)).sum(),
        losses.cosine_distance,
    ):
        sides = [side.clone().requires_grad_() for side in (student, teacher)]
        gradients.append(torch.autograd.grad(function(*sides), sides))
    for plain, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


def test_patience_between_states_that_are_almost_equal():
    teacher, student = near(VECTORS)
    exact = []
    for a, b in zip(student.double().tolist(), teacher.double().tolist(), strict=True):
        one, other = (
            [x / math.sqrt(math.fsum(y * y for y in side)) for x in side] for side in (a, b)
        )
        exact += [(x - y) ** 2 for x, y in zip(one, other, strict=True)]
    assert losses.patience_loss(student, teacher).item() == pytest.approx(
        math.fsum(exact), rel=1e-5
    )


def test_hard_labels_of_rows_that_are_sure():
    """log(1 + e^-20): one minus a softmax in float32 is 0 there."""
    logits = torch.tensor([[20.0, 0.0], [0.0, 18.5]])
    exact = math.fsum(math.log1p(math.exp(-gap)) for gap in (20.0, 18.5))
    found = losses.hard_label_loss(logits, torch.tensor([0, 1]), "cross_entropy")
    assert found.dtype == torch.float32 and found.item() == pytest.approx(exact, rel=1e-6)
