"""Lower-casing of a tokenizer, and how many pieces of a text its vocabulary does not know."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import Problem, UserError
from .plain_ids import plain_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

MANY_UNKNOWN = 0.2


def unk_share(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """The share of pieces that are the unknown token; 0 without texts or without such a token."""
    unknown = tokenizer.unk_token_id
    if unknown is None or not texts:
        return 0.0
    rows = plain_ids(tokenizer, texts)
    total = sum(len(row) for row in rows)
    return sum(row.count(unknown) for row in rows) / total if total else 0.0


def check_texts(
    tokenizer: Tokenizer, texts: Sequence[str], place: str = "tokenizer"
) -> Problem | None:
    """A warning where many pieces of sample texts are unknown, an error where all of them are."""
    share = unk_share(tokenizer, texts)
    if share < MANY_UNKNOWN:
        return None
    message = f"{share:.0%} of the pieces of {len(texts)} sample texts are {tokenizer.unk_token}"
    hint = "is it the tokenizer for this language, and do_lower_case right?"
    return Problem(
        place,
        message,
        hint,
        severity="error" if share > 0.99 else "warning",
        code="tokenizer.pieces-unknown",
    )


def lower_cases(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer lower-cases, asked of what it does and not of what its files say."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return bool(getattr(tokenizer, "do_lower_case", False))
    normalizer = backend.normalizer
    return normalizer is not None and "A" not in normalizer.normalize_str("A")


def set_lower_case(tokenizer: Tokenizer, lower: bool) -> None:
    """Make a tokenizer lower-case or not, in place, so that saving it keeps that.

    transformers builds a BERT tokenizer anew from ``tokenizer_config.json`` and does not read the
    normalizer in ``tokenizer.json``; so both get the value.

    Raises:
        UserError: the tokenizer has no step that lower-cases (byte-level ones such as RoBERTa's).
    """
    if lower_cases(tokenizer) == lower:
        return
    backend = getattr(tokenizer, "backend_tokenizer", None)
    changed = False
    if backend is not None and backend.normalizer is not None:
        state = json.loads(backend.to_str())
        changed = _set_in(state["normalizer"], lower)
        if changed:
            backend.normalizer = type(backend).from_str(json.dumps(state)).normalizer
    elif backend is None and hasattr(tokenizer, "do_lower_case"):
        changed = True
    if not changed:
        message = f"{type(tokenizer).__name__} has no lower-casing to switch {_on(lower)}"
        raise UserError(
            Problem(
                "do_lower_case",
                message,
                "leave do_lower_case out",
                code="tokenizer.no-lower-casing",
            )
        )
    # Set past the tokenizer's attribute hooks for special tokens: this one is a plain option.
    object.__setattr__(tokenizer, "do_lower_case", lower)
    tokenizer.init_kwargs["do_lower_case"] = lower


def _set_in(normalizer: dict, lower: bool) -> bool:
    """Set the casing in a serialised normalizer; whether there was a place for it."""
    if normalizer["type"] == "BertNormalizer":
        normalizer["lowercase"] = lower
        return True
    found = False
    for child in normalizer.get("normalizers", []):
        found = _set_in(child, lower) or found
    if "normalizers" in normalizer and not found and not lower:
        kept = [child for child in normalizer["normalizers"] if child["type"] != "Lowercase"]
        found = len(kept) < len(normalizer["normalizers"])
        normalizer["normalizers"] = kept
    return found


def casing_report(
    tokenizer: Tokenizer,
    do_lower_case: bool | None,
    texts: Sequence[str],
    *,
    lowers: bool | None = None,
    place: str = "do_lower_case",
) -> Problem | None:
    """A warning where the configuration's ``do_lower_case`` contradicts the tokenizer's own.

    Args:
        do_lower_case: The configuration's value, None if unset.
        texts: Samples; the warning states the share of unknown pieces in them both ways.
        lowers: The tokenizer's own value where it was overruled already (``own_lower_case`` of a
            resolved tokenizer), else what it does now.
    """
    if lowers is None:
        lowers = getattr(tokenizer, "own_lower_case", None)
    if lowers is None:
        lowers = lower_cases(tokenizer)
    if do_lower_case is None or do_lower_case == lowers:
        return None
    shares = {}
    for lower in (do_lower_case, lowers):
        other = copy.deepcopy(tokenizer)
        set_lower_case(other, lower)
        shares[lower] = unk_share(other, texts)
    message = (
        f"{str(do_lower_case).lower()} contradicts the tokenizer, which lower-cases: "
        f"{str(lowers).lower()}. Share of {tokenizer.unk_token} in {len(texts)} sample texts: "
        f"{shares[True]:.2%} with lower-casing, {shares[False]:.2%} without"
    )
    hint = "the configuration's value is used; leave do_lower_case out to follow the tokenizer"
    return Problem(
        place, message, hint, severity="warning", code="tokenizer.lower-casing-contradicts"
    )


def _on(lower: bool) -> str:
    return "on" if lower else "off"
