"""What of a reply is kept, so that a query need not encode it again, and how it is scored.

- ``keys``: of a transformer with K = 1, the keys and values of the interaction layer and the reply's [CLS]
  row. Only the two [CLS] rows of that layer are then computed.
- ``states``: the encoder's states; any network, any K. With K = 1 keys and values are made of them for each
  query, else K whole layers are computed.
- ``vectors``: of ``linear`` and ``lstm``, one vector.

Each keeps the [CLS] vector as well, by which candidates may be found (``nearest``). These are the ways of a
DC-BERT; that of networks with sentence vectors stands in ``sentences``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ..errors import Problem, UserError
from ..figures import counted
from ..models.networks.dc_bert.names import LINEAR, LSTM, TRANSFORMER, built_in
from ..models.networks.dc_bert.pooling import pool_documents
from .numbers import unpacked

if TYPE_CHECKING:
    from ..models.networks.dc_bert.model import DcBertForSequenceClassification, Encoded

Hold = Literal["keys", "states", "vectors"]
HOLDS: tuple[Hold, ...] = get_args(Hold)
VECTOR = "vector"
VERSION = 1  # of what is computed here: raised when an index made before would give other scores


class Column(NamedTuple):
    """An array: numbers of each token, or of each reply."""

    name: str
    width: int
    per_token: bool


class Kept(NamedTuple):
    """What is kept of replies.

    Attributes:
        arrays: (B, L, W) of tokens or (B, W), as they are stored.
        mask: (B, L) which tokens count.
        scales: (B, L) or (B,) of arrays that are integers.
    """

    arrays: Mapping[str, Tensor]
    mask: Tensor
    scales: Mapping[str, Tensor] = {}

    def values(self, name: str) -> Tensor:
        """An array in float32."""
        return unpacked(self.arrays[name], self.scales.get(name))

    def heads(self, name: str, heads: int) -> Tensor:
        """(B, heads, L, d) in float32 of an array of tokens: widened and rearranged in one pass."""
        split = self.arrays[name].unflatten(-1, (heads, -1)).transpose(1, 2)
        found = split.to(torch.float32, memory_format=torch.contiguous_format)
        scale = self.scales.get(name)
        return found if scale is None else found * scale[:, None, :, None]


class Held:
    """One way of keeping replies.

    Args:
        model: The network.
        pool: How many neighbouring states of a reply are averaged; 1: none are.
    """

    name: Hold
    columns: tuple[Column, ...]

    def __init__(self, model: Any, pool: int = 1) -> None:
        self.model, self.pool = model, pool
        self.width = int(model.config.hidden_size)
        self.columns = (*self._columns(), Column(VECTOR, self.width, False))

    def _columns(self) -> tuple[Column, ...]:
        raise NotImplementedError

    @property
    def scored(self) -> tuple[Column, ...]:
        """The arrays that a score is made of; the [CLS] vector is for the first stage alone."""
        return tuple(column for column in self.columns if column.name != VECTOR)

    def of(self, replies: Any) -> Kept:
        """What is kept of encoded replies, as ``Served.encode_replies`` gives them."""
        raise NotImplementedError

    def asked(self, query: Any) -> Any:
        """What is needed of a query, computed once; given to ``logits``."""
        raise NotImplementedError

    def logits(self, asked: Any, kept: Kept) -> Tensor:
        """(B, C) of one query and B replies."""
        raise NotImplementedError

    def tokens(self, count: int) -> int:
        """Tokens that are kept of a reply of ``count``, special ones included."""
        return 1 + -(-(count - 1) // self.pool)


class States(Held):
    """See the module."""

    name: Hold = "states"

    def _columns(self) -> tuple[Column, ...]:
        narrow = self.model.config.document_width
        return (Column("states", narrow or self.width, True),)

    def of(self, replies: Encoded) -> Kept:
        stored, mask = _pooled(replies, self.pool)
        return Kept({"states": stored, VECTOR: replies.vector}, mask)

    def asked(self, query: Encoded) -> Encoded:
        return query

    def logits(self, asked: Encoded, kept: Kept) -> Tensor:
        states = self.model.widen(kept.values("states"))
        if "keys" in possible(
            self.model.config
        ):  # K = 1: the [CLS] rows alone, as with stored keys
            read = self.model.document_keys_values(states, kept.mask, pool=self.pool)
            return self.model.interact_cached(
                asked.states, asked.mask, *read[:2], kept.mask, read[2]
            )
        rows = len(states)
        query, mask = asked.states.expand(rows, -1, -1), asked.mask.expand(rows, -1)
        return self.model.interact(query, mask, states, kept.mask, pool=self.pool)


class Keys(Held):
    """See the module."""

    name: Hold = "keys"

    def _columns(self) -> tuple[Column, ...]:
        tokens = (Column(name, self.width, True) for name in ("keys", "values"))
        return (*tokens, Column("cls", self.width, False))

    def of(self, replies: Encoded) -> Kept:
        stored, mask = _pooled(replies, self.pool)
        states = self.model.widen(stored)
        keys, values, cls = self.model.document_keys_values(states, mask, pool=self.pool)
        found = {"keys": _joined(keys), "values": _joined(values), "cls": cls}
        return Kept({**found, VECTOR: replies.vector}, mask)

    def asked(self, query: Encoded) -> Encoded:
        return query

    def logits(self, asked: Encoded, kept: Kept) -> Tensor:
        number = int(self.model.config.num_attention_heads)
        keys, values = (kept.heads(name, number) for name in ("keys", "values"))
        return self.model.interact_cached(
            asked.states, asked.mask, keys, values, kept.mask, kept.values("cls")
        )


class Vectors(Held):
    """See the module."""

    name: Hold = "vectors"

    def _columns(self) -> tuple[Column, ...]:
        if built_in(self.model.config.last_layer_model_type) == LSTM:
            return (Column("pooled", 2 * max(self.width // 2, 1), False),)
        return (Column("pooled", self.width, False),)

    def of(self, replies: Encoded) -> Kept:
        pooled = self.model.pool_document(replies.states, replies.mask)
        return Kept({"pooled": pooled, VECTOR: replies.vector}, replies.mask)

    def asked(self, query: Encoded) -> Tensor:
        return self.model.pool_query(query.states, query.mask)

    def logits(self, asked: Tensor, kept: Kept) -> Tensor:
        return self.model.interact_pooled(asked, kept.values("pooled"))


KINDS: dict[Hold, type[Held]] = {"keys": Keys, "states": States, "vectors": Vectors}


def possible(config: Any) -> tuple[Hold, ...]:
    """What may be kept for a network, the default first."""
    kind = built_in(config.last_layer_model_type)
    if kind in (LINEAR, LSTM):
        return ("vectors", "states")
    if kind == TRANSFORMER and config.num_interaction_layers == 1:
        return ("keys", "states") if config.document_width is None else ("states", "keys")
    return ("states",)


def held_by(model: DcBertForSequenceClassification, hold: Hold | None, pool: int = 1) -> Held:
    """The way of keeping replies that is asked for, or the network's default.

    Raises:
        UserError: the network does not allow it.
    """
    allowed = possible(model.config)
    kind = hold or allowed[0]
    if kind not in allowed:
        form = model.config.last_layer_model_type
        number = counted(model.config.num_interaction_layers, "layer")
        layers = f" of {number}" if form == TRANSFORMER else ""
        message = f"'{kind}' cannot be kept for this network, a '{form}'{layers}"
        hint = f"Take {' or '.join(allowed)}."
        raise UserError(Problem("--hold", message, hint, code="index.cannot-be-held"))
    if pool > 1 and (kind == "vectors" or built_in(model.config.last_layer_model_type) is None):
        message = "averages neighbouring states for a transformer, and this network is another kind"
        raise UserError(Problem("--pool", message, "Leave it out.", code="index.cannot-pool"))
    return KINDS[kind](model, pool)


def _pooled(replies: Encoded, pool: int) -> tuple[Tensor, Tensor]:
    if pool == 1:
        return replies.stored, replies.mask
    return pool_documents(replies.stored, replies.mask, pool)


def _joined(heads: Tensor) -> Tensor:
    """(B, heads, L, d) as (B, L, H)."""
    return heads.transpose(1, 2).flatten(2)
