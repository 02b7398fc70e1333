"""Lines of a corpus's dev part that stand in its train part: their figures would be of what was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from ..errors import Problem
from .corpus import Lines

LOOKED_AT = 100_000  # lines of dev: memory does not grow with the corpus
TOLD, REFUSED = 0.01, 0.9  # shares of the text of dev


def check_repeats(train: Lines, dev: Lines) -> list[Problem]:
    """An error where nearly all of a named dev part stands in train; else a warning where some does.

    Lines are compared without white space around them, and count by their characters: short ones that
    every text has ("Yes.") are little of it.
    """
    sizes = {hash(line): len(line) for line in islice(_lines(dev), LOOKED_AT)}
    if not sizes:
        return []
    left = dict(sizes)
    for line in _lines(train):
        if left.pop(hash(line), None) is not None and not left:
            break
    share = 1 - sum(left.values()) / sum(sizes.values())
    if share < TOLD:
        return []
    found = f"{len(sizes) - len(left):,} of {len(sizes):,} lines"
    message = f"{found}, {100 * share:.0f} % of the text, stand in {train.name} too"
    if share >= REFUSED and not _files_of(train) & _files_of(dev):
        hint = "Name held-out text that is not trained on."
        return [Problem(dev.name, message, hint, code="corpus.dev-in-train")]
    message += ": figures on dev are too good by what was learnt by heart"
    hint = "Take these lines out of one of the two, or give other text as dev."
    return [Problem(dev.name, message, hint, "warning", code="corpus.some-dev-in-train")]


def _files_of(part: Lines) -> set[str]:
    """Both parts have one in common where the end of train is held out."""
    return {stretch.name for stretch in getattr(part, "stretches", [part])}


def _lines(part: Lines) -> Iterator[str]:
    """Its lines with text."""
    return filter(None, chain.from_iterable(some for _, some in part.read(part.start)))
