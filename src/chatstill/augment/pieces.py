"""Texts as word-pieces that know their place, and rows ([masked text] [SEP] [text]) that fit the model."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..errors import Problem, UserError
from .predictor import Query
from .words import Word, has_han, is_han

_SPECIAL = re.compile(r"\[.*\]|<.*>")


@dataclass(frozen=True)
class Cut:
    """The pieces of a text: their ids, and the characters (start, end) of each."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def of(self, word: Word) -> range | None:
        """The pieces of a word; None where they do not begin and end with it."""
        starts = [start for start, _ in self.spans]
        first = bisect_left(starts, word.start)
        while first < len(self.spans) and self.spans[first][1] <= word.start:
            first += 1  # a blank that is a piece of its own
        last = first
        while last < len(self.spans) and self.spans[last][1] <= word.end:
            last += 1
        found = self.spans[first:last]
        if not found or found[0][0] != word.start or found[-1][1] != word.end:
            return None
        return range(first, last)


def _past_blanks(text: str, start: int, end: int) -> int:
    """Where a piece's own signs begin: some tokenizers count the blank before a word as the piece's."""
    while start < end and text[start].isspace():
        start += 1
    return start


class Pieces:
    """A tokenizer's pieces.

    Raises:
        UserError: the tokenizer cannot say where pieces stand, or has no mask.
    """

    def __init__(self, tokenizer: Any, place: str) -> None:
        fast = getattr(tokenizer, "is_fast", False)
        if not fast or tokenizer.mask_token_id is None:
            what = "has no mask token" if fast else "cannot say where its pieces stand in a text"
            message = f"{type(tokenizer).__name__} {what}"
            hint = "Name a masked language model with a tokenizer.json and a mask token."
            raise UserError(Problem(place, message, hint, code="augment.tokenizer-unfit"))
        self.tokenizer, self.mask = tokenizer, int(tokenizer.mask_token_id)
        whole = tokenizer("a", "b", return_special_tokens_mask=True, return_token_type_ids=True)
        special = [bool(flag) for flag in whole["special_tokens_mask"]]
        groups: list[list[tuple[int, int]]] = [[]]
        inside = False
        for flag, number, kind in zip(
            special, whole["input_ids"], whole["token_type_ids"], strict=True
        ):
            if flag:
                groups[-1].append((number, kind))
            elif not inside:
                groups.append([])
            inside = not flag
        if len(groups) != 3:
            message = f"{type(tokenizer).__name__} puts nothing between two texts"
            raise UserError(Problem(place, message, code="augment.tokenizer-without-separator"))
        self._before, self._between, self._after = groups
        self._types = self._types_of(whole["token_type_ids"], special)

    @staticmethod
    def _types_of(types: Sequence[int], special: Sequence[bool]) -> tuple[int, int]:
        """The token types of the first and of the second text."""
        texts = [kind for kind, flag in zip(types, special, strict=True) if not flag]
        return texts[0], texts[-1]

    def cut_all(self, texts: Sequence[str]) -> list[Cut]:
        """The pieces of each text; special tokens that stand in it are text."""
        if not texts:
            return []
        found = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
            truncation=False,
            padding=False,
            verbose=False,
        )
        parts = zip(texts, found["input_ids"], found["offset_mapping"], strict=True)
        return [
            Cut(tuple(ids), tuple((_past_blanks(text, *span), span[1]) for span in spans))
            for text, ids, spans in parts
        ]

    def query(self, cut: Cut, word: range, filled: Sequence[int], at: int, longest: int) -> Query:
        """The row that asks for one place of a word.

        Of a text that is too long both sides are the same window around the word.

        Args:
            cut: The text's pieces.
            word: The word's pieces.
            filled: The tokens in its place: masks, and pieces that are chosen already.
            at: Which of them is asked for.
            longest: The most tokens of a row.
        """
        special = len(self._before) + len(self._between) + len(self._after)
        room = max((longest - special - max(0, len(filled) - len(word))) // 2, len(word))
        first = 0
        if len(cut.ids) > room:
            first = (word.start + word.stop - room) // 2
            first = max(0, min(first, len(cut.ids) - room))
        window = cut.ids[first : first + room] if len(cut.ids) > room else cut.ids
        start, stop = word.start - first, word.stop - first
        masked = (*window[:start], *filled, *window[stop:])
        one, two = self._types
        parts = [
            *self._before,
            *((number, one) for number in masked),
            *self._between,
            *((number, two) for number in window),
            *self._after,
        ]
        ids, types = zip(*parts, strict=True)
        return Query(ids, types, len(self._before) + start + at)

    def is_long(self, cut: Cut, longest: int) -> bool:
        """Whether a text is read in windows."""
        special = len(self._before) + len(self._between) + len(self._after)
        return 2 * len(cut.ids) + special > longest

    @cached_property
    def _names(self) -> list[str]:
        known = {number: name for name, number in self.tokenizer.get_vocab().items()}
        return [known.get(number, "") for number in range(max(known) + 1)]

    @cached_property
    def _start(self) -> str:
        """The sign in front of pieces that begin a word; empty where the others have one (``##``)."""
        for sign in ("Ġ", "▁"):
            if sum(name.startswith(sign) for name in self._names) > len(self._names) // 100:
                return sign
        return ""

    def word_of(self, number: int) -> str | None:
        """The word that a piece is; None for inner pieces, special tokens, Chinese, and what is no letter."""
        name = self._names[number] if number < len(self._names) else ""
        if number in self._special or _SPECIAL.fullmatch(name):
            return None
        if self._start:
            if not name.startswith(self._start):
                return None
            name = self.tokenizer.decode([number]).strip()
        return name if name.isalpha() and not has_han(name) else None  # "##" is no letter

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.tokenizer.all_special_ids)

    @cached_property
    def han(self) -> Tensor:
        """(V,) bool: pieces that are one Chinese character by itself."""
        return torch.tensor([len(name) == 1 and is_han(name) for name in self._names])

    def sign(self, number: int) -> str:
        """The character of such a piece."""
        return self._names[number]
