"""The plan: when the rate reaches 1, and its rows on a terminal and off it."""

import io

import pytest
from rich.console import Console

from chatstill.errors import Problem
from chatstill.preflight import plan as plans
from chatstill.preflight.schedule import linear_reaches_one, replacing_plan


@pytest.mark.parametrize(
    ("rate", "k", "step"),
    [
        (0.3, 0.0006, 1167),
        (0.5, 0.5 / 400, 400),
        (0.1, 0.1, 9),
        (0.4, 0.1, 6),
        (1.0, 0.0, 0),
        (0.3, 0.0, None),
    ],
)
def test_the_first_step_at_rate_1(rate, k, step):
    assert linear_reaches_one(rate, k) == step
    if step:
        assert rate + k * step >= 1 - 1e-9 > rate + k * (step - 1)


@pytest.mark.parametrize(
    ("arguments", "step", "warned"),
    [
        (("linear", 0.3, 0.0006, None, 2334), 1167, False),
        (("linear", 0.3, 0.0006, None, 1300), 1167, True),
        (("linear", 0.3, 0.0006, None, 1167), 1167, True),
        (("linear", 0.3, 0.0006, None, 500), 1167, True),
        (("linear", 0.9, 0.01, None, 1000), 10, True),
        (("linear", 0.3, 0.0006, None, 1300, 400), 1167, False),
        (("constant", 0.5, 0.0, 0, 1000), None, True),
        (("constant", 0.5, 0.0, None, 1000, 500), None, False),
        (("constant", 0.5, 0.0, None, 1000, 10), None, True),
        ((None, 0.5, 0.0, 400, 1000), 400, False),
        (("constant", 1.0, 0.0, 0, 1000), 0, True),
    ],
)
def test_warnings_about_the_schedule(arguments, step, warned):
    result = replacing_plan(*arguments)
    assert result.step == step
    assert bool(result.problems) == warned
    assert all(problem.severity == "warning" for problem in result.problems)
    assert result.text


def test_never_is_said():
    result = replacing_plan("linear", 0.3, 0.0001, None, 1000)
    assert "never" in result.problems[0].message and "7,000" in result.text
    assert result.share is None


PLAN = plans.Plan(
    [
        plans.Section(
            "Networks",
            [
                *plans.network_rows(
                    "teacher", layers=6, width=384, heads=12, parameters=22_713_986
                ),
                *plans.layer_map_rows([0, 1, 2], [[0, 1], [2, 3], [4, 5]]),
            ],
        ),
        plans.Section(
            "Training",
            [
                plans.phase_row(
                    "replacing", steps=1234, epochs=3, learning_rate=2e-5, train="successors"
                ),
                plans.batch_row(8, 2, 4),
                plans.cut_row(3, 200),
                ("two lines", "first\nsecond [not markup]"),
            ],
        ),
    ],
    [Problem("bf16", "only emulated", "Set it to false.", "warning")],
)


def test_plain_lines_hold_everything():
    text = "\n".join(plans.plan_lines(PLAN))
    for part in (
        "22.7 M",
        "[0, 1, 2] counted from 0; layer 1 from 1, 2 from 2, 3 from 3",
        "replaces teacher layer 3 to 4 ([2, 3] counted from 0)",
        "64 rows a step = 8 rows x 2 processes x 4 accumulated",
        "3 of 200 (1.5%)",
        "1,234 steps, 3 epochs, learning rate 2e-05; trained: successors",
        "warning: bf16: only emulated",
    ):
        assert part in text


def test_without_a_terminal_the_rich_form_is_plain_lines():
    stream = io.StringIO()
    Console(file=stream, width=200).print(plans.plan_renderable(PLAN))
    text = stream.getvalue()
    assert "\x1b" not in text and not set("│┃─━╭") & set(text)
    squeezed = {" ".join(line.split()) for line in text.splitlines()}
    assert {" ".join(line.split()) for line in plans.plan_lines(PLAN)} == squeezed


def test_words_for_time_and_size():
    assert [plans.duration(s) for s in (4.2, 200, 12_000)] == ["4 s", "3 min", "3 h 20 min"]
    assert [plans.byte_size(s) for s in (8.2e5, 4.35e7, 1.2e9)] == ["820 kB", "43.5 MB", "1.2 GB"]
