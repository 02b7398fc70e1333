"""Token types that part the two texts of a row, as a tokenizer gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

TOKEN_TYPES = "token_type_ids"


def gives_types(tokenizer: Tokenizer) -> bool:
    """Whether a pair of texts has other types than 0 where types are asked for."""
    return any(tokenizer("a", "b", return_token_type_ids=True)[TOKEN_TYPES])
