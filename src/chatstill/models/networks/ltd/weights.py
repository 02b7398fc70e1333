"""What each word of a student weighs: counted in the training texts, or read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....errors import Problem, UserError
from ....text.idf import read_idf
from ....text.vocabulary import num_ids
from ..word_vectors import compared

if TYPE_CHECKING:
    from ..base import Start
    from . import LtdBlock


def weights_of(block: LtdBlock, start: Start, place: str) -> tuple[np.ndarray, str]:
    """(V,) float32 by id, special tokens 0 and the unknown word as asked for; and a line for the plan.

    Raises:
        UserError: a file that cannot be read, or that knows none of the words.
    """
    from . import TEXTS

    if block.idf == TEXTS:
        assert start.rarity is not None
        table = start.rarity()
        known = table[table > 0]
        largest = float(known.max(initial=0.0))
        unknown = _unknown(block, np.sort(known), largest)
        _set(table, start, unknown)
        low = float(known.min(initial=largest))
        return (
            table,
            f"words weigh {low:.2f} to {largest:.2f}, unknown ones {unknown:.2f}, by the training texts",
        )
    found = read_idf(Path(block.idf), place)
    ids, words, what = compared(start.tokenizer)
    values = np.fromiter(found.values(), np.float64, len(found))
    unknown = _unknown(block, np.sort(values), float(values.max()))
    table = np.full(num_ids(start.tokenizer), unknown, np.float32)
    special = set(start.tokenizer.all_special_ids)
    named = [
        (number, word) for number, word in zip(ids, words, strict=True) if number not in special
    ]
    known_ids = [(number, found[word]) for number, word in named if word in found]
    if not known_ids:
        message = f"{block.idf} knows none of the student's {len(named):,} {what}"
        hint = "Cut words as the file's were cut ('segmenter'), or leave 'idf' out."
        raise UserError(Problem(place, message, hint, code="words.idf-of-other-words"))
    for number, value in known_ids:
        table[number] = value
    _set(table, start, unknown)
    return table, (
        f"words weigh what {block.idf} says: {len(known_ids):,} of {len(named):,} {what} stand there, the "
        f"others and unknown ones weigh {unknown:.2f}"
    )


def _unknown(block: LtdBlock, ordered: np.ndarray, largest: float) -> float:
    if block.unknown_idf == "largest":
        return largest
    if block.unknown_idf == "median":
        return float(ordered[len(ordered) // 2]) if len(ordered) else 0.0
    return float(block.unknown_idf)


def _set(table: np.ndarray, start: Start, unknown: float) -> None:
    """Special tokens are no words; the unknown one stands for some."""
    table[sorted(start.tokenizer.all_special_ids)] = 0.0
    if start.tokenizer.unk_token_id is not None:
        table[start.tokenizer.unk_token_id] = unknown
