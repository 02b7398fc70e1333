"""Token types that part the two texts of a row, as a tokenizer gives them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from ..errors import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

TOKEN_TYPES = "token_type_ids"


def gives_types(tokenizer: Tokenizer) -> bool:
    """Whether a pair of texts has other types than 0 where types are asked for."""
    return any(tokenizer("a", "b", return_token_type_ids=True)[TOKEN_TYPES])


def hands_types_out(tokenizer: Tokenizer) -> bool:
    """Whether transformers gives types unasked: many classes, and files that do not say so, do not."""
    return TOKEN_TYPES in tokenizer.model_input_names


def handing_types_out(tokenizer: Tokenizer) -> Tokenizer:
    """The same, giving types unasked, also once it is saved and loaded; the given one stays as it is."""
    if hands_types_out(tokenizer):
        return tokenizer
    found = copy.copy(tokenizer)  # alike inside: the settings alone are its own
    first, *others = tokenizer.model_input_names
    names = [first, TOKEN_TYPES, *others]
    found.model_input_names = names
    found.init_kwargs = {**tokenizer.init_kwargs, "model_input_names": names}
    return found


def types_problem(tokenizer: Tokenizer, place: str) -> Problem | None:
    """A warning where a pair has types that transformers would not give a network unasked.

    Args:
        tokenizer: Of a network that reads types, and was trained elsewhere.
        place: The network.
    """
    if hands_types_out(tokenizer) or not gives_types(tokenizer):
        return None
    message = (
        "its tokenizer has token types for two texts, but does not name token_type_ids in "
        "model_input_names: they are read here, plain transformers leaves them out"
    )
    hint = (
        'If it was trained with them, set "model_input_names": ["input_ids", "token_type_ids", '
        '"attention_mask"] in its tokenizer_config.json. If it was trained without, set there '
        '"tokenizer_class": "PreTrainedTokenizerFast", and each type_id of post_processor in its '
        "tokenizer.json to 0."
    )
    return Problem(place, message, hint, "warning", code="teacher.types-not-named")
