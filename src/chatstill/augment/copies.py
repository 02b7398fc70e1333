"""The copies of a row by TinyBERT's algorithm: each word by itself is replaced or kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .choices import Choices
from .draws import FIRST, SECOND, choice, drawn
from .words import cased_like, put


class Copy(NamedTuple):
    """The texts of a copy; None for one that is the original's."""

    first: str | None
    second: str | None


def copies_of(
    row: int,
    texts: Sequence[str],
    choices: Sequence[Sequence[Choices]],
    *,
    copies: int,
    seed: int,
    probability: float,
) -> Iterator[Copy]:
    """Copies with another first text, then such with another second one; the other side is the original's.

    Args:
        row: Number of the original row, from 0.
        texts: Its one or two texts.
        choices: The words of each text that may be replaced.
        copies: Of each text.
        seed: Of all draws.
        probability: By which a word that has candidates is replaced.
    """
    for side in (FIRST, SECOND)[: len(texts)]:
        for copy in range(copies):
            place = (seed, row, copy, side)
            text = changed(texts[side], choices[side], place, probability)
            yield Copy(text, None) if side == FIRST else Copy(None, text)


def changed(
    text: str,
    choices: Sequence[Choices],
    place: tuple[int, int, int, int],
    probability: float,
) -> str:
    """A text with some of its words replaced, in their casing.

    Args:
        text: The original.
        choices: Its words that may be replaced, in order; without candidates a word stays.
        place: Seed, row, copy and side.
        probability: By which a word is replaced.
    """
    changes = []
    for word in choices:
        if not word.words:
            continue
        whether, which = drawn(*place, word.start)
        if whether < probability:
            candidate = word.words[choice(which, len(word.words))]
            own = text[word.start : word.end]
            changes.append((word.start, word.end, cased_like(own, candidate)))
    return put(text, changes)
