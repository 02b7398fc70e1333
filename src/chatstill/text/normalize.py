"""Unicode normalisation inside a tokenizer, so that whoever loads its files normalises alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import Problem, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

KEPT = (
    *("model_max_length", "model_input_names", "padding_side", "truncation_side"),
    *("split_special_tokens", "extra_special_tokens"),
)


def normalizes(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer turns compatibility characters into plain ones before anything else."""
    if (form := getattr(tokenizer, "normalize_form", "")) != "":  # one of words
        return form is not None
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = json.loads(backend.to_str())["normalizer"] if backend is not None else None
    steps = [state, *(state.get("normalizers", []) if state else [])]
    return any(step is not None and step["type"] == "NFKC" for step in steps)


def with_nfkc(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with NFKC as its first step. One that has it already is returned unchanged.

    The result is of transformers' plain class, which is saved and loaded as its ``tokenizer.json``
    stands: the classes of single families (``BertTokenizer``) build their normaliser anew and would
    lose the step.

    Raises:
        UserError: the tokenizer has no ``tokenizer.json`` that could hold it.
    """
    if normalizes(tokenizer):
        return tokenizer
    if (switch := getattr(tokenizer, "set_nfkc", None)) is not None:  # one of words
        switch()
        return tokenizer
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        message = f"{type(tokenizer).__name__} is not a fast tokenizer, it cannot carry this step"
        raise UserError(
            Problem(
                "normalize",
                message,
                "Normalise the files, and leave this out.",
                code="tokenizer.cannot-normalize",
            )
        )
    from tokenizers import normalizers
    from transformers import PreTrainedTokenizerFast

    before = backend.normalizer
    steps = [normalizers.NFKC(), *([before] if before is not None else [])]
    backend.normalizer = normalizers.Sequence(steps)
    plain = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{key: getattr(tokenizer, key) for key in KEPT},
        **tokenizer.special_tokens_map,
    )
    # No argument of the class: of padding alone, which is masked for whoever loads it.
    object.__setattr__(plain, "_pad_token_type_id", tokenizer.pad_token_type_id)
    object.__setattr__(plain, "own_lower_case", getattr(tokenizer, "own_lower_case", None))
    return plain
