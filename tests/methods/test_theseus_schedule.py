"""The replacing rate, worked out by hand, and what the plan says of it."""

import math

import pytest
from pydantic import ValidationError

from chatstill.methods.base import Context, RunValues
from chatstill.methods.theseus import Config, ReplacingRate, Theseus, describe_groups


def rate(num_steps=1000, **knobs) -> ReplacingRate:
    return ReplacingRate.from_config(Config(**knobs), num_steps)


class Network:
    """What the schedule needs of a network."""

    class config:
        num_hidden_layers = 3


class Teacher:
    class config:
        num_hidden_layers = 6


def theseus(epochs=4.0, **knobs) -> Theseus:
    run = RunValues(num_train_epochs=epochs, learning_rate=2e-5)
    return Theseus(Config(**knobs), Network(), Teacher(), objective="cross_entropy", run=run)


def test_linear_is_k_t_plus_b_cut_at_one():
    schedule = rate(replacing_rate=0.3, scheduler_linear_k=0.0006)
    assert schedule.at(0) == pytest.approx(0.3)  # the first step runs with b
    assert schedule.at(500) == pytest.approx(0.6)
    assert schedule.at(1166) == pytest.approx(0.9996)
    assert schedule.at(1167) == 1.0  # 0.0006 * 1167 + 0.3 = 1.0002
    assert schedule.first_step_at_one() == 1167


@pytest.mark.parametrize("b", [0.1, 0.3, 0.5, 0.9, 1 / 3])
@pytest.mark.parametrize("steps", [1, 2, 7, 100, 12345])
def test_auto_reaches_one_at_half_the_plan(b, steps):
    schedule = rate(steps, replacing_rate=b, scheduler_linear_k="auto")
    assert schedule.first_step_at_one() == max(steps // 2, 1)
    assert schedule.at(0) == pytest.approx(b)


@pytest.mark.parametrize("b", [0.01, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("k", [1e-5, 0.0006, 0.013, 0.7, 5.0])
def test_first_step_at_one_is_the_first(b, k):
    schedule = rate(replacing_rate=b, scheduler_linear_k=k)
    first = schedule.first_step_at_one()
    assert schedule.at(first) == 1.0
    assert first == 0 or schedule.at(first - 1) < 1.0


@pytest.mark.parametrize("k", [1e-17, 1e-300, 5e-324])
def test_a_slope_too_small_for_any_run_never_reaches_one(k):
    assert rate(replacing_rate=0.3, scheduler_linear_k=k).first_step_at_one() is None


@pytest.mark.parametrize("name", ["None", "none", None, "constant", "Constant"])
def test_names_of_the_constant_schedule(name):
    schedule = rate(replacing_rate=0.5, scheduler_type=name)
    assert schedule.kind == "constant"
    assert schedule.at(0) == schedule.at(10**9) == 0.5  # never reaches 1 by itself
    assert schedule.first_step_at_one() is None


def test_constant_reaches_one_where_it_is_told_to():
    schedule = rate(replacing_rate=0.5, scheduler_type="constant", steps_for_replacing=100)
    assert [schedule.at(t) for t in (0, 99, 100, 101)] == [0.5, 0.5, 1.0, 1.0]
    assert schedule.first_step_at_one() == 100


@pytest.mark.parametrize(
    "knobs",
    [
        {"replacing_rate": 0},
        {"replacing_rate": 1.1},
        {"scheduler_linear_k": 0},
        {"scheduler_linear_k": -0.1},
        {"scheduler_type": "cosine"},
        {"steps_for_replacing": -1},
        {"unknown": 1},
    ],
)
def test_impossible_knobs_are_refused(knobs):
    with pytest.raises(ValidationError):
        Config(**knobs)


def test_phases_by_schedule():
    assert [p.name for p in theseus().phases()] == ["replacing"]
    both = theseus(scheduler_type="constant").phases()
    assert [(p.name, p.epochs) for p in both] == [("replacing", 4.0), ("successor", 1.0)]
    second = theseus(successor_num_train_epochs=2, successor_learning_rate=1e-5).phases()[1]
    assert (second.epochs, second.learning_rate) == (2, 1e-5)
    assert len(theseus(scheduler_type="constant", successor_num_train_epochs=0).phases()) == 1


def test_successor_phase_runs_with_successors_alone():
    method = theseus(scheduler_type="constant")
    contexts = [Context(1, 1, step, 0, 0, 10) for step in range(50)]
    assert all(method.draws(context) == [True] * 3 for context in contexts)
    assert method.gauges(contexts[0]) == {"replacing_rate": 1.0}


def plan(num_steps, **knobs):
    method = theseus(**knobs)
    rows, warnings = method.plan(method.phases()[0], num_steps)
    return dict(rows), warnings


def test_plan_says_at_which_step_and_share():
    rows, warnings = plan(2000, scheduler_linear_k=0.0007, replacing_rate=0.3)
    assert "reaches 1 at step 1001 (50% of plan)" in rows["replacing rate"]
    assert rows["layer map"].startswith("1-2 → 1, 3-4 → 2, 5-6 → 3")
    assert warnings == []


@pytest.mark.parametrize(
    ("num_steps", "words"),
    [(100_000, "hardly any replacing"), (1200, "only at step 1001"), (900, "does not reach 1")],
)
def test_plan_warns_below_5_and_above_80_percent_and_of_never(num_steps, words):
    _, warnings = plan(num_steps, scheduler_linear_k=0.0007, replacing_rate=0.3)
    assert len(warnings) == 1
    assert words in warnings[0]


def test_a_successor_phase_makes_a_constant_rate_fine():
    assert plan(100, scheduler_type="constant")[1] == []
    assert plan(100, scheduler_type="constant", successor_num_train_epochs=0)[1]


def test_expected_share_of_successors_follows_the_rate():
    """Each module is drawn on its own: over many steps the share is p, for every module."""
    method = theseus(replacing_rate=0.3, scheduler_type="constant")
    draws = [method.draws(Context(5, 0, step, 0, 0, 4000)) for step in range(4000)]
    for module in range(3):
        share = sum(draw[module] for draw in draws) / 4000
        assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)
    both = sum(draw[0] and draw[1] for draw in draws) / 4000
    assert abs(both - 0.09) < 0.02


def test_groups_are_shown_from_one():
    assert describe_groups([[0], [1, 2], [3, 4, 5]]) == "1 → 1, 2-3 → 2, 4-6 → 3"
