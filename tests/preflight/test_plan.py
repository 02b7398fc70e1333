"""The plan: its rows on a terminal and off it."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from tests.found import codes

from chatstill.errors import Problem
from chatstill.figures import byte_size, epochs_text, names_text, steps_text
from chatstill.preflight import plan as plans
from chatstill.preflight import preflight
from chatstill.tasks.base import Example

PLAN = plans.Plan(
    [
        plans.Section(
            "Networks",
            [
                *plans.network_rows(
                    "teacher", layers=6, width=384, heads=12, parameters=22_713_986
                ),
                ("layer map", "1-2 → 1, 3-4 → 2, 5-6 → 3"),
            ],
        ),
        plans.Section(
            "Training",
            [
                ("steps", "1,234"),
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
        "layer map  1-2 → 1",
        "steps      1,234",
        "             second [not markup]",
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


def test_words_for_sizes():
    assert [byte_size(s) for s in (8.2e5, 4.35e7, 1.2e9)] == ["820 kB", "43.5 MB", "1.2 GB"]


def test_epochs_are_counted_in_words_that_fit():
    assert steps_text(75, 75) == "75 (1 epoch)", "the number stands there once"
    assert steps_text(2040, 60) == "2,040 (34 epochs of 60)"
    assert steps_text(30, 60) == "30 (0.5 epochs of 60)"
    assert [epochs_text(n) for n in (1.0, 2.0, 1.5)] == ["1 epoch", "2 epochs", "1.5 epochs"]


@pytest.mark.parametrize(
    ("made_for", "second", "warned"),
    [(1, "b", True), (2, None, True), (1, None, False), (2, "b", False)],
)
def test_a_network_of_another_number_of_texts_is_warned_of(made_for, second, warned):
    config = SimpleNamespace(texts=made_for, name_or_path="bilstm/student")
    job = SimpleNamespace(student=SimpleNamespace(config=config))
    train = SimpleNamespace(sample=[Example("train-0", 1, "a", second)])
    found = codes(preflight._other_texts(job, train))
    assert found == (["student.of-other-texts"] if warned else [])


def test_names_in_a_row_can_be_told_apart():
    assert names_text(["no", "yes"]) == "no, yes"
    assert names_text(["sad, calm", "glad"]) == "'sad, calm', glad", "not three names"
    assert names_text(["a", " b"]) == "a, ' b'"
    assert names_text(list("abcd"), 2) == "a, b, …"
    assert names_text([]) == ""
