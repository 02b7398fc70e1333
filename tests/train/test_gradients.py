"""The norm of all gradients against plain arithmetic, and clipping against torch's own."""

import math

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from chatstill.train.control import Agreement
from chatstill.train.gradients import clip


def model_with(*grads):
    model = nn.Module()
    for number, grad in enumerate(grads):
        parameter = nn.Parameter(torch.zeros_like(grad))
        parameter.grad = grad.clone()
        model.register_parameter(f"p{number}", parameter)
    model.register_parameter("unused", nn.Parameter(torch.zeros(3)))
    return model


def clipped(model, limit):
    return clip(Accelerator(cpu=True), model, limit, sharded=False)


GRADS = (torch.arange(12.0).view(3, 4) - 4, torch.tensor([0.5, -2.0]))


@pytest.mark.parametrize("limit", [0.1, 3.0, 1e9])
def test_clipping_is_torchs(limit):
    ours, theirs = model_with(*GRADS), model_with(*GRADS)
    expected = float(nn.utils.clip_grad_norm_(theirs.parameters(), limit))
    assert clipped(ours, limit) == pytest.approx(expected, rel=1e-6)
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        if left.grad is not None:
            torch.testing.assert_close(left.grad, right.grad)


def test_0_clips_nothing():
    model = model_with(*GRADS)
    exact = math.sqrt(math.fsum(x * x for grad in GRADS for x in grad.flatten().tolist()))
    assert clipped(model, 0.0) == pytest.approx(exact, rel=1e-7)
    assert torch.equal(model.p0.grad, GRADS[0])


def test_the_norm_of_a_table_of_sixteen_million_numbers():
    """A running float32 sum of the squares is off by much more."""
    table = torch.full((1 << 24,), 1.1)
    exact = math.sqrt(float(table[0]) ** 2 * len(table))
    assert clipped(model_with(table), 0.0) == pytest.approx(exact, rel=3e-6)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_gradient_that_is_not_finite_shows(value):
    model = model_with(torch.tensor([1.0, value]))
    assert not math.isfinite(clipped(model, 1.0))


def test_counts_are_added_up_by_name():
    found = Agreement().sums_by_name([{"a": 1.0, "b": 2.0}, {"b": 0.5}])
    assert found == {"a": 1.0, "b": 2.5}
    assert Agreement().sums_by_name([]) == {}
