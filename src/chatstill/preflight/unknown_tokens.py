"""Tokens and words of the rows that the network does not know: what is told of them."""

from __future__ import annotations

from typing import Any

from ..errors import Problem
from ..figures import percent
from ..text.unknown import UNKNOWN_SIGN

UNKNOWN, ALL_UNKNOWN = 0.05, 0.99  # shares of tokens: told, and of pieces refused


def unmeant(unknown: dict[str, Any]) -> float:
    """The share of unknown tokens that are no masks of augmented rows, unknown on purpose."""
    masks = sum(of["count"] for of in unknown["commonest"] if of["text"] == UNKNOWN_SIGN)
    return 1 - min(1, masks / max(1, unknown["tokens"]))


def unknown_problem(split: str, unknown: dict[str, Any], words: bool) -> Problem:
    """Of too many unknown tokens; a student of words knows those that stand often enough in its texts."""
    words_of = [item["text"] for item in unknown["commonest"] if item["text"] != UNKNOWN_SIGN]
    common = ", ".join(words_of[:5])
    named = f": {common}" if common else ""
    share = percent(unknown["share_of_tokens"] * unmeant(unknown))
    if words:
        return Problem(
            split,
            f"{share} of the words are unknown to the network, whose words are those of the texts that it "
            f"was begun with{named}",
            "In a new network more rows, also without labels, a lower min_count or a higher max_words bring "
            'more words, and of Chinese "segmenter": "characters" leaves few unknown; one that goes on from '
            "a folder keeps its own.",
            "warning",
            code="data.unknown-words",
        )
    return Problem(
        split,
        f"{share} of the tokens are unknown to the tokenizer{named}",
        "Is it the tokenizer for this language, and do_lower_case right?",
        "error" if unknown["share_of_tokens"] * unmeant(unknown) > ALL_UNKNOWN else "warning",
        code="data.unknown-tokens",
    )
