"""The LTD-BERT student's config and model."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..bilstm.model import BiLstmConfig, BiLstmForSequenceClassification, TextEncoder

WEIGHTED = "weighted"


class LtdConfig(BiLstmConfig):
    """Sizes of an LTD-BERT student: those of a BiLSTM network, and ``vector_size``, a text's vector.

    Args:
        vector_size: Width of a text's vector; None: 2 ``lstm_size``.
        pooling: ``weighted``, ``max`` or ``attention``.
        more: As of ``BiLstmConfig``.
    """

    model_type = "ltd"

    def __init__(
        self, vector_size: int | None = None, pooling: str = WEIGHTED, **more: Any
    ) -> None:
        self.vector_size = vector_size
        super().__init__(pooling=pooling, **more)
        self.hidden_size = vector_size or 2 * self.lstm_size


class WeightedState(nn.Module):
    """Mean of the states, weighted by the words' weights."""

    def forward(self, states: Tensor, weights: Tensor) -> Tensor:
        """(N, D) of states (N, L, D) and weights (N, L), which add up to the number of words, or to 0."""
        total = weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        shares = (weights / total).to(states.dtype)
        return (shares[..., None] * states).sum(1)


class WeighedTextEncoder(TextEncoder):
    """A vector of each text: word vectors times weights, BiLSTM, pooling, a map to ``vector_size``.

    A text's weights are scaled to a mean of 1, so that what the BiLSTM reads has the size of word vectors.
    """

    def __init__(self, config: LtdConfig) -> None:
        super().__init__(config)
        self.by_weight = config.pooling == WEIGHTED
        self.map = nn.Linear(2 * config.lstm_size, config.hidden_size)
        self.register_buffer("weights", torch.ones(config.vocab_size))

    weights: Tensor

    def pooling_of(self, config: BiLstmConfig) -> nn.Module:
        return WeightedState() if config.pooling == WEIGHTED else super().pooling_of(config)

    def encode(self, words: Tensor, lengths: Tensor) -> Tensor:
        real = torch.arange(words.shape[1], device=words.device) < lengths[:, None]
        weights = torch.where(real, self.weights[words].float(), 0.0)  # (N, L)
        total = weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        weights = weights * (lengths[:, None] / total)
        vectors = self.vectors_of(words)
        states = self.lstm(self.dropout(vectors * weights[..., None].to(vectors.dtype)), lengths)
        pooled = self.pooling(states, weights if self.by_weight else lengths)
        return self.map(pooled).masked_fill(lengths[:, None] == 0, 0.0)


class LtdForSequenceClassification(BiLstmForSequenceClassification):
    """A BiLSTM over weighted words, a vector of the teacher's width for each text, and a classifier."""

    config_class = LtdConfig  # type: ignore[assignment]
    encoder = WeighedTextEncoder

    @property
    def word_weights(self) -> Tensor:
        """(V,) float32: what each word weighs."""
        return cast(WeighedTextEncoder, self.bilstm).weights

    def weigh(self, table: np.ndarray) -> None:
        """Sets what each word weighs, (V,)."""
        self.word_weights.copy_(torch.from_numpy(np.asarray(table, np.float32)))
