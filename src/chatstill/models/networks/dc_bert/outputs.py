"""What the DC-BERT network gives besides logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

StatesOf = Callable[[Tensor, Tensor], Tensor]  # ids (B, L) and mask (B, L) to states (B, L, H)


class Encoded(NamedTuple):
    """One side: what the interaction reads of it, and what is to be stored.

    Attributes:
        states: (B, L, H); of a document with ``document_width``, made narrow and wide again.
        mask: (B, L).
        vector: (B, H), the state of [CLS].
        stored: (B, L, W) of which ``widen`` makes ``states``; without ``document_width`` these themselves.
    """

    states: Tensor
    mask: Tensor
    vector: Tensor
    stored: Tensor


class Unprojected(NamedTuple):
    """Beside the projected form in training: the interaction on documents' states as the encoder gives them.

    Attributes:
        logits: (B, C).
        targets: (K, B, heads, R, L) attention scores of the [CLS] rows, without a graph.
        scores: The same of the projected form.
        mask: (B, L) the keys inside the texts.
    """

    logits: Tensor
    targets: Tensor
    scores: Tensor
    mask: Tensor


class Towers(NamedTuple):
    """Logits (B, C) of rows, and the [CLS] vectors (B, H) of their sides."""

    logits: Tensor
    query: Tensor
    document: Tensor
    unprojected: Unprojected | None = None
