"""Masked tokens of rows, drawn for each row by itself.

Either all tokens alike (BERT, arXiv 1810.04805, section 3.1), or in proportion to a power of how rare their
pieces are (the public code of DistilBERT, arXiv 1910.01108; of XLM before it). Of both, whole words only.

What is drawn of a row hangs on the seed, the epoch and the row's number alone: it is the same in any batch,
on any number of processes, and after a resume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOT_COUNTED = -100  # the target of a position that is not predicted
MASKED, REPLACED = 0.8, 0.9  # up to the first the token is [MASK], up to the second another one
ROUNDING = 1e-9  # 0.07 * 100 is a little above 7


@dataclass(frozen=True)
class Masking:
    """How tokens are masked.

    Attributes:
        mask_id: Id of the mask token.
        special: (V,) bool, ids that are never predicted and never put in another's place.
        share: Of a row's other tokens that are predicted, rounded (with ``smoothing`` upwards); at least one
            of each row.
        smoothing: A token is drawn in proportion to max(count of its piece, 1)^-smoothing; None: all alike.
        counts: (V,) how often each piece stands in the training corpus; ``smoothing`` needs them.
        starts: (V,) bool, pieces that begin a word: all pieces of a word are predicted, or none. None: tokens
            are drawn one by one.
    """

    mask_id: int
    special: np.ndarray
    share: float = 0.15
    smoothing: float | None = None
    counts: np.ndarray | None = None
    starts: np.ndarray | None = None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, share: float = 0.15) -> Masking:
        """BERT's, for the ids of a tokenizer that has a mask token."""
        assert isinstance(tokenizer.mask_token_id, int), "checked before: it has a mask token"
        known = sorted(tokenizer.get_vocab().values())
        # A vocab.txt that names a piece twice leaves an id without one, which is no token.
        special = np.ones(max(len(tokenizer), known[-1] + 1), bool)
        special[known] = False
        special[sorted(tokenizer.all_special_ids)] = True
        return cls(tokenizer.mask_token_id, special, share)

    @cached_property
    def log_weights(self) -> np.ndarray:
        """(V,) float64, log of what each piece is drawn in proportion to."""
        if self.smoothing is None:
            return np.zeros(len(self.special))
        assert self.counts is not None, "pieces are counted before the first draw"
        return -self.smoothing * np.log(np.maximum(self.counts, 1))

    @cached_property
    def ordinary(self) -> np.ndarray:
        """Ids that may be predicted."""
        return np.flatnonzero(~self.special)

    def number(self, tokens: int) -> int:
        """How many of a row's ordinary tokens are predicted."""
        if self.smoothing is None:
            return max(1, round(self.share * tokens))
        return math.ceil(self.share * tokens - ROUNDING)


def row_generator(*parts: int | str) -> np.random.Generator:
    """A generator that hangs on these numbers and words alone."""
    numbers = [part if isinstance(part, int) else _number(part) for part in parts]
    return np.random.default_rng(numbers)


def mask_rows(
    ids: np.ndarray,
    valid: np.ndarray,
    generators: Sequence[np.random.Generator],
    masking: Masking,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows as the network reads them, and what it has to say.

    Args:
        ids: (B, L) token ids; not changed.
        valid: (B, L), nonzero inside the text.
        generators: One for each row.
        masking: The rule.

    Returns:
        (B, L) ids with tokens masked, and (B, L) targets: the id that stood there at a position that counts,
        -100 elsewhere.
    """
    read, targets = ids.copy(), np.full_like(ids, NOT_COUNTED)
    can_count = valid.astype(bool) & ~masking.special[ids]
    for row, generator in enumerate(generators):
        places = np.flatnonzero(can_count[row])
        if not len(places):
            continue
        chosen = places[_chosen(ids[row, places], places, generator, masking)]
        kind = generator.random(len(chosen))
        others = masking.ordinary[generator.integers(len(masking.ordinary), size=len(chosen))]
        targets[row, chosen] = ids[row, chosen]
        changed = np.where(kind < REPLACED, others, ids[row, chosen])
        read[row, chosen] = np.where(kind < MASKED, masking.mask_id, changed)
    return read, targets


def drawn_over_batch(
    ids: np.ndarray, valid: np.ndarray, generator: np.random.Generator, masking: Masking
) -> np.ndarray:
    """Positions as the public code of DistilBERT draws them: over the whole batch, special tokens counted.

    ceil(share * valid tokens) of the batch, without replacement; rows have more or fewer as it comes. Two
    processes cannot draw it as one does, so runs draw by row.

    Args:
        ids: (B, L) token ids.
        valid: (B, L), nonzero inside the text.
        generator: Of the batch.
        masking: With ``smoothing``.

    Returns:
        (B, L) bool.
    """
    can_count = valid.astype(bool) & ~masking.special[ids]
    places = np.flatnonzero(can_count)
    number = min(masking.number(int(np.count_nonzero(valid))), len(places))
    drawn = np.zeros(ids.size, bool)
    order = _in_drawn_order(masking.log_weights[ids.ravel()[places]], generator)
    drawn[places[order[:number]]] = True
    return drawn.reshape(ids.shape)


def words_of(ids: np.ndarray, places: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Where words begin among the ordinary tokens of a row.

    A word begins with a piece that begins words, and behind a special token.

    Args:
        ids: (n,) ids of the ordinary tokens.
        places: (n,) their positions, ascending.
        starts: (V,) bool, pieces that begin a word.

    Returns:
        (W,) indices into ``places``, the first of them 0.
    """
    begins = starts[ids]  # (n,)
    begins[1:] |= np.diff(places) > 1
    begins[0] = True
    return np.flatnonzero(begins)


def _chosen(
    ids: np.ndarray, places: np.ndarray, generator: np.random.Generator, masking: Masking
) -> np.ndarray:
    """Which of a row's ordinary tokens (n,) are predicted: indices, ascending."""
    number = masking.number(len(places))
    if masking.starts is not None:
        first = words_of(ids, places, masking.starts)
        return _words_drawn(masking.log_weights[ids], first, number, generator)
    if masking.smoothing is None:
        return np.sort(generator.choice(len(places), number, replace=False))
    return np.sort(_in_drawn_order(masking.log_weights[ids], generator)[:number])


def _in_drawn_order(log_weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n,) indices in the order in which they are drawn one after another without replacement.

    The largest of log w + Gumbel noise is an index drawn in proportion to w, the next largest one of the
    rest, and so on (Yellott 1977); no weight is too small for it.
    """
    keys = log_weights + generator.gumbel(size=len(log_weights))
    return np.argsort(-keys, kind="stable")


def _words_drawn(
    log_weights: np.ndarray, first: np.ndarray, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Indices (ascending) of the tokens of whole words, as BERT's public code takes them.

    Words come in drawn order, in proportion to the mean weight of their pieces; one that would exceed the
    number of tokens is passed over. Where every word does, the first one is taken nevertheless.

    Args:
        log_weights: (n,) of the tokens.
        first: (W,) where words begin.
        number: Of tokens, at most.
        generator: Of the row.
    """
    lengths = np.diff(np.append(first, len(log_weights)))  # (W,)
    weights = np.logaddexp.reduceat(log_weights, first) - np.log(lengths)
    order = _in_drawn_order(weights, generator)
    taken, room = [], number
    for word, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        if length <= room:
            taken.append(word)
            room -= length
    spans = [
        np.arange(first[word], first[word] + lengths[word]) for word in taken or order[:1].tolist()
    ]
    return np.sort(np.concatenate(spans))


def _number(word: str) -> int:
    return int.from_bytes(word.encode("utf-8"), "big")
