"""The frame of a chart: scales, round ticks, grid, axis titles. Hand-written SVG."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 22, 46


@dataclass(frozen=True)
class Axes:
    """Ranges of the values, the steps between ticks, and their place on the drawing."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    x_step: float
    y_step: float

    def x(self, value: float) -> float:
        """Horizontal place of a value, clipped to the frame."""
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Vertical place of a value, clipped to the frame."""
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - min(1.0, max(0.0, share)) * (HEIGHT - TOP - BOTTOM)


def fitted(
    xs: Iterable[float],
    ys: Iterable[float],
    *,
    x_from: float | None = None,
    y_from: float | None = None,
) -> Axes:
    """Axes around finite values, widened to whole ticks.

    Args:
        xs: Values across.
        ys: Values upwards.
        x_from: Where the horizontal axis begins, if not at the values.
        y_from: The same for the vertical axis.
    """
    x_low, x_high = _range(xs, x_from)
    y_low, y_high = _range(ys, y_from)
    x_step, y_step = tick_step(x_low, x_high), tick_step(y_low, y_high)
    x_end = x_high if x_from is None else math.ceil(x_high / x_step - 1e-9) * x_step
    return Axes(
        x_low,
        x_end,
        math.floor(y_low / y_step + 1e-9) * y_step,
        math.ceil(y_high / y_step - 1e-9) * y_step,
        x_step,
        y_step,
    )


def tick_step(low: float, high: float, count: int = 5) -> float:
    """1, 2 or 5 times a power of ten, so that about ``count`` ticks lie in the range."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if raw <= power * factor * 1.0001)


def ticks(low: float, high: float, step: float) -> list[float]:
    """The multiples of a step inside a range."""
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick with as many digits as its step needs; from steps of 2,000 on as k, then as M."""
    if abs(value) < step / 1000:
        return "0" if step >= 1 else f"{0:.{min(6, _digits(step))}f}"
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if step >= 2 * factor:
            return f"{value / factor:,.0f}{letter}"
    return f"{value:,.{_digits(step)}f}" if step >= 1e-5 else f"{value:.1e}"


def frame(axes: Axes, x_label: str, y_label: str) -> str:
    """Grid lines, tick texts and axis titles."""
    bottom = HEIGHT - BOTTOM
    parts: list[str] = []
    for value in ticks(axes.y_low, axes.y_high, axes.y_step):
        y = axes.y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        text = tick_text(value, axes.y_step)
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for value in ticks(axes.x_low, axes.x_high, axes.x_step):
        x = axes.x(value)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
        )
        text = tick_text(value, axes.x_step)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>'
        )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    )
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + bottom) / 2
    parts.append(
        f'<text class="label" x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text class="label" transform="translate(11 {middle_y}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _range(values: Iterable[float], start: float | None) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if start is not None:
        low = min(low, start)
    if high - low < 1e-9 * max(1.0, abs(high)):
        wide = abs(high) * 0.1 or 1.0
        low, high = (low, high + wide) if start is not None else (low - wide, high + wide)
    return low, high


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
