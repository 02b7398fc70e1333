"""Where the names of points go: over no other name, and over as little else as can be."""

import math
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from .drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

FONT, LINE = 12.5, 15.0
_PER_LINE = 24
_MISLEADING, _UNPLACED = 25.0, 1e6
_ALL_ORDERS = 5
_DIRECTIONS = ((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1))


@dataclass(frozen=True)
class Dot:
    """A point with its interval upwards, in units of the data or of the drawing."""

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle on the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The common area."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across * down if across > 0 and down > 0 else 0.0

    def distance(self, dot: Dot) -> float:
        """From the rectangle to a point."""
        across = max(self.left - dot.x, dot.x - self.right, 0.0)
        return math.hypot(across, max(self.top - dot.y, dot.y - self.bottom, 0.0))

    def inside(self, other: "Box") -> bool:
        """Whether it lies in the other box."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom


FRAME = Box(LEFT, TOP - 10, WIDTH - RIGHT, HEIGHT - BOTTOM)


def place_labels(dots: Sequence[Dot]) -> list[Box | None]:
    """A box inside the frame for each name; None if the plot is too full.

    Places are tried in eight directions and growing distance, one name after the other; for a few
    points every order is tried and the cheapest taken.

    Args:
        dots: In units of the drawing.
    """
    candidates = [_candidates(dot, number, dots) for number, dot in enumerate(dots)]
    from_above = sorted(range(len(dots)), key=lambda number: (dots[number].y, dots[number].x))
    orders = permutations(from_above) if len(dots) <= _ALL_ORDERS else [tuple(from_above)]
    return min((_place(order, candidates) for order in orders), key=lambda placed: placed[0])[1]


def name_lines(name: str) -> list[str]:
    """A name in at most two lines of like length."""
    lines = textwrap.wrap(name, _PER_LINE, max_lines=2, placeholder="…") or [""]
    for width in range(max(map(len, lines)) // 2 + 1, _PER_LINE):
        narrower = textwrap.wrap(name, width, break_long_words=False)
        if len(lines) == 2 >= len(narrower) and max(map(len, narrower)) <= width:
            return narrower
    return lines


def text_width(text: str) -> float:
    """A generous guess of a text's width; wide (Chinese) characters count one font size."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return FONT * (wide + 0.62 * (len(text) - wide)) + 2


def _place(
    order: Sequence[int], candidates: Sequence[Sequence[tuple[float, Box]]]
) -> tuple[float, list[Box | None]]:
    """The cheapest free place for each name in turn, and what all of them cost."""
    found: list[Box | None] = [None] * len(candidates)
    taken: list[Box] = []
    total = 0.0
    for number in order:
        for cost, box in candidates[number]:
            if not any(box.overlap(other) for other in taken):
                found[number] = box
                taken.append(box)
                total += cost
                break
        else:
            total += _UNPLACED
    return total, found


def _candidates(dot: Dot, own: int, dots: Sequence[Dot]) -> list[tuple[float, Box]]:
    """Places inside the frame with their costs, the cheapest first."""
    lines = name_lines(dot.name)
    width, height = max(map(text_width, lines)), LINE * len(lines) + 3
    obstacles = [box for other in dots for box in _shapes(other)]
    places = []
    for distance in (9.0, 16.0, 26.0, 38.0, 52.0, 70.0, 90.0, 120.0, 160.0):
        for across, down in _DIRECTIONS:
            left = dot.x - width / 2 + across * (distance + width / 2)
            top = dot.y - height / 2 + down * (distance + height / 2)
            box = Box(left, top, left + width, top + height)
            if box.inside(FRAME):
                cost = sum(box.overlap(other) for other in obstacles) + distance
                places.append((cost + _MISLEADING * _misleads(box, own, dots), box))
    return sorted(places, key=lambda place: place[0])


def _misleads(box: Box, own: int, dots: Sequence[Dot]) -> int:
    """How many other points are about as near to the name as its own."""
    reach = min(30.0, box.distance(dots[own]) + 8)
    return sum(number != own and box.distance(dot) < reach for number, dot in enumerate(dots))


def _shapes(dot: Dot) -> list[Box]:
    """What a name should not cover: the point and its interval."""
    boxes = [Box(dot.x - 7, dot.y - 7, dot.x + 7, dot.y + 7)]
    if dot.low is not None and dot.high is not None:
        boxes.append(Box(dot.x - 5, dot.high, dot.x + 5, dot.low))
    return boxes
