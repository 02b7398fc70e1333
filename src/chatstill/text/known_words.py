"""Texts of which a network knows no word, counted: what it says of them says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def wordless(rows: Iterable[Iterable[int]], tokenizer: Any) -> int:
    """How many rows hold no id but those of special tokens, the unknown word among them.

    Args:
        rows: The ids of each; of a network of bytes those of all bytes, of which none is unknown.
        tokenizer: Theirs.
    """
    no_words = frozenset(tokenizer.all_special_ids)
    return sum(no_words.issuperset(row) for row in rows)
