"""Dropout masks: the right share, no pattern, the generator's alone, and torch's own again afterwards.
The softmax: torch's bits.
"""

import contextlib
import math
import warnings

import pytest
import torch
from torch.nn import functional as F

from chatstill.methods.base import Context
from chatstill.train.kernels import SHORT, draw_mask, quick_attention, quick_kernels, safe_softmax
from chatstill.train.precision import autocast
from chatstill.train.stage import StageModule
from tests.draws import reseeded

from .conftest import ToySteps, build_method

NUM = 400_000


def within_noise(share: float, p: float, num: int) -> bool:
    """Five standard deviations of a binomial share."""
    return abs(share - p) < 5 * math.sqrt(p * (1 - p) / num)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.bool])
def test_ones_have_the_probability_asked_for_at_every_place_of_a_word(p, kind):
    torch.manual_seed(reseeded(1))
    mask = draw_mask(torch.empty(NUM, dtype=kind), p).float()
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    for place in range(4):
        assert within_noise(mask[place::4].mean().item(), p, NUM // 4)


def test_neighbours_are_independent():
    torch.manual_seed(reseeded(1))
    mask = draw_mask(torch.empty(NUM), 0.5)
    for distance in (1, 2, 3, 4, 8):
        both = (mask[:-distance] * mask[distance:]).mean().item()
        assert within_noise(both, 0.25, NUM - distance)


@pytest.mark.parametrize(("p", "value"), [(0.0, 0.0), (1.0, 1.0)])
def test_never_and_always(p, value):
    assert (draw_mask(torch.empty(70_000), p) == value).all()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5)])
def test_any_shape(shape):
    assert draw_mask(torch.full(shape, 7.0), 1.0).eq(1).all()


def test_a_tensor_with_gaps_is_filled_alone():
    whole = torch.full((6, 4), 7.0)
    draw_mask(whole[:, ::2], 1.0)
    assert (whole[:, ::2] == 1).all() and (whole[:, 1::2] == 7).all()


def modules():
    layer = torch.nn.Dropout(0.1)
    query = torch.randn(2, 4, 16, 8)
    return {
        "module": lambda: layer(torch.ones(64, 64)),
        "function": lambda: F.dropout(torch.ones(64, 64), 0.1),
        "in place": lambda: F.dropout(torch.ones(64, 64), 0.1, inplace=True),
        "attention": lambda: F.scaled_dot_product_attention(query, query, query, dropout_p=0.1),
    }


@pytest.mark.parametrize("name", modules())
def test_every_dropout_inside_the_block_draws_so_and_none_after_it(name):
    run = modules()[name]

    def drawn():
        torch.manual_seed(reseeded(3))
        return run()

    torch.manual_seed(reseeded(0))
    before = drawn()
    with quick_kernels():
        inside, again = drawn(), drawn()
    assert torch.equal(inside, again), "the same generator, the same mask"
    assert not torch.equal(inside, before)
    assert torch.equal(drawn(), before)


def test_values_kept_are_scaled_and_gradients_follow_the_mask():
    torch.manual_seed(reseeded(0))
    given = torch.ones(100, 100, requires_grad=True)
    with quick_kernels():
        found = F.dropout(given, 0.1)
        found.sum().backward()
    assert found.unique().tolist() == pytest.approx([0.0, 1 / 0.9])
    assert torch.equal(given.grad, found.detach())


def test_a_generator_of_its_own_is_used():
    def drawn():
        return torch.empty(100).bernoulli_(
            0.5, generator=torch.Generator().manual_seed(reseeded(5))
        )

    with quick_kernels():
        one = drawn()
        torch.manual_seed(reseeded(9))
        assert torch.equal(one, drawn())


def test_no_warning_and_back_after_an_error():
    torch.manual_seed(reseeded(0))
    before = torch.empty(50).bernoulli_(0.5)
    with warnings.catch_warnings(), pytest.raises(KeyError):
        warnings.simplefilter("error")
        with quick_kernels():
            raise KeyError
    torch.manual_seed(reseeded(0))
    assert torch.equal(torch.empty(50).bernoulli_(0.5), before)


def scores(hidden):
    """(2, 2, 4, 5) attention scores; of some queries no key is left, or not the first."""
    torch.manual_seed(reseeded(3))
    made = torch.randn(2, 2, 4, 5)
    if hidden:
        made[0, :, 1] = -math.inf
        made[1, :, :, 0] = -math.inf
    return made


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("dim", [-1, 2])
def test_the_softmax_and_its_gradient_are_torchs_bit_for_bit(hidden, dim):
    results = []
    for quick in (False, True):
        values = scores(hidden).requires_grad_()
        with quick_kernels() if quick else contextlib.nullcontext():
            out = torch._safe_softmax(values, dim)
            out.square().sum().backward()
        results.append((out.detach(), values.grad))
    for plain, ours in zip(*results, strict=True):
        assert torch.equal(plain, ours)
    assert not results[1][0].isnan().any()


def test_a_score_that_is_no_number_stays_one():
    values = scores(hidden=True)
    values[0, 0, 0, 2] = math.nan
    expected, ours = torch._safe_softmax(values, -1), safe_softmax(values, -1)
    assert ours[0, 0, 0].isnan().all() and not ours[0, 0, 1].any()
    torch.testing.assert_close(ours, expected, equal_nan=True, rtol=0, atol=0)


def test_attention_with_dropout_goes_through_it():
    query = torch.randn(1, 2, 3, 4)
    seen = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    with quick_kernels():
        out = F.scaled_dot_product_attention(query, query, query, seen, dropout_p=1e-9)
    assert not out[:, :, 1].any()
    plain = F.scaled_dot_product_attention(query, query, query, seen)
    torch.testing.assert_close(out, plain)


fused = torch.backends.cuda.flash_sdp_enabled  # the same switch for every device


@pytest.mark.parametrize(
    ("precision", "length", "plain"),
    [("bf16", SHORT, True), ("bf16", SHORT + 1, False), ("float32", SHORT, False)],
)
def test_attention_is_plain_under_bf16_while_rows_are_short(precision, length, plain):
    with autocast(precision, torch.device("cpu")), quick_attention(torch.zeros(2, length)):
        assert fused() is not plain
    assert fused()


def test_plain_attention_agrees_with_the_fused_kernel():
    torch.manual_seed(reseeded(0))
    found = []
    for quick in (True, False):
        torch.manual_seed(reseeded(1))
        query, key, value = torch.randn(3, 2, 4, 16, 8).requires_grad_().unbind()
        mask = torch.arange(16) < torch.tensor([9, 16])[:, None, None, None]
        ids = torch.zeros(2, 16) if quick else torch.zeros(2, SHORT + 1)
        with autocast("bf16", torch.device("cpu")), quick_attention(ids):
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        found.append((out, *torch.autograd.grad(out.float().square().sum(), (query, key, value))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=0.05, rtol=0.05)


def test_in_a_stage_the_student_alone_is_asked_to():
    method = build_method("matches")
    stage = StageModule(method, method.phases()[0])
    seen = {}
    stage.trained.student.bert.encoder.register_forward_hook(
        lambda *_: seen.update(student=fused())
    )
    teacher = method.teacher.bert.encoder
    teacher.register_forward_hook(lambda *_: seen.update(teacher=fused()))
    steps = ToySteps()
    batch = next(steps.start(0))[1][0]
    context = Context(seed=reseeded(0), phase=0, step=0, micro_batch=0, epoch=0, num_steps=4)
    with autocast("bf16", torch.device("cpu")):
        stage(batch, context, method.counts(batch, context), 1.0)
    assert seen == {"student": False, "teacher": True}
