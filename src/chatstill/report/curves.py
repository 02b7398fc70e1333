"""Curves over training steps as inline SVG with a legend below."""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from .axes import BOTTOM, HEIGHT, TOP, WIDTH, Axes, fitted, frame
from .model import Series

NUM_COLOURS = 6
_MOST_POINTS = 240
_HOVER_POINTS = 40


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "step",
    y_label: str = "",
    marks: Sequence[tuple[float, str]] = (),
    y_range: tuple[float, float] | None = None,
    palette: Sequence[str] = (),
) -> str:
    """A figure with one line per series.

    Args:
        series: Curves; values that are not finite are left out, long ones averaged in stretches.
        title: Heading, also for screen readers.
        x_label: Title of the horizontal axis.
        y_label: Title of the vertical axis.
        marks: Vertical lines with a text.
        y_range: Lowest and highest value shown; None fits.
        palette: Names in the order of the colours, so that a name has one colour in several charts.

    Returns:
        HTML; empty if there is nothing to draw.
    """
    curves = [(one.name, thin(one.points)) for one in series]
    curves = [(name, points) for name, points in curves if points]
    if not curves:
        return ""
    xs = [x for _, points in curves for x, _ in points]
    ys = list(y_range) if y_range else [y for _, points in curves for _, y in points]
    axes = fitted([*xs, *(x for x, _ in marks)], ys)
    parts = [frame(axes, x_label, y_label)]
    parts += _marks(axes, marks)
    colours = {name: number for number, name in reversed(list(enumerate(palette)))}
    numbers = [colours.get(name, len(palette) + n) for n, (name, _) in enumerate(curves)]
    parts += [_curve(axes, n, *curve) for n, curve in zip(numbers, curves, strict=True)]
    names = [(name, n) for n, (name, _) in zip(numbers, curves, strict=True)]
    return figure(title, "".join(parts), names)


def figure(title: str, drawing: str, names: Sequence[tuple[str, int]]) -> str:
    """A drawing with heading and a legend of (name, colour)."""
    legend = "".join(
        f'<li><i class="key c{n % NUM_COLOURS}"></i>{escape(name)}</li>' for name, n in names
    )
    return (
        f"<figure><h3>{escape(title)}</h3>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{drawing}</svg>" + (f'<ul class="legend">{legend}</ul>' if names else "") + "</figure>"
    )


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


def _curve(axes: Axes, number: int, name: str, points: list[tuple[float, float]]) -> str:
    places = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
    colour = f"c{number % NUM_COLOURS}"
    line = f'<polyline class="line {colour}" points="{places}"/>'
    if len(points) == 1:
        x, y = places.split(",")
        line = f'<circle class="dot {colour}" cx="{x}" cy="{y}" r="4"/>'
    every = max(1, math.ceil(len(points) / _HOVER_POINTS))
    hover = "".join(
        f'<circle class="hover {colour}" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="6">'
        f"<title>{escape(name)}\nstep {x:,.0f}: {y:.4g}</title></circle>"
        for x, y in points[::every]
    )
    return f"<g>{line}{hover}</g>"


def _marks(axes: Axes, marks: Sequence[tuple[float, str]]) -> list[str]:
    """Vertical lines; their texts stand above the frame, as far as there is room."""
    parts, free_from = [], 0.0
    for step, text in sorted(marks):
        x = axes.x(step)
        width = 6.5 * len(text)
        left = min(max(x - width / 2, 0.0), WIDTH - width)
        note = ""
        if left >= free_from:
            note = f'<text class="note" x="{left:.1f}" y="{TOP - 7}">{escape(text)}</text>'
            free_from = left + width + 8
        parts.append(
            f'<g><title>{escape(text)}, step {step:,.0f}</title><line class="mark" x1="{x:.1f}" '
            f'x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>{note}</g>'
        )
    return parts
