"""The copies of a row by the rules of the distilled BiLSTM (Tang et al., 1903.12136).

Of each word one number is drawn: it is masked, becomes another word of its part of speech, or stays. Then, by
a chance of its own, a part of one to five words takes the place of the whole text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..text.unknown import UNKNOWN_SIGN
from .copies import Copy
from .draws import FIRST, SECOND, choice, drawn
from .tags import Tagged, Tagger, WordsByTag
from .words import cased_like, put

LONGEST_PART = 5
WHOLE, WHERE = -1, -2  # positions of what is drawn once for a text
TURNS = ((FIRST,), (SECOND,), (FIRST, SECOND))  # of a pair: which text varies, in turn


@dataclass(frozen=True)
class Rules:
    """The rules.

    Attributes:
        tag: Words and their parts of speech.
        by_tag: The words of each part of speech.
        seed: Of all draws.
        mask: The share of words that are masked.
        other: The share that become another word.
        part: The share of copies that become a part.
    """

    tag: Tagger
    by_tag: WordsByTag
    seed: int
    mask: float
    other: float
    part: float

    def copies_of(self, row: int, texts: Sequence[str], copies: int) -> Iterator[Copy]:
        """Copies of one text, or of a pair by turns of the first, the second, and both.

        Args:
            row: Number of the original row, from 0.
            texts: Its one or two texts.
            copies: Of the row.
        """
        tagged = [[one for one in self.tag(text) if _is_word(one[1])] for text in texts]
        for copy in range(copies):
            sides = TURNS[copy % len(TURNS)] if len(texts) == 2 else (FIRST,)
            new: list[str | None] = [None, None]
            for side in sides:
                place = (self.seed, row, copy, side)
                new[side] = self._changed(texts[side], tagged[side], place)
            yield Copy(*new)

    def _changed(self, text: str, words: Tagged, place: tuple[int, int, int, int]) -> str:
        replaced = [self._word(word, tag, drawn(*place, start)) for start, word, tag in words]
        places = [(start, start + len(word)) for start, word, _ in words]
        whether, length = drawn(*place, WHOLE)
        first, last = 0, len(words) - 1
        if whether < self.part and words:
            size = min(1 + choice(length, LONGEST_PART), len(words))
            first = choice(drawn(*place, WHERE)[0], len(words) - size + 1)
            last = first + size - 1
            start, end = places[first][0], places[last][1]
        else:
            start, end = 0, len(text)
        changes = [
            (a - start, b - start, word)
            for (a, b), word in zip(
                places[first : last + 1], replaced[first : last + 1], strict=True
            )
        ]
        return put(text[start:end], changes)

    def _word(self, word: str, tag: str, numbers: tuple[float, float]) -> str:
        which, uniform = numbers
        if which < self.mask:
            return UNKNOWN_SIGN
        if which < self.mask + self.other and tag:
            other = self.by_tag.other(word, tag, uniform)
            return word if other is None else cased_like(word, other)
        return word


def _is_word(text: str) -> bool:
    """Signs alone are none: they stand between words."""
    return any(sign.isalnum() for sign in text)
