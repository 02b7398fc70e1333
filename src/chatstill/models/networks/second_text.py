"""Which places of a row are its second text's, for networks that encode the two texts apart."""

from __future__ import annotations

import torch
from torch import Tensor


def second_text(
    ids: Tensor, types: Tensor | None, sep_token_id: int | None, mask: Tensor | None = None
) -> Tensor:
    """(B, L) bool: by token types; in rows that have no type 1, what stands from the first separator on.

    A row of one text ends with its separator, so that no word stands there. Places of padding may be
    anything.

    Args:
        ids: (B, L).
        types: (B, L), 1 at the second text; None where the tokenizer gives none.
        sep_token_id: Parts the texts; None: they are parted by types alone.
        mask: (B, L), 0 at padding, whose id is the separator's in some tokenizers. None: there is none.
    """
    real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
    behind = torch.zeros_like(ids, dtype=torch.bool)
    if sep_token_id is not None:
        separators = (ids == sep_token_id) & real
        behind = separators.long().cumsum(-1) > 0  # ONNX sums no truth values
    if types is None:
        return behind
    marked = (types == 1) & real
    typed = marked.long().amax(-1, keepdim=True) > 0
    return (typed & marked) | (~typed & behind)  # onnxruntime has no `where` of truth values
