"""Ticks are round, curves keep their ends, names never overlap."""

import itertools
import math
import random
import re

import pytest
from tests.draws import reseeded

from chatstill.report import Series, axes, curves, placing, scatter
from chatstill.report.placing import Dot


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 1167, [0, 500, 1000]),
        (0.837, 0.885, [0.84, 0.85, 0.86, 0.87, 0.88]),
        (-3, 3, [-2, 0, 2]),
    ],
)
def test_ticks_are_round(low, high, expected):
    step = axes.tick_step(low, high)
    assert axes.ticks(low, high, step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.85, 0.05, "0.85"),
        (0.0, 0.2, "0.0"),
        (1000, 500, "1,000"),
        (10_000, 5_000, "10k"),
        (4e6, 2e6, "4M"),
        (0, 500, "0"),
        (-1e-12, 0.2, "0.0"),
    ],
)
def test_tick_texts(value, step, text):
    assert axes.tick_text(value, step) == text


def test_axes_hold_all_values_and_survive_a_single_one():
    fitted = axes.fitted([3.0, 7.1], [0.81, 0.88], x_from=0.0)
    assert fitted.x_low == 0 and fitted.x_high >= 7.1
    assert fitted.y_low <= 0.81 and fitted.y_high >= 0.88
    for value in (0.0, 5.0, -2.0):
        one = axes.fitted([value], [value])
        assert one.x_low < one.x_high and one.y_low < one.y_high
        assert math.isfinite(one.x(value)) and math.isfinite(one.y(value))


def test_thinning_keeps_ends_order_and_mean():
    points = [(float(n), math.sin(n)) for n in range(5000)]
    thin = curves.thin(points, 240)
    assert len(thin) == 240 and thin[0] == points[0] and thin[-1] == points[-1]
    assert all(a[0] < b[0] for a, b in itertools.pairwise(thin))
    assert curves.thin([(0, float("nan")), (1, 2.0), (2, float("inf"))]) == [(1, 2.0)]


def test_a_line_goes_through_its_points():
    text = curves.line_chart([Series("a", [(0, 0), (10, 1)])], title="t", y_range=(0, 1))
    place = re.search(r'points="([^"]+)"', text)[1]
    left, right = axes.LEFT, axes.WIDTH - axes.RIGHT
    assert place == f"{left:.1f},{axes.HEIGHT - axes.BOTTOM:.1f} {right:.1f},{axes.TOP:.1f}"


def test_a_name_has_one_colour_in_all_charts():
    text = curves.line_chart([Series("b", [(0, 1), (1, 2)])], title="t", palette=["a", "b"])
    assert 'class="line c1"' in text and 'class="key c1"' in text


def test_marks_whose_texts_would_overlap_keep_only_lines():
    marks = [(10, "first mark here"), (11, "second mark here"), (100, "third")]
    text = curves.line_chart([Series("a", [(0, 0), (100, 1)])], title="t", marks=marks)
    assert text.count('class="mark"') == 3 and text.count('class="note"') == 2


def test_nothing_to_draw_gives_nothing():
    assert curves.line_chart([], title="t") == ""
    assert curves.line_chart([Series("a", [(0, float("nan"))])], title="t") == ""
    assert scatter.scatter_plot([], title="t", x_label="", y_label="") == ""


@pytest.mark.parametrize("seed", range(30))
def test_names_stay_inside_and_never_overlap(seed):
    draw = random.Random(reseeded(seed))
    names = [
        "teacher (6 layers)",
        "fine-tuned student (3 layers, no replacing)",
        "六层教师模型",
        "T",
    ]
    dots = [
        Dot(draw.choice(names), x, y, y - 0.02, y + 0.02)
        for x, y in ((draw.uniform(1, 9), draw.uniform(0.6, 0.9)) for _ in range(1 + seed % 5))
    ]
    frame = axes.fitted([10.0], [end for dot in dots for end in (dot.low, dot.high)], x_from=0.0)
    boxes = [box for box in placing.place_labels(scatter.spread(dots, frame)) if box]
    assert len(boxes) == len(dots)
    assert all(box.inside(placing.FRAME) for box in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert one.overlap(other) == 0


def test_points_at_one_place_are_told_apart():
    dots = [Dot(name, 3.2, 0.8, 0.78, 0.82) for name in "abc"]
    placed = scatter.spread(dots, axes.fitted([4.0], [0.7, 0.9], x_from=0.0))
    across = sorted(dot.x for dot in placed)
    assert all(b - a > 8 for a, b in itertools.pairwise(across))
    text = scatter.scatter_plot(dots, title="t", x_label="ms", y_label="acc")
    assert text.count('class="name') == 3 and text.count("3.2 ms, 0.800 [0.780, 0.820]") == 3


def test_names_take_at_most_two_lines_of_like_length():
    assert placing.name_lines("Theseus student (3 layers)") == ["Theseus student", "(3 layers)"]
    assert placing.name_lines("teacher") == ["teacher"]
    assert len(placing.name_lines("word " * 40)) == 2
    assert placing.name_lines("") == [""]
