"""The plan: its rows on a terminal and off it."""

import io

from rich.console import Console

from chatstill.errors import Problem
from chatstill.preflight import plan as plans

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
