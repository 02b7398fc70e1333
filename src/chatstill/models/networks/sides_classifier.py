"""A classifier over the vectors of a row's texts, each made by itself: for several networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from ...features.base import Features, Needs
from .second_text import second_text


class SidesClassifier(PreTrainedModel):
    """A row of one text is its vector, of two [h1, h2, h1*h2, |h1-h2|]; a hidden layer, the classifier.

    The module of the name ``base_model_prefix`` makes the vectors: called with ids (B, L) and, for each text,
    which places are its own (B, L), it gives for each text its vectors (B, D), 0 without a word, and its
    number of words (B,). The config has ``hidden_size`` (D), ``texts``, ``classifier_size`` and a separator.
    """

    gives = frozenset({"logits", "vector"})
    reads_sides = True

    def add_classifier(self, dropout: float) -> None:
        """The layers behind the vectors."""
        config = self.config
        size = config.hidden_size * (1 if config.texts == 1 else 4)
        self.dropout = nn.Dropout(dropout)
        if config.classifier_size:
            self.dense = nn.Linear(size, config.classifier_size)
            size = config.classifier_size
        self.classifier = nn.Linear(size, int(config.num_labels or 2))

    def _encoder(self) -> nn.Module:
        return cast(nn.Module, getattr(self, self.base_model_prefix))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Logits (B, C) of rows (B, L)."""
        vectors, _ = self._encoder()(
            input_ids, self._sides(input_ids, attention_mask, token_type_ids)
        )
        return SequenceClassifierOutput(logits=self.logits_of(vectors))

    def read_features(self, batch: Mapping[str, Tensor], needs: Needs) -> Features:
        """What of ``gives`` is needed: logits (B, C), and the mean of a row's texts' vectors (B, D).

        A text without a word does not count in the mean.
        """
        found = Features()
        if not (needs.logits or needs.vector):
            return found
        vectors, lengths = self._read_sides(batch)
        if needs.logits:
            found.logits = self.logits_of(vectors)
        if needs.vector:
            texts = torch.stack(lengths).gt(0).sum(0).clamp(min=1)
            found.vector = torch.stack(vectors).sum(0) / texts[:, None]
        return found

    def sides_of(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """For each text (B, L) bool, its places in a padded batch, special tokens or not."""
        others = (batch.get(name) for name in ("attention_mask", "token_type_ids"))
        return self._sides(batch["input_ids"], *others)

    def _read_sides(self, batch: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """For each text its vectors (B, D) and its number of words (B,)."""
        found: tuple[list[Tensor], list[Tensor]] = self._encoder()(
            batch["input_ids"], self.sides_of(batch)
        )
        return found

    def text_vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, D) of rows (B, L) of one text each, 0 without a word: what ``logits_of`` reads of a text."""
        vectors, _ = self._encoder()(input_ids, [attention_mask.bool()])
        found: Tensor = vectors[0]
        return found

    def _sides(self, ids: Tensor, mask: Tensor | None, types: Tensor | None) -> list[Tensor]:
        """(B, L) for each text its places: see ``second_text``."""
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
        if self.config.texts == 1:
            return [real]
        second = second_text(ids, types, self.config.sep_token_id, real)
        return [real & ~second, real & second]

    def logits_of(self, vectors: Sequence[Tensor]) -> Tensor:
        """Logits (B, C) of the vectors (B, D) of a row's texts, as many as ``config.texts``."""
        joined = vectors[0]
        if self.config.texts == 2:
            one, two = vectors
            joined = torch.cat([one, two, one * two, (one - two).abs()], -1)
        if self.config.classifier_size:
            joined = torch.relu(self.dense(self.dropout(joined)))
        logits: Tensor = self.classifier(self.dropout(joined))
        return logits
