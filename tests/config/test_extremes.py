"""Values of the optimizer's keys that train nothing are warned of where they stand; usual ones are not."""

import pytest

from chatstill.config.trainer_keys import trainer_fields
from tests.found import codes, holds


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"learning_rate": 1e-30}, "config.learning-rate-too-low"),
        ({"learning_rate": 1e38}, "config.learning-rate-too-high"),
        ({"adam_epsilon": 10.0}, "config.adam-epsilon-too-high"),
        ({"max_grad_norm": 1e-30}, "config.clipped-to-nothing"),
        ({"learning_rate": 0.01, "weight_decay": 50.0}, ("config.weight-decay-too-high", "50%")),
        ({"training_arguments": {"adam_beta1": 1.0}}, "config.adam-beta-out-of-range"),
        ({"training_arguments": {"adam_beta2": 1.0}}, "config.adam-beta-out-of-range"),
    ],
)
def test_extreme_values(world, changes, expected):
    before = {str(problem) for problem in world.problems()}
    world.values.update(changes)
    (problem,) = [p for p in world.problems() if str(p) not in before and holds(p, expected)]
    assert problem.severity == "warning" and "line" in problem.place and problem.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 2e-5, "weight_decay": 0.1},
        {"learning_rate": 0.01, "max_grad_norm": 0.0},
        {"max_grad_norm": 0.1, "adam_epsilon": 1e-6},
        {"training_arguments": {"adam_beta1": 0.0, "adam_beta2": 0.98}},
    ],
)
def test_usual_values(world, changes):
    before = len(world.problems())
    world.values.update(changes)
    assert len(world.problems()) == before


AGAIN = ("gradient_checkpointing_kwargs", "activation_checkpointing_kwargs")


@pytest.mark.parametrize("name", [name for name in AGAIN if name in trainer_fields()])
def test_the_reentrant_way_to_compute_activations_again_is_refused(world, name):
    """Its first pass keeps no graph of the attention that terms read."""
    for reentrant in (True, False):
        world.values["training_arguments"] = {name: {"use_reentrant": reentrant}}
        assert ("config.reentrant-checkpointing" in codes(world.problems())) == reentrant


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"gradient_checkpointing": "yes"}, "config.argument-no-truth-value"),
        ({"full_determinism": 1}, "config.argument-no-truth-value"),
        ({"gradient_checkpointing_kwargs": 3}, "config.checkpointing-options"),
        ({"gradient_checkpointing_kwargs": {"reentrant": False}}, "config.checkpointing-options"),
    ],
)
def test_arguments_that_would_fail_later_or_count_as_true(world, values, code):
    world.values["training_arguments"] = values
    assert code in codes(world.problems())
