"""What preparing rows asks of a reader (``readers/``), and what it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np


@dataclass(frozen=True)
class Lengths:
    """How rows are cut, in tokens.

    Attributes:
        max_seq_length: Whole row with special tokens.
        max_query_length: First text, without special tokens.
        max_reply_length: Second text, without special tokens.
        truncation_side: Which end of a text is cut off.
    """

    max_seq_length: int
    max_query_length: int | None = None
    max_reply_length: int | None = None
    truncation_side: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Column:
    """An array beside the ids: a value for each token.

    Attributes:
        name: Its key in a batch.
        dtype: Of its numbers.
        padding: The value at padded places.
    """

    name: str
    dtype: str
    padding: float


class Encoded(NamedTuple):
    """Rows one after another.

    Attributes:
        ids: (total,) int32.
        types: (total,) uint8, the token types.
        lengths: (rows,) int32.
        cut: (rows,) bool, whether anything of the row was cut off.
        columns: (total,) values by the name of a column.
    """

    ids: np.ndarray
    types: np.ndarray
    lengths: np.ndarray
    cut: np.ndarray
    columns: Mapping[str, np.ndarray] = MappingProxyType({})


class Encoder(Protocol):
    """Rows of one or two texts to ids.

    Attributes:
        padding_side: ``right`` or ``left``.
        pad_token_type_id: The token type of padding.
        columns: What else it gives of each token.
    """

    padding_side: str
    pad_token_type_id: int
    columns: Sequence[Column]

    def __call__(
        self,
        texts_a: Sequence[str],
        texts_b: Sequence[str | None],
        contexts: Sequence[tuple[str, ...]] = (),
    ) -> Encoded:
        """Encode rows; the second text is None where there is only one."""
        ...

    def identity(self) -> dict[str, Any]:
        """All that decides the ids, by content: plain values for a fingerprint."""
        ...
