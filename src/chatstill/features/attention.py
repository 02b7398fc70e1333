"""Queries, keys and values out of the fast attention, through transformers' attention interface.

The fast path (sdpa) has no scores to return, and no path shows what went in. While something listens, what
the interface hands out to a layer (sdpa, flash, the model's own eager function with its sinks or its cap)
notes its arguments and then does what it would have done: nothing that a network computes changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface

from .base import QueryKeyValue

MORE_THAN_PRODUCTS = ("position_bias", "softcap")
"""Arguments under which raw scores are more than queries times keys; such scores are not offered."""


class Sink:
    """Where a forward pass leaves its queries, keys and values.

    Args:
        layer_of: id of a module -> number (1-based) of the layer that it is part of; only of the
            layers that are asked for.

    Attributes:
        kept: Layer -> what went into its attention.
        more: Arguments that were met and under which no scores are kept.
    """

    def __init__(self, layer_of: Mapping[int, int]) -> None:
        self.layer_of = layer_of
        self.kept: dict[int, QueryKeyValue] = {}
        self.more: set[str] = set()

    def note(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scaling: float | None
    ) -> None:
        """Keeps a layer's first call; a later one is a recomputation for the backward pass."""
        layer = self.layer_of.get(id(module))
        if layer is None or layer in self.kept or query.shape[2] != key.shape[2]:
            return
        groups = query.shape[1] // key.shape[1]
        if groups > 1:
            key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        factor = float(query.shape[-1] ** -0.5 if scaling is None else scaling)
        self.kept[layer] = QueryKeyValue(query, key, value, factor)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """An attention function that notes what it is given and calls the one that stood there."""

        def attention(
            module: nn.Module,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            attention_mask: Tensor | None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            more = {name for name in MORE_THAN_PRODUCTS if kwargs.get(name) is not None}
            self.more |= more
            if not more:
                self.note(module, query, key, value, kwargs.get("scaling"))
            return function(module, query, key, value, attention_mask, *args, **kwargs)

        return attention


_SINK: ContextVar[Sink | None] = ContextVar("sink", default=None)
_HANDED_OUT = AttentionInterface.get_interface


def _get_interface(
    self: AttentionInterface, attn_implementation: str, default: Callable[..., Any]
) -> Callable[..., Any]:
    function = _HANDED_OUT(self, attn_implementation, default)
    sink = _SINK.get()
    return function if sink is None else sink.around(function)


# A name of our own in the config would bring sdpa's function and mask to networks that have others.
AttentionInterface.get_interface = _get_interface  # type: ignore[method-assign]


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Inside the block every attention that goes through the interface fills the sink."""
    token = _SINK.set(sink)
    try:
        yield
    finally:
        _SINK.reset(token)
