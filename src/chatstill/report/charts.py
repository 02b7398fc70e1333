"""Curves over training steps, and the quality-latency plot: points with intervals and their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .drawing import COLOURS, HEIGHT, LEFT, TOP, WIDTH, as_svg, drawing, frame, ink, plain
from .model import Series
from .placing import FONT, LINE, Box, Dot, name_lines, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 240
_HOVER_POINTS = 40
_APART = (
    10.0  # points closer than this on the drawing are moved aside, to tell their intervals apart
)
_NEAR = 22.0  # a name further off than this gets a line to its point


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading and a legend of (name, colour)."""

    title: str
    svg: str
    legend: Sequence[tuple[str, str]] = ()


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "step",
    y_label: str = "",
    marks: Sequence[tuple[float, str]] = (),
    y_range: tuple[float, float] | None = None,
    palette: Sequence[str] = (),
) -> Chart | None:
    """A chart with one line per series; None if there is nothing to draw.

    Args:
        series: Curves; values that are not finite are left out, long ones averaged in stretches.
        title: Heading, also for screen readers.
        x_label: Title of the horizontal axis.
        y_label: Title of the vertical axis.
        marks: Vertical lines with a text.
        y_range: Lowest and highest value shown; None fits.
        palette: Names in the order of the colours, so that a name has one colour in several charts.
    """
    curves = [(one.name, thin(one.points)) for one in series]
    curves = [(name, points) for name, points in curves if points]
    if not curves:
        return None
    xs = [x for _, points in curves for x, _ in points] + [x for x, _ in marks]
    ys = y_range or [y for _, points in curves for _, y in points]
    order = list(dict.fromkeys([*palette, *(name for name, _ in curves)]))
    tips: dict[str, list[str]] = {}
    legend = []
    with drawing(title):
        axes = frame(x_label, y_label, xs, ys)
        _marks(axes, marks, tips)
        for number, (name, points) in enumerate(curves):
            colour = COLOURS[order.index(name) % len(COLOURS)]
            legend.append((name, colour))
            alone = "o" if len(points) == 1 else ""
            line: dict[str, Any] = {
                "color": ink(colour),
                "linewidth": 2,
                "marker": alone,
                "markersize": 8,
            }
            joined: dict[str, Any] = {"solid_joinstyle": "round", "solid_capstyle": "round"}
            axes.plot(*zip(*points, strict=True), clip_on=False, gid="@line", **line, **joined)
            shown = points[:: max(1, math.ceil(len(points) / _HOVER_POINTS))]
            gid = f"@hover {number}"
            tips[gid] = [f"{name}\nstep {x:,.0f}: {y:.4g}" for x, y in shown]
            spots: dict[str, Any] = {
                "linestyle": "",
                "marker": "o",
                "markersize": 12,
                "color": ink(colour),
            }
            axes.plot(*zip(*shown, strict=True), clip_on=False, gid=gid, **spots)
        return Chart(title, as_svg(axes, title, tips), legend)


def thin(
    points: Sequence[tuple[float, float]], most: int = _MOST_POINTS
) -> list[tuple[float, float]]:
    """Finite points; more than ``most`` become means of neighbouring stretches, ends kept."""
    known = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(known) <= most:
        return known
    inner, count = known[1:-1], most - 2
    edges = [round(n * len(inner) / count) for n in range(count + 1)]
    means = []
    for start, end in pairwise(edges):
        part = inner[start:end]
        means.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return [known[0], *means, known[-1]]


def _marks(axes: Axes, marks: Sequence[tuple[float, str]], tips: dict[str, list[str]]) -> None:
    """Vertical lines; their texts stand above the frame, as far as there is room."""
    free_from = 0.0
    for number, (step, text) in enumerate(sorted(marks)):
        gid = f"@mark {number}"
        tips[gid] = [f"{text}, step {step:,.0f}"]
        axes.axvline(
            step, color=ink("soft"), linewidth=1, linestyle=(0, (4, 4)), clip_on=False, gid=gid
        )
        width = 6.5 * len(text)
        left = min(
            max(_place(axes, step, 0.0)[0] - width / 2, LEFT), WIDTH - width
        )  # beside the ticks
        if left >= free_from:
            _text(axes, left, TOP - 7, text, gid="@note", fontsize=12, color=ink("soft"))
            free_from = left + width + 8


def scatter_plot(dots: Sequence[Dot], *, title: str, x_label: str, y_label: str) -> Chart | None:
    """A chart with one labelled point per row, the horizontal axis from 0; None if there is no point.

    Args:
        dots: Values; ones that are not finite are left out.
        title: Heading, also for screen readers.
        x_label: Title of the horizontal axis.
        y_label: Title of the vertical axis.
    """
    dots = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]
    if not dots:
        return None
    ends = [end for dot in dots for end in (dot.low, dot.high, dot.y) if end is not None]
    tips: dict[str, list[str]] = {}
    with drawing(title):
        axes = frame(x_label, y_label, [1.15 * max(dot.x for dot in dots)], ends, from_zero=True)
        placed = spread(dots, axes)
        labels = place_labels(placed)
        for dot, box in zip(placed, labels, strict=True):
            if box:
                _leader(axes, dot, box)
        for number, (dot, place) in enumerate(zip(dots, placed, strict=True)):
            gid = f"@dot {number}"
            tips[gid] = [_tooltip(dot)]
            _dot(axes, place, ink(COLOURS[number % len(COLOURS)]), gid)
        for number, (dot, box) in enumerate(zip(placed, labels, strict=True)):
            if box:
                _name(axes, dot, box, ink(COLOURS[number % len(COLOURS)]))
        return Chart(title, as_svg(axes, title, tips))


def spread(dots: Sequence[Dot], axes: Axes) -> list[Dot]:
    """The points in units of the drawing, those at nearly one place across moved a little apart."""
    placed = []
    for dot in dots:
        x, y = _place(axes, dot.x, dot.y)
        ends = [None if end is None else _place(axes, dot.x, end)[1] for end in (dot.low, dot.high)]
        placed.append(replace(dot, x=x, y=y, low=ends[0], high=ends[1]))
    order = sorted(range(len(placed)), key=lambda number: placed[number].x)
    clusters: list[list[int]] = []
    for number in order:
        if clusters and placed[number].x - placed[clusters[-1][-1]].x < _APART:
            clusters[-1].append(number)
        else:
            clusters.append([number])
    for cluster in clusters:
        middle = sum(placed[number].x for number in cluster) / len(cluster)
        for place, number in enumerate(cluster):
            moved = middle + (place - (len(cluster) - 1) / 2) * _APART
            placed[number] = replace(placed[number], x=moved)
    return placed


def _place(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """A value's place on the drawing, counted from the left and from the top."""
    across, up = axes.transData.transform((x, y))
    return float(across), HEIGHT - float(up)


def _line(axes: Axes, xs: Sequence[float], ys: Sequence[float], **look: Any) -> None:
    """A line or points in units of the drawing."""
    from matplotlib.transforms import IdentityTransform

    own: dict[str, Any] = {"transform": IdentityTransform(), "clip_on": False}
    axes.plot(xs, [HEIGHT - y for y in ys], **own, **look)


def _text(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    from matplotlib.transforms import IdentityTransform

    axes.text(x, HEIGHT - y, plain(text), transform=IdentityTransform(), **look)


def _tooltip(dot: Dot) -> str:
    text = f"{dot.name}\n{dot.x:.4g} ms, {dot.y:.3f}"
    if dot.low is not None and dot.high is not None:
        text += f" [{dot.low:.3f}, {dot.high:.3f}]"
    return text


def _dot(axes: Axes, dot: Dot, colour: str, gid: str) -> None:
    """A point over its interval."""
    if dot.low is not None and dot.high is not None:
        bar = {"marker": "_", "markersize": 8, "markeredgewidth": 1.6, "linewidth": 1.6}
        _line(axes, [dot.x, dot.x], [dot.low, dot.high], color=colour, gid=gid, **bar)
    edge = {"markeredgecolor": ink("card"), "markeredgewidth": 1.5, "linestyle": ""}
    _line(axes, [dot.x], [dot.y], color=colour, gid=gid, marker="o", markersize=11, **edge)


def _name(axes: Axes, dot: Dot, box: Box, colour: str) -> None:
    """One or two lines, flush with the side that faces the point."""
    left = dot.x <= (box.left + box.right) / 2
    side, x = ("left", box.left) if left else ("right", box.right)
    for row, line in enumerate(name_lines(dot.name)):
        look = {"gid": "@name", "fontsize": FONT, "color": colour}
        _text(axes, x, box.top + FONT + row * LINE, line, ha=side, **look)


def _leader(axes: Axes, dot: Dot, box: Box) -> None:
    """A thin line from a point to a label that stands far off."""
    x, y = min(max(dot.x, box.left), box.right), min(max(dot.y, box.top), box.bottom)
    if math.hypot(x - dot.x, y - dot.y) >= _NEAR:
        _line(axes, [dot.x, x], [dot.y, y], color=ink("soft"), linewidth=0.8, gid="@leader")
