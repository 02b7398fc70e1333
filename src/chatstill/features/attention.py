"""Queries, keys and values out of the fast attention, through transformers' attention interface.

The fast path (sdpa) has no scores to return. An attention function of our own is registered under a
name; while something listens, the network's config names it, it notes what is asked for and runs sdpa.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from .base import QueryKeyValue

NAME = "chatstill_capture"


class Sink:
    """Where a forward pass leaves its queries, keys and values.

    Args:
        layer_of: id of a module -> number (1-based) of the layer that it is part of; only of the
            layers that are asked for.
    """

    def __init__(self, layer_of: Mapping[int, int]) -> None:
        self.layer_of = layer_of
        self.kept: dict[int, QueryKeyValue] = {}

    def note(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scaling: float | None
    ) -> None:
        """Keeps a layer's first call; a later one is a recomputation for the backward pass."""
        layer = self.layer_of.get(id(module))
        if layer is None or layer in self.kept:
            return
        groups = query.shape[1] // key.shape[1]
        if groups > 1:
            key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        factor = float(query.shape[-1] ** -0.5 if scaling is None else scaling)
        self.kept[layer] = QueryKeyValue(query, key, value, factor)


_SINK: ContextVar[Sink | None] = ContextVar("sink", default=None)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    sink = _SINK.get()
    # Scores with a bias or a cap are more than queries times keys: they are not offered.
    plain = kwargs.get("position_bias") is None and kwargs.get("softcap") is None
    if sink is not None and plain and query.shape[2] == key.shape[2]:
        sink.note(module, query, key, value, scaling)
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
    )


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def listening(model: nn.Module, sink: Sink) -> Iterator[None]:
    """Inside the block the network's attention runs through ours and fills the sink."""
    configs: dict[int, Any] = {
        id(m.config): m.config for m in model.modules() if hasattr(m, "config")
    }
    before = [(config, config._attn_implementation) for config in configs.values()]
    token = _SINK.set(sink)
    try:
        for config in configs.values():
            config._attn_implementation = NAME
        yield
    finally:
        _SINK.reset(token)
        for config, name in before:
            config._attn_implementation = name
