"""Weights that are not finite are named, those that are pass."""

import pytest
import torch
from tiny_models import tiny_model

from chatstill.models.finite import all_finite, weights_problem


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_one_broken_number_is_named(value):
    model = tiny_model("bert", 2)
    with torch.no_grad():
        model.bert.encoder.layer[1].output.dense.bias[3] = value
    problem = weights_problem(model, "teacher")
    assert problem.severity == "error" and problem.place == "teacher"
    assert (
        problem.code == "weights.not-finite"
        and "encoder.layer.1.output.dense.bias (1" in problem.message
        and "16)" in problem.message
    )


def test_infinities_that_cancel_are_seen():
    assert not all_finite(torch.tensor([float("inf"), float("-inf")]))


def test_large_numbers_whose_sum_overflows_are_finite():
    assert all_finite(torch.full((8,), 3e38))


def test_many_are_counted():
    model = tiny_model("bert", 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    total = len(list(model.parameters()))
    assert weights_problem(model, "student").message.endswith(f"and {total - 3} more")


def test_sound_weights():
    assert weights_problem(tiny_model("llama", 2), "teacher") is None
