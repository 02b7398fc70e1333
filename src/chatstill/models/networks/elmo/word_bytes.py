"""The characters of a list of words: a row of 50 numbers for each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....text.byte_tokenizer import SHIFT, word_ids
from .characters import BEGIN, FILL, PLACES


class WordBytes:
    """Rows of characters by a word's id, in main memory: 100 bytes a word.

    A list of words is no weight: it is in no checkpoint, goes to no device, and copies of a network share it.

    Args:
        words: A word's place is its id. Id 0 fills up rows: it is no word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        rows = np.full((len(words), PLACES), FILL, np.int16)
        rows[:, 0] = BEGIN
        for row, word in zip(rows, words, strict=True):
            ids = word_ids(word)
            row[1 : 1 + len(ids)] = np.array(ids) - SHIFT
        rows[:1] = 0
        self.rows = torch.from_numpy(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> WordBytes:
        return self

    def of(self, ids: Tensor) -> Tensor:
        """(N, 50) int64 of ids (N,), on their device."""
        return self.rows[ids.cpu()].long().to(ids.device)
