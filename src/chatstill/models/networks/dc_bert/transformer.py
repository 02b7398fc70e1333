"""Interaction by transformer layers over the states of both sides (paper, section 2.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.masking_utils import create_bidirectional_mask

from .config import DcBertConfig
from .encoders import new_layer, parts_of
from .names import ONE_WAY
from .pooling import embedded, pooled_positions

# The two [CLS] rows (B, H) behind the layers, and what each layer's attention reads, (B, L, H).
Passed = tuple[tuple[Tensor, Tensor], list[Tensor]]


class TransformerInteraction(nn.Module):
    """logits = W₂ tanh(W₁ [o ; o′]), o and o′ the two [CLS] rows of K layers over all states.

    The input of the layers is the states of the query at positions 0, 1, …, and those of the document from
    ``config.query_places`` on, each plus a global position and a type embedding, without a norm or dropout.
    A query takes up a fixed number of positions, so a document's input does not depend on it.

    ``one_way`` is ours: the document's input serves every layer as keys and values, as it is. The layers
    compute the query's rows alone, and o′ is the document's [CLS] row of the input.
    """

    def __init__(self, config: DcBertConfig, encoder_config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        self.config, self.first = encoder_config, config.query_places
        self.one_way = config.interaction == ONE_WAY
        self.positions = nn.Embedding(config.num_positions, width)
        self.types = nn.Embedding(2, width)
        layers = range(config.num_interaction_layers)
        self.layers = nn.ModuleList(new_layer(encoder_config) for _ in layers)
        self.dense = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(encoder_dropout(encoder_config))
        self.classifier = nn.Linear(width, int(config.num_labels or 2))

    def forward(
        self,
        query: Tensor,
        query_mask: Tensor,
        document: Tensor,
        document_mask: Tensor,
        pool: int = 1,
    ) -> Tensor:
        """Logits (B, C) of states (B, Lq, H) and (B, Ld, H) with their masks.

        ``pool`` is the number of tokens that each of the document's states behind [CLS] is the mean of.
        """
        return self.passed(query, document, torch.cat([query_mask, document_mask], 1), pool)[0]

    def passed(
        self, query: Tensor, document: Tensor, mask: Tensor, pool: int = 1
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, C), and what each layer's attention reads, (B, Lq + Ld, H); mask (B, Lq + Ld)."""
        asked, replied = self.placed_query(query), self.placed_document(document, pool)
        form = self._one_way if self.one_way else self._both_ways
        rows, read = form(asked, replied, mask)
        return self.head(*rows), read

    def cls_scores(self, read: list[Tensor], query_length: int) -> Tensor:
        """(K, B, heads, R, Lq + Ld) raw attention scores of the [CLS] rows of which ``passed`` told.

        R is 2, the query's and the document's; 1 where the layers have the query's alone.
        """
        places = [0] if self.one_way else [0, query_length]
        found = []
        for layer, states in zip(self.layers, read, strict=True):
            parts = parts_of(layer)
            asked = _split(parts.query(states[:, places]), parts.heads).float()
            keys = _split(parts.key(states), parts.heads).float()
            with torch.autocast(states.device.type, enabled=False):
                found.append(asked @ keys.transpose(-1, -2) * asked.shape[-1] ** -0.5)
        return torch.stack(found)

    def _both_ways(self, query: Tensor, document: Tensor, mask: Tensor) -> Passed:
        """The [CLS] rows behind the layers, of placed states."""
        states = torch.cat([query, document], 1)
        seen = create_bidirectional_mask(
            config=self.config, inputs_embeds=states, attention_mask=mask
        )
        read = []
        for layer in self.layers:
            read.append(states)
            states = layer(states, seen)
        return (states[:, 0], states[:, query.shape[1]]), read

    def _one_way(self, query: Tensor, document: Tensor, mask: Tensor) -> Passed:
        """The same where the document's rows stay as they are."""
        seen, read = mask.bool()[:, None, None, :], []
        for layer in self.layers:
            parts, states = parts_of(layer), torch.cat([query, document], 1)
            read.append(states)
            asked, keys, values = (
                _split(make(rows), parts.heads)
                for make, rows in ((parts.query, query), (parts.key, states), (parts.value, states))
            )
            dropout = parts.dropout.p if parts.dropout.training else 0.0
            context = F.scaled_dot_product_attention(asked, keys, values, seen, dropout)
            query = parts.finish(context.transpose(1, 2).flatten(2), query)
        return (query[:, 0], document[:, 0]), read

    def placed_query(self, states: Tensor) -> Tensor:
        """(B, Lq, H) the layers' input for states of queries."""
        places = torch.arange(states.shape[1], device=states.device)
        return states + embedded(self.positions, places) + self.types.weight[0]

    def placed_document(self, states: Tensor, pool: int = 1) -> Tensor:
        """(B, Ld, H) the layers' input for states of documents; ``pool`` as in ``forward``."""
        places = pooled_positions(self.positions, self.first, states.shape[1], pool)
        return states + places + self.types.weight[1]

    def head(self, query: Tensor, document: Tensor) -> Tensor:
        """Logits (B, C) of the two [CLS] rows (B, H)."""
        joined = torch.tanh(self.dense(torch.cat([query, document], -1)))
        logits: Tensor = self.classifier(self.dropout(joined))
        return logits

    # -- a single layer with a document's keys and values at hand ------------------------------------

    def keys_values(self, states: Tensor, pool: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values (B, heads, Ld, d) of documents' states, and their [CLS] row (B, H)."""
        placed = self.placed_document(states, pool)
        parts = self._single()
        keys, values = (_split(make(placed), parts.heads) for make in (parts.key, parts.value))
        return keys, values, placed[:, 0]

    def cached(
        self,
        query: Tensor,
        query_mask: Tensor,
        keys: Tensor,
        values: Tensor,
        document_mask: Tensor,
        cls_row: Tensor,
    ) -> Tensor:
        """Logits (B, C) with the [CLS] rows of the layer alone; one query serves many documents."""
        parts = self._single()
        placed = self.placed_query(query)
        rows = placed[:, :1]  # (1 or B, 1, H)
        if not self.one_way:
            rows = torch.stack([placed[:, 0].expand(len(cls_row), -1), cls_row], 1)  # (B, 2, H)
        asked = _split(parts.query(rows), parts.heads)
        own_keys, own_values = (_split(f(placed), parts.heads) for f in (parts.key, parts.value))
        hidden = [_hidden(mask) for mask in (query_mask, document_mask)]
        # The query's keys are not copied for each document: two products, one softmax over both.
        scores = [asked @ k.transpose(-1, -2) for k in (own_keys, keys)]
        scores = [
            one.masked_fill(out, float("-inf")).expand(len(cls_row), -1, -1, -1)
            for one, out in zip(scores, hidden, strict=True)
        ]
        weights = torch.softmax(torch.cat(scores, -1) * asked.shape[-1] ** -0.5, -1)
        on_query, on_document = weights.split([query.shape[1], keys.shape[2]], -1)
        context = on_query @ own_values + on_document @ values  # (B, heads, 1 or 2, d)
        found = parts.finish(context.transpose(1, 2).flatten(2), rows)
        return self.head(found[:, 0], cls_row if self.one_way else found[:, 1])

    def _single(self) -> Any:
        if len(self.layers) != 1:
            raise ValueError(
                f"keys and values serve a single interaction layer, this network has {len(self.layers)}"
            )
        return parts_of(self.layers[0])


def encoder_dropout(config: Any) -> float:
    """Dropout before a classifier, as the family's own config has it."""
    for name in ("classifier_dropout", "seq_classif_dropout", "hidden_dropout_prob"):
        value = getattr(config, name, None)
        if value is not None:
            return float(value)
    return 0.0


def _split(states: Tensor, heads: int) -> Tensor:
    """(B, L, H) as (B, heads, L, d)."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _hidden(mask: Tensor) -> Tensor:
    """(B, 1, 1, L) what attention must not see."""
    return ~mask.bool()[:, None, None, :]
