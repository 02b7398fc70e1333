"""Arrays beside a row's ids, a value for each token: how much it weighs, whether a word begins with it.

They are prepared with the rows, are part of their fingerprint, and are made only where a method reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..data.encoded import Column
from ..data.fingerprint import array_digest
from ..data.preparing import chunked
from ..text.pieces import begin_words, pieces_of
from ..text.vocabulary import num_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..tasks.base import Example

WEIGHTS = Column("token_weights", "float32", 0.0)
WORD_STARTS = Column("word_starts", "uint8", 0.0)


class TokenColumn(Protocol):
    """What computes a column."""

    column: Column

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Values (total,) of the ids (total,) of rows one after another."""
        ...

    def identity(self) -> str:
        """What decides the values, by content."""
        ...


@dataclass(frozen=True)
class TokenWeights:
    """Inverse document frequency of each token.

    Attributes:
        table: (V,) float32 by id.
    """

    table: np.ndarray
    column = WEIGHTS

    def of(self, ids: np.ndarray) -> np.ndarray:
        return self.table[ids]

    def identity(self) -> str:
        return array_digest(self.table)

    @classmethod
    def fit(
        cls,
        rows: Iterable[Example],
        ids_of: Callable[[list[str]], list[list[int]]],
        tokenizer: PreTrainedTokenizerBase,
    ) -> TokenWeights:
        """log((1 + N) / (1 + df)) + 1 over the N texts of the rows; special tokens weigh 0.

        A text that stands in several rows counts in each. A token that is in no text weighs as much as
        the rarest.

        Args:
            rows: The training rows, as they are prepared.
            ids_of: Ids of texts, without special tokens and uncut.
            tokenizer: Theirs.
        """
        counts, texts = np.zeros(num_ids(tokenizer), np.int64), 0
        for chunk in chunked(rows):
            some = list(chain.from_iterable(_texts(row) for row in chunk))
            texts += len(some)
            for ids in ids_of(some):
                counts[np.unique(np.array(ids, np.int64))] += 1
        table = (np.log((1 + texts) / (1 + counts)) + 1).astype(np.float32)
        table[sorted(tokenizer.all_special_ids)] = 0.0
        return cls(table)


class WordStarts:
    """1 where a word begins, 0 inside words and at special tokens.

    Pieces say it by their spelling: ``##`` before what goes on with a word, or a mark of the blank before
    what begins one; so does the place behind a special token. Ids of words begin one each.
    """

    column = WORD_STARTS

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        pieces = pieces_of(tokenizer)
        self.special = np.zeros(len(pieces), bool)
        self.special[sorted(tokenizer.all_special_ids)] = True
        self.starts = np.array(begin_words(pieces)) & ~self.special

    def of(self, ids: np.ndarray) -> np.ndarray:
        special = self.special[ids]
        behind = np.concatenate([[True], special[:-1]])
        return ((self.starts[ids] | behind) & ~special).astype(np.uint8)

    def identity(self) -> str:
        return array_digest(self.starts.astype(np.uint8))


def _texts(row: Example) -> Iterable[str]:
    yield from row.context
    yield row.text_a
    if row.text_b is not None:
        yield row.text_b
