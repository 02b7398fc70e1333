"""Losses between raw attention scores against plain arithmetic."""

import math

import pytest
import torch

from chatstill.losses import (
    attention_cosine,
    attention_count,
    attention_kl,
    attention_mse,
    attention_mse_of,
    raw_scores,
)
from tests.draws import reseeded

# (B = 2, H = 1, L = 3, L): rows are queries.
STUDENT = torch.tensor(
    [
        [[[1.0, 2.0, 7.0], [0.5, -1.0, 8.0], [9.0, 9.0, 9.0]]],
        [[[0.0, 1.0, 2.0], [3.0, -150.0, 1.0], [2.0, 0.5, 1.0]]],
    ]
)
TEACHER = torch.tensor(
    [
        [[[0.0, 1.0, -7.0], [1.5, 2.0, -8.0], [4.0, -4.0, 5.0]]],
        [[[1.0, 1.0, 0.0], [2.0, -160.0, 3.0], [1.0, -0.5, 4.0]]],
    ]
)
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


def valid_scores():
    for b, length in enumerate((2, 3)):
        for q in range(length):
            for k in range(length):
                yield STUDENT[b, 0, q, k].item(), TEACHER[b, 0, q, k].item()


def test_scores_are_scaled_products_of_queries_and_keys():
    query, key = (
        torch.tensor([[[[1.0, 2.0], [0.0, 1.0]]]]),
        torch.tensor([[[[3.0, 0.5], [1.0, 1.0]]]]),
    )
    expected = torch.tensor([[[[4.0, 3.0], [0.5, 1.0]]]]) * 0.25
    assert torch.equal(raw_scores(query, key, 0.25), expected)


def test_squared_difference_over_valid_queries_and_keys():
    expected = sum((s - t) ** 2 for s, t in valid_scores())
    assert attention_mse(STUDENT, TEACHER, MASK).item() == pytest.approx(expected)
    assert attention_count(MASK, heads=1) == 4 + 9
    assert attention_count(MASK, heads=3) == 3 * (4 + 9)


def test_the_form_of_tinyberts_code():
    """Padded queries count, padded keys are 0 = 0, scores up to -100 are 0, the mean is over L x L."""
    expected = 0.0
    for b, keys in enumerate((2, 3)):
        for q in range(3):
            for k in range(keys):
                s, t = STUDENT[b, 0, q, k].item(), TEACHER[b, 0, q, k].item()
                expected += ((s if s > -100 else 0) - (t if t > -100 else 0)) ** 2
    loss = attention_mse(STUDENT, TEACHER, MASK, positions="all", zero_below=-100.0)
    assert loss.item() == pytest.approx(expected)
    assert attention_count(MASK, heads=1, positions="all") == 2 * 3 * 3


def test_in_decoders_no_key_behind_the_query_counts():
    pairs = [
        (STUDENT[b, 0, q, k].item(), TEACHER[b, 0, q, k].item())
        for b, length in enumerate((2, 3))
        for q in range(length)
        for k in range(q + 1)
    ]
    loss = attention_mse(STUDENT, TEACHER, MASK, causal=True)
    assert loss.item() == pytest.approx(sum((s - t) ** 2 for s, t in pairs))
    assert attention_count(MASK, heads=1, causal=True) == len(pairs) == 3 + 6
    other = TEACHER.clone()
    other[:, :, 0, 1:] = math.inf
    assert torch.equal(loss, attention_mse(STUDENT, other, MASK, causal=True))
    both = [attention_cosine(STUDENT, scores, MASK, causal=True) for scores in (TEACHER, other)]
    assert torch.equal(*both) and torch.isfinite(both[0])
    assert attention_count(MASK, heads=1, per="row", causal=True) == 5


def test_one_minus_cosine_of_a_row_of_scores():
    expected = 0.0
    for b, length in enumerate((2, 3)):
        for q in range(length):
            s = STUDENT[b, 0, q, :length].tolist()
            t = TEACHER[b, 0, q, :length].tolist()
            product = sum(x * y for x, y in zip(s, t, strict=True))
            expected += 1 - product / math.sqrt(sum(x * x for x in s) * sum(y * y for y in t))
    assert attention_cosine(STUDENT, TEACHER, MASK).item() == pytest.approx(expected, rel=1e-5)
    assert attention_count(MASK, heads=1, per="row") == 5


@pytest.mark.parametrize("loss", [attention_mse, attention_cosine])
@pytest.mark.parametrize("garbage", [1e30, math.inf, math.nan])
def test_padding_never_enters_the_arithmetic(loss, garbage):
    before = loss(STUDENT, TEACHER, MASK)
    student, teacher = STUDENT.clone(), TEACHER.clone()
    for scores, value in ((student, garbage), (teacher, -garbage)):
        scores[0, :, 2, :] = value
        scores[0, :, :, 2] = value
    student.requires_grad_()
    after = loss(student, teacher, MASK)
    assert torch.equal(before, after.detach())
    after.backward()
    assert torch.isfinite(student.grad).all()
    assert student.grad[0, :, 2].abs().sum() + student.grad[0, :, :, 2].abs().sum() == 0


@pytest.mark.parametrize("loss", [attention_mse, attention_cosine])
def test_more_padding_leaves_loss_and_count(loss):
    pad = torch.nn.functional.pad
    longer = [pad(scores, (0, 2, 0, 2), value=5.0) for scores in (STUDENT, TEACHER)]
    mask = pad(MASK, (0, 2))
    assert loss(*longer, mask).item() == pytest.approx(loss(STUDENT, TEACHER, MASK).item())
    assert attention_count(mask, 1) == attention_count(MASK, 1)


def test_divergence_of_attention_from_the_teachers_over_valid_keys():
    """Rows of the first text meet 2 keys; all rows given count, whatever the mask says of keys."""
    expected = 0.0
    for b, length in enumerate((2, 3)):
        for row in range(3):
            scores = (side[b, 0, row, :length].tolist() for side in (TEACHER, STUDENT))
            p, q = ([math.exp(s) for s in side] for side in scores)
            p, q = ([w / sum(side) for w in side] for side in (p, q))
            expected += sum(a * math.log(a / c) for a, c in zip(p, q, strict=True) if a)
    found = attention_kl(STUDENT, TEACHER, MASK)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    layers = attention_kl(
        STUDENT.expand(4, -1, -1, -1, -1), TEACHER.expand(4, -1, -1, -1, -1), MASK
    )
    assert float(layers) == pytest.approx(4 * expected, rel=1e-5)
    assert float(attention_kl(TEACHER, TEACHER, MASK)) == 0


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e30])
def test_keys_of_padding_never_enter_the_divergence(garbage):
    sides = STUDENT.clone(), TEACHER.clone()
    for side in sides:
        side[0, :, :, 2] = garbage
    student = sides[0].requires_grad_()
    loss = attention_kl(student, sides[1], MASK)
    torch.testing.assert_close(loss, attention_kl(STUDENT, TEACHER, MASK))
    loss.backward()
    assert torch.isfinite(student.grad).all() and not student.grad[0, :, :, 2].any()
    longer = (torch.nn.functional.pad(side, (0, 4), value=garbage) for side in sides)
    more = attention_kl(*longer, torch.nn.functional.pad(MASK, (0, 4)))
    torch.testing.assert_close(more, loss)


def test_an_unmasked_mean_is_another_number():
    right = attention_mse(STUDENT, TEACHER, MASK).item() / attention_count(MASK, 1)
    fault = torch.nn.functional.mse_loss(STUDENT, TEACHER).item()
    assert fault != pytest.approx(right, rel=1e-2)


def test_huge_scores_of_half_precision_do_not_overflow():
    student = STUDENT.to(torch.float16)
    student[0, :, :, 2] = -65504.0
    assert torch.isfinite(attention_mse(student, TEACHER.half(), MASK))


def plain_and_direct(causal, kind=torch.float32, autocast=False):
    """(loss, gradients of the student's queries and keys) by autograd over held scores, and directly."""
    generator = torch.Generator().manual_seed(reseeded(0))
    shapes = [(2, 3, 5, 4)] * 2 + [(2, 3, 5, 6)] * 2  # heads of another size than the teacher's
    tensors = [torch.randn(shape, generator=generator).to(kind) for shape in shapes]
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])  # padded on either side
    for direct in (False, True):
        query, key = (side.clone().requires_grad_() for side in tensors[:2])
        student, teacher = (query, key, 0.3), (*tensors[2:], 0.7)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            if direct:
                loss = attention_mse_of(student, teacher, mask, causal=causal)
            else:
                scores = [(q.float() @ k.float().mT) * s for q, k, s in (student, teacher)]
                loss = attention_mse(*scores, mask, causal=causal)
        (loss * 1.5).backward()
        yield loss.detach(), query.grad, key.grad


@pytest.mark.parametrize("causal", [False, True])
def test_directly_from_queries_and_keys_it_is_the_same(causal):
    for plain, direct in zip(*plain_and_direct(causal), strict=True):
        assert plain.abs().sum() > 0
        torch.testing.assert_close(direct, plain)


def test_directly_from_half_precision_it_is_exact():
    (plain, *_), (direct, query, key) = plain_and_direct(False, torch.bfloat16)
    torch.testing.assert_close(direct, plain)
    assert query.dtype == key.dtype == torch.bfloat16


def test_autocast_does_not_round_the_direct_scores():
    (plain, *_), _ = plain_and_direct(False)
    _, (direct, *_) = plain_and_direct(False, autocast=True)
    torch.testing.assert_close(direct, plain)


def test_the_teacher_gets_no_gradient():
    sides = [torch.randn(1, 1, 3, 2, requires_grad=True) for _ in range(4)]
    mask = torch.ones(1, 3)
    attention_mse_of((*sides[:2], 1.0), (*sides[2:], 1.0), mask).backward()
    assert sides[0].grad is not None and sides[2].grad is None and sides[3].grad is None


def test_scores_are_float32_whatever_training_computes_in():
    torch.manual_seed(reseeded(0))
    query, key = torch.randn(2, 1, 1, 4, 8).mul(300).unbind()
    with torch.autocast("cpu", torch.bfloat16):
        found = raw_scores(query.bfloat16(), key.bfloat16(), 0.125)
    assert found.dtype == torch.float32
    exact = query.bfloat16().double() @ key.bfloat16().double().mT * 0.125
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-2)
