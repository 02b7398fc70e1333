"""Candidates for the words of sentences: TinyBERT's algorithm (METHODS: 1909.10351, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .beam import Slot, best_strings
from .choices import Choices, Found
from .neighbours import Neighbours
from .pieces import Cut, Pieces
from .predictor import Predictor
from .words import Cut as Segment
from .words import Word, others, replaceable


@dataclass
class Finder:
    """Looks for candidates.

    A word that is one piece takes the best pieces of the masked language model on ([masked sentence] [SEP]
    [sentence]); inner pieces, special tokens, what is not letters and the word itself are dropped from
    these. A word of several pieces takes its nearest neighbours among word vectors. A Chinese word takes
    strings of as many characters.

    Args:
        predictor: The masked language model.
        pieces: Its tokenizer.
        number: The most candidates of a word.
        neighbours: Of words of several pieces; None leaves these as they are.
        segment: Cuts Chinese into words; None where the texts have none.
    """

    predictor: Predictor
    pieces: Pieces
    number: int
    neighbours: Neighbours | None = None
    segment: Segment | None = None

    def of(self, sentences: Sequence[str]) -> list[Found]:
        """The words of each sentence, with their candidates."""
        cuts = self.pieces.cut_all(sentences)
        words = [replaceable(text, self.segment) for text in sentences]
        slots, several = self._slots(cuts, words)
        by_word: dict[tuple[int, int], list[str]] = {}
        letters = [slot for slot in slots if slot.word.kind == "letters"]
        for slot, found in zip(letters, self._predicted(letters), strict=True):
            by_word[slot.key] = found
        han = [slot for slot in slots if slot.word.kind == "han"]
        strings = best_strings(self.predictor, self.pieces, han, self.number)
        by_word |= {slot.key: found for slot, found in zip(han, strings, strict=True)}
        if self.neighbours is not None:
            near = self.neighbours.of([word.text for _, word in several], self.number)
            for (sentence, word), found in zip(several, near, strict=True):
                by_word[sentence, word.start] = found
        longest = self.predictor.longest
        return [
            Found(
                [Choices(w.start, w.end, by_word.get((n, w.start), [])) for w in of_one],
                bool(of_one) and self.pieces.is_long(cut, longest),
            )
            for n, (cut, of_one) in enumerate(zip(cuts, words, strict=True))
        ]

    def _slots(
        self, cuts: list[Cut], words: list[list[Word]]
    ) -> tuple[list[Slot], list[tuple[int, Word]]]:
        """Words that the masked language model is asked for, and those of several pieces."""
        slots, several = [], []
        for number, (cut, of_one) in enumerate(zip(cuts, words, strict=True)):
            for word in of_one:
                place = cut.of(word)
                if place is not None and (word.kind == "han" or len(place) == 1):
                    slots.append(Slot(number, word, cut, place))
                elif word.kind == "letters":
                    several.append((number, word))
        return slots, several

    def _predicted(self, slots: list[Slot]) -> list[list[str]]:
        """Candidates of words of one piece, best first."""
        mask, longest = (self.pieces.mask,), self.predictor.longest
        queries = [self.pieces.query(s.cut, s.place, mask, 0, longest) for s in slots]
        found = self.predictor.best(queries, self.number)
        return [
            others(
                slot.word.text,
                # An uncased model's piece of "Café" is "cafe": the word itself.
                (self.pieces.word_of(n) for n in one.ids if n != slot.cut.ids[slot.place.start]),
            )
            for slot, one in zip(slots, found, strict=True)
        ]
