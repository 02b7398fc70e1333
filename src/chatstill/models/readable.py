"""Whether what a method needs of a network can be taken out of it, told before anything is trained."""

from __future__ import annotations

from dataclasses import replace

from transformers import PreTrainedModel

from ..errors import Problem, UserError
from ..features.base import Needs, given_by
from ..features.capture import NotCaptured
from ..features.probe import (
    changed_by_capture,
    first_token_is_blind,
    lacks_attention,
    odd_states,
)
from .layers import layer_list
from .structure import structural_copy


def unreadable(model: PreTrainedModel, needs: Needs, role: str) -> list[Problem]:
    """What keeps hidden states, queries and keys from being read of a network, or makes them useless.

    Args:
        model: Left as it is.
        needs: Of one phase.
        role: ``student`` or ``teacher``: before ``_architectures`` it is the key that is named.
    """
    if not needs.reads_layers or given_by(model):
        return []  # a network of the package hands out what it gives; terms ask it first
    place, kind = f"{role}_architectures", model.config.model_type
    model = structural_copy(model)  # some networks change with a short row
    try:
        layers = list(layer_list(model)[2])
    except UserError as error:
        return [replace(problem, place=place) for problem in error.problems]
    if (needs.hidden_states or needs.cls or needs.vector) and (odd := odd_states(model, layers)):
        message = f"states cannot be read of a {kind}: {odd}"
        hint = "Keep terms of logits alone (weight 0 for the others), or take another network."
        return [Problem(place, message, hint, code="terms.states-not-readable")]
    if needs.attention and (lack := lacks_attention(model, layers)) is not None:
        hint = "Take the attention terms out (weight 0); logits and hidden states work."
        return [Problem(place, _lacking(kind, lack), hint, code="terms.attention-not-readable")]
    if change := changed_by_capture(model, layers, needs):
        message = (
            f"reading inside a {kind} changes what it computes: its logits differ by {change:.2g} in a "
            "trial"
        )
        hint = "Keep terms of logits alone (weight 0 for the others), or take another network."
        return [Problem(place, message, hint, code="terms.reading-changes-the-network")]
    if (needs.cls or needs.pooling == "cls") and first_token_is_blind(model, layers):
        message = (
            f"the first token of a {kind} sees none of those behind it, so its state is the same in "
            "every row: a term of cls learns nothing of the texts"
        )
        hint = "Compare hidden_states or vector in place of cls."
        return [Problem(place, message, hint, "warning", code="terms.first-token-is-blind")]
    return []


def _lacking(kind: str, lack: NotCaptured) -> str:
    if lack.more:
        why = f"they are more than queries times keys there ({', '.join(lack.more)})"
    else:
        why = "its attention does not go through transformers' attention interface"
    return f"attention scores cannot be read of a {kind}: {why}"
