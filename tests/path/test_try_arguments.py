"""The block ``training_arguments`` is tried before anything starts: no fault of it waits for a phase."""

import pytest

from chatstill.config.schema import RunConfig
from chatstill.errors import UserError
from chatstill.methods.base import Phase
from chatstill.train import try_arguments as module
from chatstill.train.arguments import training_arguments
from chatstill.train.phases import num_steps
from chatstill.train.try_arguments import refused_arguments, warm_up_doubts
from tests.found import codes

PHASE = Phase("fine-tuning", 1, 1e-3)


def configured(**keys):
    return RunConfig(**{"learning_rate": 1e-3, "num_train_epochs": 1, **keys})


def refused(**block):
    return refused_arguments(configured(training_arguments=block), PHASE, 100)


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ({"lr_scheduler_type": "warmup_stable_decay"}, "config.arguments-not-usable"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "config.arguments-not-usable"),
        ({"lr_scheduler_kwargs": {"x": 1}}, "config.arguments-not-usable"),
        ({"optim_args": "foo"}, "config.arguments-not-usable"),
        ({"optim": "adamw_anyprecision"}, "config.arguments-not-usable"),
        ({"lr_scheduler_type": "sideways"}, "config.arguments-refused"),
    ],
)
def test_what_transformers_makes_nothing_of_is_told(block, code):
    assert codes(refused(**block)) == [code]


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"optim": "adafactor"},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-6}},
    ],
)
def test_what_it_takes_passes(block):
    assert refused(**block) == []


def test_processes_that_have_not_joined_yet_try_nothing(monkeypatch):
    monkeypatch.setattr(module, "world_size", lambda: 2)
    assert refused(lr_scheduler_type="warmup_stable_decay") == []


def test_the_plan_lists_it_with_the_other_faults(run):
    with pytest.raises(UserError) as caught:
        run("check", training_arguments={"lr_scheduler_type": "warmup_stable_decay"})
    assert "config.arguments-not-usable" in codes(caught.value)


def test_a_phase_that_ends_before_its_warm_up_is_told(run):
    config = configured(warmup_steps=500)
    (told,) = warm_up_doubts(config, PHASE, 12)
    assert "2.4 % of 0.001" in told
    assert warm_up_doubts(config, PHASE, 501) == warm_up_doubts(configured(), PHASE, 1) == []
    assert "its learning rate only rises" in run("check", warmup_steps=500, learning_rate=1e-3).text


@pytest.mark.parametrize(("decay", "told"), [(500, True), (40, False)])
def test_a_schedule_that_is_longer_than_its_phase_is_told(decay, told):
    """Its rate would fall from the first steps on, and the plan names the rate that is never reached."""
    block = {"lr_scheduler_type": "warmup_stable_decay"}
    block["lr_scheduler_kwargs"] = {"num_decay_steps": decay}
    config = configured(training_arguments=block, warmup_percentage=0.1)
    found = refused_arguments(config, PHASE, 63)
    assert codes(found) == ["config.schedule-beyond-the-phase"] * told
    assert all(problem.severity == "warning" for problem in found)


def test_the_usual_schedules_come_to_their_rate():
    for name in ("linear", "cosine", "polynomial", "inverse_sqrt", "constant_with_warmup"):
        config = configured(training_arguments={"lr_scheduler_type": name}, warmup_percentage=0.1)
        for steps in (1, 3, 20, 5_000):
            assert refused_arguments(config, PHASE, steps) == [], (name, steps)


def test_the_plan_names_the_schedule(run):
    assert "linear, 1 step of warm-up" in run("check", warmup_steps=1).text


def test_counts_of_steps_are_not_those_of_rounded_floats(tmp_path):
    assert num_steps(Phase("p", 0.07), 100) == 7 and num_steps(Phase("p", 0.0701), 100) == 8
    arguments = training_arguments(configured(warmup_percentage=0.29), PHASE, tmp_path, 100)
    assert arguments.get_warmup_steps(100) == 29
