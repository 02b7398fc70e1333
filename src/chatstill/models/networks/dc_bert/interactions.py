"""Interaction of two vectors, one of each side: the linear and the LSTM form, and which form a network has.

The paper names both in its ablation and gives no more of them than that a linear layer, or an LSTM with a
bilinear form, takes the place of the transformer layers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from ....registry.plugins import faults
from ..lstm_precision import run_lstm
from .config import DcBertConfig
from .names import LINEAR, LSTM, TRANSFORMER, built_in
from .own import own_interaction, warn_if_changed
from .transformer import TransformerInteraction

DROPOUT_POOLED, DROPOUT_JOINED = 0.3, 0.1


class PooledInteraction(nn.Module):
    """A form that reads one vector of each side, so that vectors are all that must be stored of documents."""

    def pool_query(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, D) of a query's states (B, L, H) and mask (B, L)."""
        raise NotImplementedError

    def pool_document(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, D) of a document's states (B, L, H) and mask (B, L)."""
        raise NotImplementedError

    def pooled(self, query: Tensor, document: Tensor) -> Tensor:
        """Logits (B, C) of the two vectors (B, D)."""
        raise NotImplementedError

    def forward(
        self, query: Tensor, query_mask: Tensor, document: Tensor, document_mask: Tensor
    ) -> Tensor:
        """Logits (B, C) of states (B, Lq, H) and (B, Ld, H) with their masks."""
        one, other = self.pool_query(query, query_mask), self.pool_document(document, document_mask)
        return self.pooled(one, other)


class LinearInteraction(PooledInteraction):
    """logits = W₂ tanh(W₁ [p ; d ; p − d]), p and d each tanh(W [CLS]) of its side.

    Dropout 0.3 on p and d, and 0.1 behind the tanh.
    """

    def __init__(self, config: DcBertConfig, encoder_config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        self.query_pooler = nn.Linear(width, width)
        self.document_pooler = None if config.shared_encoder else nn.Linear(width, width)
        self.dense = nn.Linear(3 * width, width)
        self.dropout_pooled = nn.Dropout(DROPOUT_POOLED)
        self.dropout = nn.Dropout(DROPOUT_JOINED)
        self.classifier = nn.Linear(width, int(config.num_labels or 2))

    def pool_query(self, states: Tensor, mask: Tensor) -> Tensor:
        return torch.tanh(self.query_pooler(states[:, 0]))

    def pool_document(self, states: Tensor, mask: Tensor) -> Tensor:
        pooler = self.query_pooler if self.document_pooler is None else self.document_pooler
        return torch.tanh(pooler(states[:, 0]))

    def pooled(self, query: Tensor, document: Tensor) -> Tensor:
        query, document = self.dropout_pooled(query), self.dropout_pooled(document)
        query, document = torch.broadcast_tensors(query, document)
        joined = torch.tanh(self.dense(torch.cat([query, document, query - document], -1)))
        logits: Tensor = self.classifier(self.dropout(joined))
        return logits


class LstmInteraction(PooledInteraction):
    """logits_c = uᵀ W_c v + b_c, with u and v the last states of a BiLSTM over each side, both directions."""

    def __init__(self, config: DcBertConfig, encoder_config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        size = max(width // 2, 1)
        how: dict[str, Any] = {"batch_first": True, "bidirectional": True}
        self.query_lstm = nn.LSTM(width, size, **how)
        self.document_lstm = None if config.shared_encoder else nn.LSTM(width, size, **how)
        self.dropout = nn.Dropout(DROPOUT_JOINED)
        self.classifier = nn.Bilinear(2 * size, 2 * size, int(config.num_labels or 2))

    def pool_query(self, states: Tensor, mask: Tensor) -> Tensor:
        return _last_states(self.query_lstm, states, mask)

    def pool_document(self, states: Tensor, mask: Tensor) -> Tensor:
        lstm = self.query_lstm if self.document_lstm is None else self.document_lstm
        return _last_states(lstm, states, mask)

    def pooled(self, query: Tensor, document: Tensor) -> Tensor:
        query, document = torch.broadcast_tensors(self.dropout(query), self.dropout(document))
        # Autocast leaves a bilinear form as it is, whatever its inputs were computed in.
        kind = self.classifier.weight.dtype
        logits: Tensor = self.classifier(
            query.contiguous().to(kind), document.contiguous().to(kind)
        )
        return logits


def _last_states(lstm: nn.LSTM, states: Tensor, mask: Tensor) -> Tensor:
    """(B, 2 size): forwards behind the last token, backwards behind the first; padding is not read."""
    lengths = mask.sum(1).cpu()
    packed = pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
    _, (last, _) = run_lstm(lstm, packed)
    return torch.cat([last[0], last[1]], -1)


FORMS: dict[str, Any] = {
    TRANSFORMER: TransformerInteraction,
    LINEAR: LinearInteraction,
    LSTM: LstmInteraction,
}


def new_interaction(config: DcBertConfig, encoder_config: Any) -> nn.Module:
    """The interaction that a configuration names, of random weights.

    Raises:
        UserError: a class that is in no file, or fails.
    """
    kind = built_in(config.last_layer_model_type)
    if kind is not None:
        made: nn.Module = FORMS[kind](config, encoder_config)
        return made
    own = own_interaction(config.last_layer_model_type)
    warn_if_changed(own, config.interaction_code)
    with faults(own.file, f"{own.interaction.__name__}(config) fails"):
        return own.interaction(config)
