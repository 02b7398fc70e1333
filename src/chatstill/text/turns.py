"""The turns of a dialogue as one text: what is left of them where they are too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def newest(tokens: list[Any], most: int, separator: Sequence[Any]) -> list[Any]:
    """The last tokens of turns that are joined by a separator: no separator is left before the first.

    Args:
        tokens: Of all turns, oldest first.
        most: How many are kept at most.
        separator: What stands between two turns.
    """
    if len(tokens) <= most:
        return tokens
    kept, size = tokens[len(tokens) - most :], len(separator)
    return kept[size:] if kept[:size] == list(separator) else kept
