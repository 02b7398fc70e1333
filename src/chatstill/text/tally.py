"""Tokens and unknown words of texts, counted: what a tokenizer makes of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .unknown import UNKNOWN_SIGN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase


class Tally(NamedTuple):
    """Of some texts, without special tokens and uncut.

    Attributes:
        lengths: (texts,) tokens.
        unknown: (texts,) tokens that are the unknown one.
        words: The texts' stretches that became it, as they stand there.
    """

    lengths: np.ndarray
    unknown: np.ndarray
    words: Counter[str]


def tally(tokenizer: Tokenizer, texts: Sequence[str]) -> Tally:
    """Counts tokens; words that the vocabulary lacks are named where the tokenizer keeps offsets.

    Equal texts are tokenised once. A word that falls to pieces, one of them unknown, is named by that
    piece alone, as the tokenizer splits it.
    """
    places: dict[str, int] = {}
    index = np.array([places.setdefault(text, len(places)) for text in texts], np.int64)
    unique = list(places)
    unknown_id = tokenizer.unk_token_id
    rows = _ids(tokenizer, unique)
    lengths = np.array([len(row) for row in rows], np.int64)
    unknown = np.array([row.count(unknown_id) for row in rows], np.int64)
    words: Counter[str] = Counter()
    touched = np.flatnonzero(unknown)
    if len(touched):
        times = np.bincount(index, minlength=len(unique))
        named = _unknown_words(tokenizer, [unique[at] for at in touched], unknown_id)
        for at, found in zip(touched, named, strict=True):
            for word in found:
                words[word] += int(times[at])
    return Tally(lengths[index], unknown[index], words)


def _lacks(known: dict[str, int], word: str, unknown_id: int | None) -> bool:
    return known.get(word, unknown_id) == unknown_id


def _ids(tokenizer: Any, texts: list[str]) -> list[list[Any]]:
    """What each text's length is counted in: ids, or words where each is several ids."""
    if not texts:
        return []
    if (words_of_all := getattr(tokenizer, "words_of_all", None)) is not None:
        words: list[list[Any]] = words_of_all(texts)
        return words
    return tokenizer(texts, **_PLAIN)["input_ids"]


def _unknown_words(tokenizer: Any, texts: list[str], unknown_id: int | None) -> list[list[str]]:
    """The stretches of each text that became the unknown token; none without offsets."""
    if (cut_all := getattr(tokenizer, "cut_all", None)) is not None:  # one of words
        known = tokenizer.get_vocab()
        cut = cut_all(texts)
        # The mask of augmented rows is cut as the unknown word itself.
        return [
            [
                word if word not in known else UNKNOWN_SIGN
                for word in words
                if _lacks(known, word, unknown_id)
            ]
            for words in cut
        ]
    if not getattr(tokenizer, "is_fast", False):
        return [[] for _ in texts]
    found = tokenizer(texts, **_PLAIN, return_offsets_mapping=True)
    return [
        [
            text[start:end]
            for number, (start, end) in zip(ids, offsets, strict=True)
            if number == unknown_id
        ]
        for text, ids, offsets in zip(
            texts, found["input_ids"], found["offset_mapping"], strict=True
        )
    ]


_PLAIN: dict[str, Any] = {
    "add_special_tokens": False,
    "truncation": False,
    "padding": False,
    "return_attention_mask": False,
    "return_token_type_ids": False,
    "verbose": False,
}
