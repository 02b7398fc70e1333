"""Masked tokens of rows (BERT, arXiv 1810.04805, section 3.1), drawn for each row by itself.

What is drawn of a row hangs on the seed, the epoch and the row's number alone: it is the same in any batch,
on any number of processes, and after a resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOT_COUNTED = -100  # the target of a position that is not predicted
MASKED, REPLACED = 0.8, 0.9  # up to the first the token is [MASK], up to the second another one


@dataclass(frozen=True)
class Masking:
    """How tokens are masked.

    Attributes:
        mask_id: Id of the mask token.
        special: (V,) bool, ids that are never predicted and never put in another's place.
        share: Of a row's other tokens that are predicted, rounded; at least one of each row.
    """

    mask_id: int
    special: np.ndarray
    share: float = 0.15

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, share: float = 0.15) -> Masking:
        """For the ids of a tokenizer that has a mask token."""
        assert isinstance(tokenizer.mask_token_id, int), "checked before: it has a mask token"
        special = np.zeros(len(tokenizer), bool)
        special[sorted(tokenizer.all_special_ids)] = True
        return cls(tokenizer.mask_token_id, special, share)


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
    ordinary = np.flatnonzero(~masking.special)
    can_count = valid.astype(bool) & ~masking.special[ids]
    for row, generator in enumerate(generators):
        places = np.flatnonzero(can_count[row])
        if not len(places):
            continue
        number = max(1, round(masking.share * len(places)))
        chosen = np.sort(generator.choice(places, number, replace=False))
        kind = generator.random(number)
        others = ordinary[generator.integers(len(ordinary), size=number)]
        targets[row, chosen] = ids[row, chosen]
        changed = np.where(kind < REPLACED, others, ids[row, chosen])
        read[row, chosen] = np.where(kind < MASKED, masking.mask_id, changed)
    return read, targets


def _number(word: str) -> int:
    return int.from_bytes(word.encode("utf-8"), "big")
