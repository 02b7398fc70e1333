"""The best strings of n Chinese characters in the place of a word of n, filled left to right with a beam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .pieces import Cut, Pieces
from .predictor import Predictor
from .words import Word

WIDTH = 5  # strings that are filled further


class Slot(NamedTuple):
    """A word of a sentence, and its pieces among those of the text."""

    sentence: int
    word: Word
    cut: Cut
    place: range

    @property
    def key(self) -> tuple[int, int]:
        return self.sentence, self.word.start


class _Partial(NamedTuple):
    """The characters that are filled so far, by piece, and the sum of their log-probabilities."""

    ids: tuple[int, ...]
    score: int


def best_strings(
    predictor: Predictor, pieces: Pieces, slots: Sequence[Slot], number: int
) -> list[list[str]]:
    """The best strings of each word's length, best first, without the word itself.

    All its characters are masked at once and the whole text stands beside it. The first place is filled
    first, each further one with those before it in place. Only pieces that are one Chinese character are
    taken: no special token and no Latin piece. Of equal scores the lower piece numbers go first.

    Args:
        predictor: The masked language model.
        pieces: Its tokenizer.
        slots: The words.
        number: The most strings of a word.
    """
    beams: list[list[_Partial]] = [[_Partial((), 0)] for _ in slots]
    longest = max((len(slot.word.text) for slot in slots), default=0)
    if not slots or not bool(pieces.han.any()):
        return [[] for _ in slots]
    for step in range(longest):
        asked = [
            (at, partial)
            for at, slot in enumerate(slots)
            if len(slot.word.text) > step
            for partial in beams[at]
        ]
        queries = [
            pieces.query(
                slots[at].cut,
                slots[at].place,
                _filled(partial, len(slots[at].word.text), pieces.mask),
                step,
                predictor.longest,
            )
            for at, partial in asked
        ]
        grown: dict[int, list[_Partial]] = {}
        found = predictor.best(queries, max(number + 1, WIDTH), pieces.han)
        for (at, partial), best in zip(asked, found, strict=True):
            grown.setdefault(at, []).extend(
                _Partial((*partial.ids, piece), partial.score + score)
                for piece, score in zip(best.ids, best.scores, strict=True)
            )
        for at, partials in grown.items():
            is_last = len(slots[at].word.text) == step + 1
            partials.sort(key=lambda one: (-one.score, one.ids))
            beams[at] = partials[: number + 1 if is_last else WIDTH]
    return [
        [text for one in beam if (text := _text(one, pieces)) != slot.word.text][:number]
        for slot, beam in zip(slots, beams, strict=True)
    ]


def _filled(partial: _Partial, length: int, mask: int) -> tuple[int, ...]:
    return (*partial.ids, *[mask] * (length - len(partial.ids)))


def _text(partial: _Partial, pieces: Pieces) -> str:
    return "".join(pieces.sign(piece) for piece in partial.ids)
