"""What a method may read of a network, and what was kept of one forward pass. No torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def given_by(model: object) -> frozenset[str]:
    """Features that a network of the package hands out itself; empty where hooks read them."""
    return (
        frozenset(getattr(model, "gives", ())) if hasattr(model, "read_features") else frozenset()
    )


def reads_sides(model: object) -> bool:
    """Whether a network parts a row's two texts by token types, 0 and 1 (``models.networks.base``)."""
    return bool(getattr(model, "reads_sides", False))


@dataclass(frozen=True)
class Needs:
    """What a method reads of a network in a phase; a term of weight 0 is not in it.

    Attributes:
        logits: The task's logits.
        vocabulary: What the layer over the vocabulary reads, and that layer; its scores are not computed.
        hidden_states: Indices; 0 is the embedding output, i the output of layer i (1-based), before a
            final norm.
        attention: Layers (1-based) whose queries and keys are kept.
        values: Their values as well.
        cls: Hidden-state indices of which only the first token of each row is kept.
        vector: A sentence vector, made of the last layer's states.
        pooling: How: empty for their mean over the row's tokens, ``cls`` for the first token's, or
            ``weighted`` (``weighted_characters``) by ``token_weights`` of the batch. A network that hands
            out a vector gives its own.
        layers: The network must have a plain list of layers that can be replaced.
        padding: Hidden states and attention at padded positions are read too, as some reference forms
            of losses do.
    """

    logits: bool = False
    vocabulary: bool = False
    hidden_states: tuple[int, ...] = ()
    attention: tuple[int, ...] = ()
    values: bool = False
    cls: tuple[int, ...] = ()
    vector: bool = False
    pooling: str = ""
    layers: bool = False
    padding: bool = False

    @property
    def any(self) -> bool:
        """Whether a forward pass is needed at all."""
        return self.logits or self.vocabulary or self.reads_layers

    @property
    def reads_layers(self) -> bool:
        """Whether something inside the network is read."""
        return bool(self.hidden_states or self.attention or self.cls or self.vector)

    @property
    def highest(self) -> int | None:
        """The highest layer that is read; None where the pass has to run to its end."""
        if self.logits or self.vocabulary or self.vector:
            return None
        return max((*self.hidden_states, *self.attention, *self.cls), default=0)


@dataclass(frozen=True)
class QueryKeyValue:
    """One layer's attention before the softmax: ``scaling * query @ key.T`` are its raw scores.

    Attributes:
        query: (B, H, L, d), rotary positions applied.
        key: (B, H, L, d); heads that share keys hold them each.
        value: (B, H, L, d); None where ``Needs.values`` did not ask for it.
        scaling: Usually d ** -0.5.
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    scaling: float


@dataclass
class Features:
    """What was kept of a forward pass.

    Attributes:
        logits: (B, C).
        hidden_states: Index -> (B, L, D).
        attention: Layer (1-based) -> queries, keys, values.
        cls: Hidden-state index -> (B, D) of the first token of each row.
        vector: (B, D).
        head: (B, L, D), what the layer over the vocabulary reads.
        vocabulary: That layer's weight (V, D) and bias (V,), or None.
    """

    logits: Tensor | None = None
    hidden_states: dict[int, Tensor] = field(default_factory=dict)
    attention: dict[int, QueryKeyValue] = field(default_factory=dict)
    cls: dict[int, Tensor] = field(default_factory=dict)
    vector: Tensor | None = None
    head: Tensor | None = None
    vocabulary: tuple[Tensor, Tensor | None] | None = None
