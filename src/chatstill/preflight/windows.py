"""Layers that look at a window of tokens alone, and terms that compare scores beyond it."""

from collections.abc import Iterable
from typing import Any


def window_of(config: Any, layer: int) -> int | None:
    """The tokens that a layer looks around for; None where it sees all.

    Args:
        config: Of a transformers model.
        layer: From 1.
    """
    window, kinds = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
    if not isinstance(window, int) or getattr(config, "use_sliding_window", None) is False:
        return None
    seen = kinds[layer - 1 : layer] if kinds else ["sliding_attention"]
    return window if "sliding_attention" in seen else None


def scores_beyond_windows(
    specs: Iterable[Any], student: Any, teacher: Any, longest: int
) -> list[str]:
    """A warning for each term on attention scores or probabilities of which some are used by no layer.

    Args:
        specs: Terms (``terms.spec.TermSpec``).
        student: Its config.
        teacher: Its config.
        longest: Tokens that a row may have.
    """
    told = []
    for spec in specs:
        if spec.row.feature not in ("attention_scores", "attention_probabilities"):
            continue
        short = {
            f"the {role}'s layer {pair[side]} ({window})": window
            for side, (role, config) in enumerate((("student", student), ("teacher", teacher)))
            for pair in spec.pairs
            if (window := window_of(config, pair[side])) is not None and window < longest
        }
        if short:
            told.append(
                f"the term '{spec.name}' compares the scores of all tokens of a row, up to {longest}, and "
                f"some layers look at fewer around a token: {', '.join(short)}. What lies beyond is never "
                f"used: set max_seq_length to {min(short.values())} or less, or pair layers that see all"
            )
    return told
