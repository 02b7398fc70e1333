"""Curves over training steps, and the quality-latency plot: points with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .drawing import COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, as_svg, drawing, frame, ink, plain
from .model import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 240
_HOVER_POINTS = 40
_APART = (
    10.0  # points closer than this on the drawing are moved aside, to tell their intervals apart
)


@dataclass(frozen=True)
class Dot:
    """A point with its interval upwards."""

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading and a legend of (name, colour), of lines or of points."""

    title: str
    svg: str
    legend: Sequence[tuple[str, str]]
    points: bool = False


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
        middle = float(axes.transData.transform((step, 0.0))[0])
        left = min(max(middle - width / 2, LEFT), WIDTH - width)
        if left >= free_from:
            look: dict[str, Any] = {"color": ink("soft"), "gid": "@note", "fontsize": 12}
            place = left / WIDTH, 1 - (TOP - 7) / HEIGHT
            axes.annotate(plain(text), place, xycoords="figure fraction", **look)
            free_from = left + width + 8


def scatter_plot(dots: Sequence[Dot], *, title: str, x_label: str, y_label: str) -> Chart | None:
    """A chart with one point per row, the horizontal axis from 0; None if there is no point.

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
    tips = {f"@dot {number}": [_tooltip(dot)] for number, dot in enumerate(dots)}
    legend = [(dot.name, COLOURS[number % len(COLOURS)]) for number, dot in enumerate(dots)]
    with drawing(title):
        axes = frame(x_label, y_label, [1.15 * max(dot.x for dot in dots)], ends, from_zero=True)
        for x, dot, (_, colour), gid in zip(apart(dots, axes), dots, legend, tips, strict=True):
            look: dict[str, Any] = {"color": ink(colour), "gid": gid, "clip_on": False}
            if dot.low is not None and dot.high is not None:
                bar: dict[str, Any] = {"marker": "_", "markersize": 8, "markeredgewidth": 1.6}
                axes.plot([x, x], [dot.low, dot.high], linewidth=1.6, **bar, **look)
            edge: dict[str, Any] = {"markeredgecolor": ink("card"), "markeredgewidth": 1.5}
            axes.plot([x], [dot.y], "o", markersize=11, **edge, **look)
        return Chart(title, as_svg(axes, title, tips), legend, points=True)


def apart(dots: Sequence[Dot], axes: Axes) -> list[float]:
    """Where the points stand across: those at nearly one place are moved a little apart."""
    left, right = axes.get_xlim()
    step = _APART * (right - left) / (WIDTH - LEFT - RIGHT)
    order = sorted(range(len(dots)), key=lambda number: dots[number].x)
    clusters: list[list[int]] = []
    for number in order:
        if clusters and dots[number].x - dots[clusters[-1][-1]].x < step:
            clusters[-1].append(number)
        else:
            clusters.append([number])
    places = [0.0] * len(dots)
    for cluster in clusters:
        middle = sum(dots[number].x for number in cluster) / len(cluster)
        for place, number in enumerate(cluster):
            places[number] = middle + (place - (len(cluster) - 1) / 2) * step
    return places


def _tooltip(dot: Dot) -> str:
    text = f"{dot.name}\n{dot.x:.4g} ms, {dot.y:.3f}"
    if dot.low is not None and dot.high is not None:
        text += f" [{dot.low:.3f}, {dot.high:.3f}]"
    return text
