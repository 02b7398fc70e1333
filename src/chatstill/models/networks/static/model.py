"""The static network's config and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from typing_extensions import override

from ....features.base import Features, Needs
from ..second_text import second_text


class StaticConfig(PretrainedConfig):
    """Sizes of a static network.

    Args:
        vocab_size: Words, special ones among them.
        hidden_size: Of a word's vector.
        pooling: ``mean`` or ``weighted``.
        classifier_size: Of the layer before the classifier; 0 leaves it out.
        dropout: Before that layer and before the classifier.
        texts: 1 or 2 in a row.
        not_words: Ids that stand for no word: special ones, the unknown one among them.
        pad_token_id: Its vector is zero.
        sep_token_id: Parts two texts of rows without token types.
    """

    model_type = "static"

    def __init__(
        self,
        vocab_size: int = 4,
        hidden_size: int = 256,
        pooling: str = "mean",
        classifier_size: int = 256,
        dropout: float = 0.1,
        texts: int = 2,
        not_words: Sequence[int] = (0,),
        pad_token_id: int | None = 0,
        sep_token_id: int | None = None,
        initializer_range: float = 0.02,
        **more: Any,
    ) -> None:
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.pooling, self.classifier_size, self.dropout = pooling, classifier_size, dropout
        self.texts, self.not_words = texts, list(not_words)
        self.initializer_range = initializer_range
        self.type_vocab_size = 2  # token types part the texts
        super().__init__(**more)
        self.pad_token_id, self.sep_token_id = pad_token_id, sep_token_id


class WordVectors(nn.Module):
    """Vectors of words, and how much each counts."""

    def __init__(self, config: StaticConfig) -> None:
        super().__init__()
        self.not_words = tuple(config.not_words)
        self.words = nn.Embedding(
            config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id
        )
        weighted = config.pooling == "weighted"
        self.weights = nn.Embedding(config.vocab_size, 1) if weighted else None

    def forward(self, ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vectors (B, L, D) and weights (B, L) of ids (B, L); weight 0 for what is no word."""
        named = torch.tensor(self.not_words, device=ids.device)
        words = (ids[..., None] != named).all(-1)  # ONNX knows no `isin`
        if mask is not None:
            words = words & mask.bool()
        states = self.words(ids)
        weights = words.to(states.dtype)
        if self.weights is not None:
            weights = weights * self.weights(ids).squeeze(-1).exp()
        return states, weights


class StaticForSequenceClassification(PreTrainedModel):
    """Means of word vectors, and a classifier on them."""

    config_class = StaticConfig
    base_model_prefix = "static"
    gives = frozenset({"logits", "vector"})
    reads_sides = True

    def __init__(self, config: StaticConfig) -> None:
        super().__init__(config)
        width, texts = config.hidden_size, config.texts
        self.static = WordVectors(config)
        size = width if texts == 1 else 4 * width
        self.dropout = nn.Dropout(config.dropout)
        if config.classifier_size:
            self.dense = nn.Linear(size, config.classifier_size)
            size = config.classifier_size
        self.classifier = nn.Linear(size, int(config.num_labels or 2))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Word vectors N(0, 1/sqrt(width)); log-weights 0, so that a weighted mean starts as the mean."""
        if module is self.static.words:
            with torch.no_grad():
                module.weight.normal_(0.0, self.config.hidden_size**-0.5)
                if module.padding_idx is not None:
                    module.weight[module.padding_idx].zero_()
        elif isinstance(module, nn.Embedding):
            nn.init.zeros_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, self.config.initializer_range)
            nn.init.zeros_(module.bias)

    @override
    def get_input_embeddings(self) -> nn.Module:
        return self.static.words

    @override
    def set_input_embeddings(self, value: Any) -> None:
        self.static.words = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Logits (B, C) of rows (B, L)."""
        states, weights = self.static(input_ids, attention_mask)
        sides = self._sides(states, weights, input_ids, attention_mask, token_type_ids)
        return SequenceClassifierOutput(logits=self.logits_of(sides))

    def read_features(self, batch: Mapping[str, Tensor], needs: Needs) -> Features:
        """What of ``gives`` is needed: logits (B, C), and the mean over all words of a row (B, D)."""
        ids, mask = batch["input_ids"], batch.get("attention_mask")
        states, weights = self.static(ids, mask)
        found = Features()
        if needs.logits:
            sides = self._sides(states, weights, ids, mask, batch.get("token_type_ids"))
            found.logits = self.logits_of(sides)
        if needs.vector:
            found.vector = _mean(states, weights)
        return found

    def text_vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, D) of rows (B, L) of one text each, 0 without a word: what ``logits_of`` reads of a text."""
        return _mean(*self.static(input_ids, attention_mask))

    def logits_of(self, vectors: Sequence[Tensor]) -> Tensor:
        """Logits (B, C) of the vectors (B, D) of a row's texts, as many as ``config.texts``."""
        joined = vectors[0]
        if self.config.texts == 2:
            one, two = vectors
            joined = torch.cat([one, two, one * two, (one - two).abs()], -1)
        if self.config.classifier_size:
            joined = torch.tanh(self.dense(self.dropout(joined)))
        logits: Tensor = self.classifier(self.dropout(joined))
        return logits

    def _sides(
        self,
        states: Tensor,
        weights: Tensor,
        ids: Tensor,
        mask: Tensor | None,
        types: Tensor | None,
    ) -> list[Tensor]:
        """(B, D) of each text."""
        if self.config.texts == 1:
            return [_mean(states, weights)]
        second = second_text(ids, types, self.config.sep_token_id, mask)
        return [_mean(states, weights * ~second), _mean(states, weights * second)]


def _mean(states: Tensor, weights: Tensor) -> Tensor:
    """(B, D) weighted mean over places, 0 for a text without a word."""
    total = weights.sum(-1, keepdim=True)
    mean = torch.einsum("bld,bl->bd", states, weights)
    return mean / torch.where(total > 0, total, torch.ones_like(total))
