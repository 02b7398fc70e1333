"""Ticks are round, curves keep their ends, every point and mark is drawn, texts stay texts."""

import itertools
import math
import os
import re
import sys
import warnings
from subprocess import run
from xml.etree import ElementTree

import pytest

from chatstill.report import Series, charts, drawing
from chatstill.report.charts import Dot

EVIL = '<script>alert("1")</script>&\'" $x_1$ 六层'


def read(chart):
    """The drawing as a tree; no declaration is needed in a page, but for this reader."""
    return ElementTree.fromstring(chart.svg.replace("<svg ", '<svg xmlns:xlink="x" ', 1))


def texts(chart):
    return [element.text for element in read(chart).iter("text")]


def groups(chart, kind):
    return [g for g in read(chart).iter("g") if g.get("class") == kind]


def tips(chart):
    return [element.text for element in read(chart).iter("title")]


def line(points, **more):
    return charts.line_chart([Series("a", points)], title="t", **more)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 1167, ["0", "500", "1,000", "1,500"]),
        (0.837, 0.885, ["0.83", "0.84", "0.85", "0.86", "0.87", "0.88", "0.89"]),
        (-3, 3, ["−4", "−2", "0", "2", "4"]),
        (0, 24_000, ["0", "5k", "10k", "15k", "20k", "25k"]),
        (0, 4e6, ["0", "1M", "2M", "3M", "4M"]),
        (0, 4e-6, ["0", "1e−06", "2e−06", "3e−06", "4e−06"]),
        (1e-4, 3e-4, ["0.00010", "0.00015", "0.00020", "0.00025", "0.00030"]),
        (5.0, 5.0, ["4.4", "4.6", "4.8", "5.0", "5.2", "5.4", "5.6"]),
        (-1e-12, 1.0, ["0.0", "0.5", "1.0"]),
    ],
)
def test_ticks_are_round_and_the_axis_ends_at_one(low, high, expected):
    found = texts(line([(0, low), (1, high)]))
    upwards = [text for text in found if text not in ("step", "")][6:]
    assert upwards == expected


@pytest.mark.parametrize("value", [0.0, 5.0, -2.0, 1e300, 1e-300])
def test_a_single_value_has_axes_too(value):
    chart = line([(value, value)])
    assert not re.search("nan|inf", chart.svg) and len(texts(chart)) > 4
    assert charts.scatter_plot([Dot("a", value, value)], title="t", x_label="", y_label="")


def test_thinning_keeps_ends_order_and_mean():
    points = [(float(n), math.sin(n)) for n in range(5000)]
    thin = charts.thin(points, 240)
    assert len(thin) == 240 and thin[0] == points[0] and thin[-1] == points[-1]
    assert all(a[0] < b[0] for a, b in itertools.pairwise(thin))
    assert charts.thin([(0, float("nan")), (1, 2.0), (2, float("inf"))]) == [(1, 2.0)]


def test_a_line_goes_through_its_points():
    (group,) = groups(line([(0, 0), (5, 0.5), (10, 1)], y_range=(0, 1)), "line")
    numbers = [float(n) for n in re.findall(r"[\d.]+", group.find("path").get("d"))]
    left, right = drawing.LEFT, drawing.WIDTH - drawing.RIGHT
    bottom, top = drawing.HEIGHT - drawing.BOTTOM, drawing.TOP
    middle = [(left + right) / 2, (bottom + top) / 2]
    assert numbers == pytest.approx([left, bottom, *middle, right, top], abs=0.01)


def test_a_name_has_one_colour_in_all_charts():
    chart = charts.line_chart([Series("b", [(0, 1), (1, 2)])], title="t", palette=["a", "b"])
    assert chart.legend == [("b", "c1")]
    assert "stroke: var(--c1)" in groups(chart, "line")[0].find("path").get("style")


def test_points_of_a_curve_say_their_values():
    chart = line([(n, n / 7) for n in range(100)])
    (hover,) = groups(chart, "hover")
    assert len(hover.findall(".//use")) == 34 and tips(chart)[1] == "a\nstep 3: 0.4286"
    assert tips(line([(1200, 0.5)])) == ["a\nstep 1,200: 0.5"]


def test_marks_whose_texts_would_overlap_keep_only_lines():
    marks = [(10, "first mark here"), (11, "second mark here"), (100, "third")]
    chart = line([(0, 0), (100, 1)], marks=marks)
    assert len(groups(chart, "mark")) == 3
    assert [g.find("text").text for g in groups(chart, "note")] == ["first mark here", "third"]
    assert "second mark here, step 11" in tips(chart)
    for note in groups(chart, "note"):
        x = float(note.find("text").get("x"))
        assert drawing.LEFT <= x <= drawing.WIDTH - 6.5 * len(note.find("text").text)


def test_nothing_to_draw_gives_nothing():
    assert charts.line_chart([], title="t") is None
    assert line([(0, float("nan"))]) is None
    assert charts.scatter_plot([], title="t", x_label="", y_label="") is None


def test_points_at_one_place_are_told_apart():
    dots = [Dot(name, 3.2, 0.8, 0.78, 0.82) for name in "abc"]
    chart = charts.scatter_plot(dots, title="t", x_label="ms", y_label="acc")
    circles = [group.find(".//use") for group in groups(chart, "dot")[1::2]]
    across = sorted(float(circle.get("x")) for circle in circles)
    assert len(across) == 3 and all(b - a > 8 for a, b in itertools.pairwise(across))
    assert chart.legend == [("a", "c0"), ("b", "c1"), ("c", "c2")]
    said = [f"{name}\n3.2 ms, 0.800 [0.780, 0.820]" for name in "abc"]
    assert sorted(tips(chart)) == sorted(said * 2), "of the interval and of the point"


def test_points_stand_at_their_values():
    dots = [Dot("a", 2.0, 0.2), Dot("b", 4.0, 1.0), Dot("c", 6.0, float("nan"))]
    chart = charts.scatter_plot(dots, title="t", x_label="ms", y_label="acc")
    places = [group.find(".//use") for group in groups(chart, "dot")]
    across = (drawing.WIDTH - drawing.LEFT - drawing.RIGHT) / 5
    high = (drawing.HEIGHT - drawing.TOP - drawing.BOTTOM) / 0.8
    assert [float(p.get("x")) for p in places] == pytest.approx(
        [drawing.LEFT + 2 * across, drawing.LEFT + 4 * across]
    )
    bottom = drawing.HEIGHT - drawing.BOTTOM
    assert [float(p.get("y")) for p in places] == pytest.approx([bottom, bottom - 0.8 * high])


def test_texts_stay_as_they_are_and_are_escaped():
    marks = [(1, EVIL)]
    chart = charts.line_chart(
        [Series(EVIL, [(0, 1), (1, 0)])], title=EVIL, x_label=EVIL, y_label=EVIL, marks=marks
    )
    assert texts(chart).count(EVIL) == 3 and "<script" not in chart.svg
    assert read(chart).get("aria-label") == EVIL and f"{EVIL}\nstep 0: 1" in tips(chart)


@pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\ud800b", "a\nb", "a\uffffb"])
def test_what_no_svg_can_hold_does_not_cost_the_page(text):
    chart = charts.line_chart([Series(text, [(0, 1)])], title=text, marks=[(1, text)])
    assert {"a\ufffdb", "a b"} & set(texts(chart))


def test_colours_and_fonts_are_the_pages():
    chart = line([(0, 1), (1, 2)], marks=[(1, "m")])
    assert not re.search(r"#[0-9a-f]{6}|rgb|font-family|xmlns|https?:|<style", chart.svg)
    assert {"var(--c0)", "var(--soft)", "var(--rule)"} <= set(re.findall(r"var\(.*?\)", chart.svg))


def test_the_same_input_gives_the_same_bytes_whatever_matplotlib_was_told(monkeypatch):
    import matplotlib

    chart = line([(0, 0.1), (9, 0.9)], marks=[(4, "m")])
    before = dict(matplotlib.rcParams)
    assert line([(0, 0.1), (9, 0.9)], marks=[(4, "m")]) == chart
    assert dict(matplotlib.rcParams) == before, "settings of others stay"
    monkeypatch.setitem(matplotlib.rcParams, "lines.marker", "x")
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "path")
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 300)
    assert line([(0, 0.1), (9, 0.9)], marks=[(4, "m")]) == chart


def test_drawing_warns_of_nothing_and_opens_no_window():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        charts.scatter_plot([Dot("六层", 1.0, 0.5)], title="六层", x_label="毫秒", y_label="准确率")
    code = (
        "import sys, chatstill.report as r\n"
        "heavy = {'matplotlib', 'jinja2', 'torch'} & set(sys.modules)\n"
        "r.render_report(r.Report('t', losses=[r.Series('六', [(0, 1), (1, 2)])], marks=[(1, '六')]))\n"
        "print(sorted(heavy), 'matplotlib.pyplot' in sys.modules)\n"
    )
    nowhere = {**os.environ, "HOME": "/proc/none", "XDG_CONFIG_HOME": "/proc/none"}
    done = run([sys.executable, "-c", code], env=nowhere, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[] False\n", "")
