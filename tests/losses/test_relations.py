"""KL of attention probabilities and relations: against loops over lists, and whatever padding holds."""

import math

import pytest
import torch

from chatstill import losses
from chatstill.losses import relations
from tests.draws import reseeded

LENGTHS, HEADS, LONGEST = (6, 4, 1), 3, 6


def made(size, seed, fill=0.0, dtype=torch.float64):
    """(B, H, L, size), anything at padding."""
    generator = torch.Generator().manual_seed(reseeded(seed))
    states = torch.randn(3, HEADS, LONGEST, size, generator=generator, dtype=dtype)
    for row, length in enumerate(LENGTHS):
        states[row, :, length:] = fill
    return states


def mask():
    return (torch.arange(LONGEST) < torch.tensor(LENGTHS)[:, None]).long()


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def by_hand(student, teacher, causal=False):
    """Sum over texts, heads and valid queries of Σ p (log p - log q) over the keys it meets."""
    total = 0.0
    for row, length in enumerate(LENGTHS):
        for head in range(student[0].shape[1]):
            for query in range(length):
                met = range(query + 1 if causal else length)
                p, q = (
                    softmax(
                        [by * float(left[row, head, query] @ right[row, head, key]) for key in met]
                    )
                    for left, right, by in (teacher, student)
                )
                total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("fill", [0.0, 1e4, float("nan")])
def test_value_and_whatever_padding_holds(causal, fill):
    student = (made(4, 0), made(4, 1), 0.5)
    teacher = (made(5, 2), made(5, 3), 0.4)
    expected = by_hand(student, teacher, causal)
    filled = [
        (made(size, seed, fill), made(size, seed + 1, fill), by)
        for size, seed, by in ((4, 0, 0.5), (5, 2, 0.4))
    ]
    query = filled[0][0].requires_grad_()
    found = losses.products_kl((query, *filled[0][1:]), filled[1], mask(), causal=causal)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert query.grad.isfinite().all() and query.grad.any()
    assert not query.grad[~mask().bool()[:, None, :].expand(-1, HEADS, -1)].any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("at_once", [1, 10_000])
def test_gradients_are_those_of_the_plain_form(monkeypatch, causal, at_once):
    monkeypatch.setattr(relations, "NUMBERS", at_once)
    query, key = (made(4, seed).requires_grad_() for seed in (0, 1))
    teacher = (made(5, 2), made(5, 3), 0.4)
    seen = mask().bool()[:, None, None, :].expand(-1, HEADS, LONGEST, -1)
    if causal:
        seen = seen & torch.ones(LONGEST, LONGEST, dtype=torch.bool).tril()
    rows = mask().bool()[:, None, :]
    logs = [
        (by * q @ k.transpose(-1, -2)).masked_fill(~seen, -1e9).log_softmax(-1)
        for q, k, by in ((query, key, 0.5), teacher)
    ]
    each = (logs[1].exp() * (logs[1] - logs[0])).masked_fill(~seen, 0).sum(-1)
    plain = each.masked_fill(~rows, 0).sum()
    wanted = torch.autograd.grad(3 * plain, [query, key])
    value = losses.products_kl((query, key, 0.5), teacher, mask(), causal=causal)
    found = torch.autograd.grad(3 * value, [query, key])
    assert value.item() == pytest.approx(plain.item(), rel=1e-5)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_padded_queries_count_where_they_are_asked_for():
    """PaddleNLP's form: keys are masked, rows are not."""
    student, teacher = (made(4, 0, 1.5), made(4, 1), 0.5), (made(5, 2, 0.5), made(5, 3), 0.4)
    seen = mask().bool()[:, None, None, :]
    logs = [
        (by * q @ k.transpose(-1, -2)).masked_fill(~seen, -1e9).log_softmax(-1)
        for q, k, by in (student, teacher)
    ]
    each = (logs[1].exp() * (logs[1] - logs[0])).masked_fill(~seen, 0).sum()
    found = losses.products_kl(student, teacher, mask(), positions="all")
    assert found.item() == pytest.approx(each.item(), rel=1e-5)
    assert found > 1.01 * losses.products_kl(student, teacher, mask())


def test_a_relation_with_itself_gets_the_gradient_of_both_sides():
    values = made(4, 0).requires_grad_()
    teacher = made(4, 2)
    value = losses.products_kl((values, values, 0.5), (teacher, teacher, 0.5), mask())
    (found,) = torch.autograd.grad(value, values)
    step = 1e-3 * found
    with torch.no_grad():
        ends = [
            losses.products_kl((v, v, 0.5), (teacher, teacher, 0.5), mask()).item()
            for v in (values + step, values - step)
        ]
    assert ends[0] - ends[1] == pytest.approx(2 * (found * step).sum().item(), rel=1e-2)


def test_it_is_of_the_teacher_to_the_student_and_0_between_equals():
    one, other = made(4, 0), made(4, 2)
    there = losses.products_kl((one, one, 1.0), (other, other, 1.0), mask()).item()
    back = losses.products_kl((other, other, 1.0), (one, one, 1.0), mask()).item()
    assert there > 0 and abs(there - back) > 0.01 * there
    assert losses.products_kl((one, one, 1.0), (one, one, 1.0), mask()).item() == 0


def test_heads_are_put_together_and_parted_anew():
    states = made(4, 0)  # (3, 3, 6, 4)
    parted = losses.in_heads(states, 2)
    assert parted.shape == (3, 2, LONGEST, 6)
    together = [states[0, head, 1, place].item() for head in range(3) for place in range(4)]
    assert parted[0, :, 1].flatten().tolist() == together
    assert torch.equal(losses.in_heads(states, HEADS), states)


def test_half_precision_is_computed_in_float32():
    one, other = made(4, 0, dtype=torch.float32), made(4, 2, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = losses.products_kl((one, one, 1.0), (other, other, 1.0), mask())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(by_hand((one, one, 1.0), (other, other, 1.0)), rel=1e-4)
