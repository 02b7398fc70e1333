"""Words of one tokenizer weigh pieces of another: the pieces that a word overlaps share its weight.

So a teacher's sentence vector can be weighted by how rare the words of its student are (LTD-BERT).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..data.encoded import Lengths
from ..data.fingerprint import array_digest
from ..errors import Problem, UserError
from .columns import WEIGHTS, TokenColumn
from .word_pieces import RowEncoder, plain_backend

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..text.word_tokenizer import WordTokenizer

Shares = Literal["even", "characters"]
Word = tuple[int, int, float]  # begin and end in the text, weight
Place = tuple[int, int]
BASE = 0.1  # of each character, beside its share of the word's weight
ID_BITS = 32


@dataclass(frozen=True)
class WordWeights:
    """What each word weighs.

    Attributes:
        words: Cuts texts into them.
        table: (V,) float32 by id, that of the unknown word too.
        shares: ``even``: the pieces that overlap a word have equal parts of its weight. ``characters``:
            each of a word's n characters weighs weight / n + 0.1, and a piece as much as its characters.
    """

    words: WordTokenizer
    table: np.ndarray
    shares: Shares = "even"

    def of_texts(self, texts: Sequence[str]) -> Iterator[tuple[str, list[Word]]]:
        """Of each text what is cut, normalised where asked for, and its words in their order."""
        for form, words in self.words.cut_as_they_stand(texts):
            weights = self.table[self.words.ids_of_words(words)].tolist()
            signs = [at for at, sign in enumerate(form) if not sign.isspace()]
            found, begin = list[Word](), 0
            for word, weight in zip(words, weights, strict=True):
                end = begin + sum(not sign.isspace() for sign in word)
                found.append((signs[begin], signs[end - 1] + 1, weight))
                begin = end
            yield form, found

    def of_pieces(self, words: Sequence[Word], pieces: Sequence[Place]) -> list[float]:
        """The weight of each piece; 0 where it overlaps no word.

        Args:
            words: Of a text, in their order.
            pieces: Begin and end of each in the same text.
        """
        common = [
            (word, piece, length)
            for piece, place in enumerate(pieces)
            for word, length in _overlapped(words, place)
        ]
        number = np.zeros(len(words), np.int64)
        np.add.at(number, [word for word, _, _ in common], 1)
        found = [0.0] * len(pieces)
        for word, piece, length in common:
            begin, end, weight = words[word]
            if self.shares == "even":
                found[piece] += weight / int(number[word])
            else:
                found[piece] += length * (weight / (end - begin) + BASE)
        return found

    def identity(self) -> dict[str, Any]:
        """All that decides what a piece weighs, by content."""
        return {
            "words": self.words.identity(),
            "table": array_digest(self.table),
            "shares": self.shares,
        }


def _overlapped(words: Sequence[Word], place: Place) -> Iterator[tuple[int, int]]:
    """Number of each word that a piece overlaps, and the characters that they have in common."""
    begin, end = place
    low, high = 0, len(words)
    while low < high:  # the first word that ends behind the piece's begin
        middle = (low + high) // 2
        low, high = (middle + 1, high) if words[middle][1] <= begin else (low, middle)
    while low < len(words) and words[low][0] < end:
        yield low, min(end, words[low][1]) - max(begin, words[low][0])
        low += 1


class WeighingEncoder(RowEncoder):
    """Rows to ids and, beside each, what the student's words make it weigh; special tokens weigh 0.

    An id and its weight travel as one number until rows are cut and put together.

    Args:
        weights: Of the words; the others as of ``RowEncoder``.
        place: The key that asks for weights, for messages.

    Raises:
        UserError: the tokenizer does not say where in a text a piece stands.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        lengths: Lengths,
        weights: WordWeights,
        *,
        mark_sides: bool = False,
        computed: Sequence[TokenColumn] = (),
    ) -> None:
        super().__init__(tokenizer, lengths, mark_sides=mark_sides, computed=computed)
        self.weights = weights
        self.columns = [*self.columns, WEIGHTS]
        self._backend = plain_backend(tokenizer)
        if self._backend is None:
            message = (
                "the teacher's tokenizer is one in Python, which does not say where in a text a piece "
                "stands: words cannot weigh its pieces"
            )
            hint = 'Take another pooling: "mean" or "cls".'
            raise UserError(Problem("pooling", message, hint, code="words.no-places-of-pieces"))

    def identity(self) -> dict[str, Any]:
        return super().identity() | {"word weights": self.weights.identity()}

    def _plain(self, texts: list[str]) -> list[list[int]]:
        different = list(dict.fromkeys(texts))
        cut = list(self.weights.of_texts(different))
        backend = self._backend
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = bool(self.tokenizer.split_special_tokens)
        encoded = backend.encode_batch([form for form, _ in cut], add_special_tokens=False)
        found = {}
        for text, one, (_, words) in zip(different, encoded, cut, strict=True):
            weights = np.array(self.weights.of_pieces(words, one.offsets), np.float32)
            bits = weights.view(np.uint32).astype(np.int64) << ID_BITS
            found[text] = (bits | np.array(one.ids, np.int64)).tolist()
        return [found[text] for text in texts]

    def _arrays(self, ids: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        numbers, columns = super()._arrays(ids & ((1 << ID_BITS) - 1))
        weights = (ids >> ID_BITS).astype(np.uint32).view(np.float32)
        return numbers, {**columns, WEIGHTS.name: weights}
