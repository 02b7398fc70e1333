"""Which places of a row are its second text's, for networks that encode the two texts apart."""

from __future__ import annotations

import torch
from torch import Tensor


def second_text(ids: Tensor, types: Tensor | None, sep_token_id: int | None) -> Tensor:
    """(B, L) bool: by token types, else by the first separator; padding may be anything.

    Args:
        ids: (B, L).
        types: (B, L), 1 at the second text; None where the tokenizer gives none.
        sep_token_id: Parts the texts then; None: there is no second one.
    """
    if types is not None:
        return types == 1
    if sep_token_id is None:
        return torch.zeros_like(ids, dtype=torch.bool)
    return (ids == sep_token_id).long().cumsum(-1) > 0  # ONNX sums no truth values
