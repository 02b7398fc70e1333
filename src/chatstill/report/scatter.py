"""The quality-latency plot: points with intervals, each with its name beside it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from .axes import Axes, fitted, frame
from .curves import NUM_COLOURS, figure
from .placing import FONT, LINE, Box, Dot, name_lines, place_labels

_APART = (
    10.0  # points closer than this on the drawing are moved aside, to tell their intervals apart
)


def scatter_plot(dots: Sequence[Dot], *, title: str, x_label: str, y_label: str) -> str:
    """A figure with one labelled point per row; the horizontal axis begins at 0.

    Args:
        dots: Values; ones that are not finite are left out.
        title: Heading, also for screen readers.
        x_label: Title of the horizontal axis.
        y_label: Title of the vertical axis.

    Returns:
        HTML; empty if there is nothing to draw.
    """
    dots = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]
    if not dots:
        return ""
    ends = [end for dot in dots for end in (dot.low, dot.high, dot.y) if end is not None]
    axes = fitted([1.15 * max(dot.x for dot in dots)], ends, x_from=0.0)
    placed = spread(dots, axes)
    labels = place_labels(placed)
    parts = [frame(axes, x_label, y_label)]
    parts += [_leader(dot, box) for dot, box in zip(placed, labels, strict=True) if box]
    parts += [
        _dot(number, place, _tooltip(dot))
        for number, (dot, place) in enumerate(zip(dots, placed, strict=True))
    ]
    parts += [
        _name(number, dot, box)
        for number, (dot, box) in enumerate(zip(placed, labels, strict=True))
        if box
    ]
    return figure(title, "".join(parts), [])


def spread(dots: Sequence[Dot], axes: Axes) -> list[Dot]:
    """The points in units of the drawing, those at nearly one place across moved a little apart."""
    placed = [
        replace(
            dot,
            x=axes.x(dot.x),
            y=axes.y(dot.y),
            low=None if dot.low is None else axes.y(dot.low),
            high=None if dot.high is None else axes.y(dot.high),
        )
        for dot in dots
    ]
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
            placed[number] = replace(placed[number], x=moved if len(cluster) > 1 else middle)
    return placed


def _tooltip(dot: Dot) -> str:
    text = f"{dot.name}\n{dot.x:.4g} ms, {dot.y:.3f}"
    if dot.low is not None and dot.high is not None:
        text += f" [{dot.low:.3f}, {dot.high:.3f}]"
    return text


def _dot(number: int, dot: Dot, tooltip: str) -> str:
    x, y, colour, bar = dot.x, dot.y, f"c{number % NUM_COLOURS}", ""
    if dot.low is not None and dot.high is not None:
        bar = (
            f'<path class="bar {colour}" d="M{x:.1f} {dot.high:.1f}V{dot.low:.1f}'
            f'M{x - 4:.1f} {dot.high:.1f}h8M{x - 4:.1f} {dot.low:.1f}h8"/>'
        )
    circle = f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'
    return f"<g><title>{escape(tooltip)}</title>{bar}{circle}</g>"


def _name(number: int, dot: Dot, box: Box) -> str:
    """One or two lines, flush with the side that faces the point."""
    left = dot.x <= (box.left + box.right) / 2
    anchor, x = ("start", box.left) if left else ("end", box.right)
    lines = "".join(
        f'<tspan x="{x:.1f}" y="{box.top + FONT + row * LINE:.1f}">{escape(line)}</tspan>'
        for row, line in enumerate(name_lines(dot.name))
    )
    colour = f"c{number % NUM_COLOURS}"
    return f'<text class="name {colour}" text-anchor="{anchor}">{lines}</text>'


def _leader(dot: Dot, box: Box) -> str:
    """A thin line from a point to a label that stands far off."""
    end_x = min(max(dot.x, box.left), box.right)
    end_y = min(max(dot.y, box.top), box.bottom)
    if math.hypot(end_x - dot.x, end_y - dot.y) < 22:
        return ""
    place = f'x1="{dot.x:.1f}" y1="{dot.y:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}"'
    return f'<line class="leader" {place}/>'
