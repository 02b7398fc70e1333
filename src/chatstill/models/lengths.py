"""Do the lengths fit the networks' position tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Problem

if TYPE_CHECKING:
    from torch import nn

# Families whose positions start at pad_token_id + 1, so that 514 table rows serve 512 tokens.
_PADDED_POSITIONS = frozenset(
    "camembert data2vec-text esm ibert longformer luke mpnet roberta roberta-prelayernorm "
    "xlm-roberta xlm-roberta-xl xmod".split()
)
_NO_TABLE = frozenset("bloom deberta deberta-v2 mpt roformer t5 umt5 mt5 xlnet".split())
_TABLE_NAMES = frozenset({"position_embeddings", "position_embedding", "embed_positions", "wpe"})


def usable_positions(config: Any, model: nn.Module | None = None) -> int | None:
    """How many tokens the position table serves; None if there is none (rotary, relative).

    The model's own table is counted where the model is given; the configuration is the fallback.
    """
    if model is not None:
        return _table_of_model(model)
    limit = getattr(config, "max_position_embeddings", None)
    if limit is None or _is_rotary(config) or getattr(config, "model_type", "") in _NO_TABLE:
        return None
    if getattr(config, "model_type", "") in _PADDED_POSITIONS:
        return int(limit) - (getattr(config, "pad_token_id", None) or 0) - 1
    return int(limit)


def check_lengths(
    max_seq_length: int,
    config: Any,
    model: nn.Module | None = None,
    *,
    role: str,
    num_special: int = 0,
    max_query_length: int | None = None,
    max_reply_length: int | None = None,
) -> list[Problem]:
    """``max_seq_length`` against the position table, and the two parts of a pair against the whole.

    Args:
        max_seq_length: Tokens of a row, special ones included.
        config: The network's configuration.
        model: The network, if it is loaded.
        role: ``teacher`` or ``student``.
        num_special: Special tokens that the tokenizer adds to a pair.
        max_query_length: Tokens kept of the first text.
        max_reply_length: Tokens kept of the second text.
    """
    problems = []
    usable = usable_positions(config, model)
    trained = getattr(config, "max_position_embeddings", None)
    if usable is not None and max_seq_length > usable:
        rows = f" (of {trained} rows)" if trained and trained != usable else ""
        message = f"{max_seq_length} tokens, but the {role}'s position table serves {usable}{rows}"
        problems.append(
            Problem(
                "max_seq_length",
                message,
                f"Set it to {usable} or less.",
                code="lengths.beyond-the-position-table",
            )
        )
    elif usable is None and trained and max_seq_length > trained:
        message = (
            f"{max_seq_length} tokens; the {role} has no position table, but was made for {trained}"
        )
        problems.append(
            Problem("max_seq_length", message, severity="warning", code="lengths.beyond-training")
        )
    sides = {"max_query_length": max_query_length, "max_reply_length": max_reply_length}
    given = {name: most for name, most in sides.items() if most}
    needed = sum(given.values()) + num_special
    if given and needed > max_seq_length:
        named = " + ".join(f"{name} {most}" for name, most in given.items())
        message = (
            f"{named} + {num_special} special tokens = {needed} is more than max_seq_length "
            f"{max_seq_length}: long pairs are cut once more"
        )
        problems.append(
            Problem("max_seq_length", message, severity="warning", code="lengths.sides-cut-again")
        )
    return problems


def _is_rotary(config: Any) -> bool:
    if (
        getattr(config, "alibi", False)
        or getattr(config, "position_embedding_type", "") == "rotary"
    ):
        return True
    keys = ("rope_parameters", "rope_theta", "rope_scaling", "rotary_pct", "rotary_dim")
    return any(getattr(config, key, None) for key in keys)


def _table_of_model(model: nn.Module) -> int | None:
    from torch import nn as modules

    for name, module in model.named_modules():
        if name.rpartition(".")[2] not in _TABLE_NAMES or not isinstance(module, modules.Embedding):
            continue
        offset = getattr(module, "offset", None)  # BART, OPT: extra rows in front
        if offset is None:
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
        return module.num_embeddings - int(offset)
    return None
