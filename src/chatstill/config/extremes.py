"""Values of a run's keys that are allowed and train nothing, or break what they train: warned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import Problem, Said
from ..methods.base import FASTEST, SLOWEST
from .places import KeyPath
from .schema import RunKeys
from .source import Source

LARGEST_EPSILON = 0.01  # of AdamW: beyond it a gradient's size counts, and most are smaller
LOWEST_NORM = 1e-5  # to which gradients are clipped: AdamW's epsilon is no longer small beside them
DECAY = 0.1  # share of every weight that one step takes away


def extreme_keys(keys: RunKeys, source: Source) -> list[Problem]:
    """A warning for each key of the optimizer whose value lies far from any that is in use."""
    found = [*_of_the_step(keys), *_of_betas(keys.training_arguments)]
    return [source.told(path, said, warning=True) for path, said in found]


def _of_the_step(keys: RunKeys) -> Iterator[tuple[KeyPath, Said]]:
    rate, decay, norm = keys.learning_rate, keys.weight_decay, keys.max_grad_norm
    usual = "Usual values are 1e-5 to 1e-3."
    if rate is not None and rate < SLOWEST:
        message = (
            f"'learning_rate' is {rate:g}: no step changes a weight by more than its rounding."
        )
        yield ("learning_rate",), Said(message, usual, code="config.learning-rate-too-low")
    if rate is not None and rate > FASTEST:
        message = f"'learning_rate' is {rate:g}: a step changes every weight by more than its size."
        yield ("learning_rate",), Said(message, usual, code="config.learning-rate-too-high")
    if rate is not None and rate * decay >= DECAY:
        share = min(rate * decay, 1.0)
        message = (
            f"'weight_decay' is {decay:g}: with this learning_rate each step takes {share:.0%} of every "
            "weight away."
        )
        said = Said(message, "Usual values are 0 to 0.1.", code="config.weight-decay-too-high")
        yield ("weight_decay",), said
    if keys.adam_epsilon > LARGEST_EPSILON:
        message = (
            f"'adam_epsilon' is {keys.adam_epsilon:g}, far above the size of gradients: hardly any "
            "weight moves."
        )
        said = Said(message, "The usual value is 1e-8.", code="config.adam-epsilon-too-high")
        yield ("adam_epsilon",), said
    if 0 < norm < LOWEST_NORM:
        message = f"'max_grad_norm' is {norm:g}: gradients are clipped to almost nothing."
        hint = "The usual value is 1; 0 turns clipping off."
        yield ("max_grad_norm",), Said(message, hint, code="config.clipped-to-nothing")


def _of_betas(arguments: dict[str, Any]) -> Iterator[tuple[KeyPath, Said]]:
    for name, usual in (("adam_beta1", 0.9), ("adam_beta2", 0.999)):
        value = arguments.get(name, usual)
        if isinstance(value, int | float) and not 0 <= value < 1:
            message = f"'{name}' is {value:g}: AdamW's running mean takes nothing of new gradients."
            hint = f"A number from 0 on and below 1; usual is {usual:g}."
            said = Said(message, hint, code="config.adam-beta-out-of-range")
            yield ("training_arguments", name), said
