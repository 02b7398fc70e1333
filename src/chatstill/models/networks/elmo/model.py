"""The ELMo network's config and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from typing_extensions import override

from ....features.frozen import PLACES, STATES, FrozenPart
from ..sides_classifier import SidesClassifier
from .characters import words_of
from .frozen import frozen_bilm, layers_of
from .layers import BiLm, ScalarMix
from .tokens import Sizes, TokenEncoder


class ElmoConfig(PretrainedConfig):
    """Sizes of an ELMo network. ``hidden_size``, the width of a text's vector, is 2 ``projection_size``.

    Args:
        char_size, filters, highways, activation, token_projection, projection_size, cell_size, lstm_layers,
            cell_clip, proj_clip, residual: See ``tokens.Sizes``.
        pooling: ``mean`` or ``max`` of the words' states.
        mix_layer_norm: Whether layers are normed before they are mixed, each text by its own figures.
        boundaries: Whether the states of a text's two boundaries count as those of words.
        fine_tune: Whether the language model is trained, or the mix and the classifier alone.
        classifier_size: Of the layer before the classifier; 0 leaves it out.
        dropout: Of the words' mixed states.
        classifier_dropout: Before that layer and before the classifier.
        texts: 1 or 2 in a row.
        vocab_size: Ids of a byte, a boundary, a word's end or a special token.
        pad_token_id: Fills up shorter rows.
        sep_token_id: Parts two texts of rows without token types.
    """

    model_type = "elmo"

    def __init__(
        self,
        char_size: int = 16,
        filters: Sequence[Sequence[int]] = ((1, 32), (2, 32)),
        highways: int = 2,
        activation: str = "relu",
        token_projection: bool = True,
        projection_size: int = 512,
        cell_size: int = 4096,
        lstm_layers: int = 2,
        cell_clip: float = 3.0,
        proj_clip: float = 3.0,
        residual: bool = True,
        pooling: str = "mean",
        mix_layer_norm: bool = False,
        boundaries: bool = False,
        fine_tune: bool = False,
        classifier_size: int = 256,
        dropout: float = 0.5,
        classifier_dropout: float = 0.1,
        texts: int = 2,
        vocab_size: int = 263,
        pad_token_id: int | None = 0,
        sep_token_id: int | None = 2,
        **more: Any,
    ) -> None:
        self.char_size, self.filters = char_size, [list(pair) for pair in filters]
        self.highways, self.activation, self.token_projection = (
            highways,
            activation,
            token_projection,
        )
        self.projection_size, self.cell_size = projection_size, cell_size
        self.lstm_layers, self.residual = lstm_layers, residual
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.pooling, self.mix_layer_norm, self.boundaries = pooling, mix_layer_norm, boundaries
        self.fine_tune, self.classifier_size = fine_tune, classifier_size
        self.dropout, self.classifier_dropout = dropout, classifier_dropout
        self.texts, self.vocab_size = texts, vocab_size
        self.type_vocab_size = 2  # token types part the texts
        super().__init__(**more)
        self.hidden_size = 2 * projection_size
        self.pad_token_id, self.sep_token_id = pad_token_id, sep_token_id

    def sizes(self) -> Sizes:
        """Those of the language model."""
        return Sizes.of(self, token_projection=self.token_projection)


class TextEncoder(nn.Module):
    """A vector of each text of a row."""

    def __init__(self, config: ElmoConfig) -> None:
        super().__init__()
        self.fine_tune, self.boundaries = config.fine_tune, config.boundaries
        self.pooling = config.pooling
        self.bilm = BiLm(config.sizes())
        self.mix = ScalarMix(config.lstm_layers + 1, "row" if config.mix_layer_norm else "")
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        ids: Tensor,
        sides: Sequence[Tensor],
        known: tuple[list[Tensor], Tensor] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Of each side its vectors (B, D), 0 without a word, and its number of words (B,).

        Args:
            ids: (B, L).
            sides: For each text (B, L), which places are its own, special tokens or not.
            known: What the language model gives of all first texts, then of all second ones.
        """
        layers, mask = self._read(ids, sides) if known is None else known
        states = self.dropout(self.mix(layers, mask))
        lengths = mask.sum(1) - 2
        counts = mask if self.boundaries else _between(mask, lengths)
        counts = counts & (lengths > 0)[:, None]
        found = _max(states, counts) if self.pooling == "max" else _mean(states, counts)
        return list(found.chunk(len(sides))), list(lengths.chunk(len(sides)))

    def _read(self, ids: Tensor, sides: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        characters = words_of(ids.repeat(len(sides), 1), torch.cat(list(sides)))
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.fine_tune):
            found: tuple[list[Tensor], Tensor] = self.bilm(characters)
        return found


class ElmoForSequenceClassification(SidesClassifier):
    """An ELMo's mixed states of the words, their mean or maximum, and a classifier on it."""

    config_class = ElmoConfig
    base_model_prefix = "elmo"

    def __init__(self, config: ElmoConfig) -> None:
        super().__init__(config)
        self.elmo = TextEncoder(config)
        self.add_classifier(config.classifier_dropout)
        self.post_init()

    def frozen_part(self) -> FrozenPart | None:
        """The language model where it is not trained (``features.frozen``)."""
        return None if self.config.fine_tune else frozen_bilm(self)

    @override
    def _read_sides(self, batch: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        known = None
        if STATES in batch and not self.config.fine_tune:
            known = layers_of(batch[STATES], batch[PLACES], self.config.projection_size)
        found: tuple[list[Tensor], list[Tensor]] = self.elmo(
            batch["input_ids"], self.sides_of(batch), known
        )
        return found

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Xavier; characters N(0, 1); the mix starts as the mean of the layers."""
        if isinstance(module, ScalarMix):
            nn.init.zeros_(module.weights)
            nn.init.ones_(module.gamma)
        elif isinstance(module, TokenEncoder):
            nn.init.normal_(module.characters)
        elif isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    @override
    def get_input_embeddings(self) -> Any:
        """None: there is no table of words, and that of characters holds more than rows do."""


def _between(mask: Tensor, lengths: Tensor) -> Tensor:
    """(N, T) bool: a row's words, its two boundaries left out."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return (places > 0) & (places <= lengths[:, None])


def _mean(states: Tensor, counts: Tensor) -> Tensor:
    """(N, D) over the places that count; 0 without one."""
    total = counts.sum(1, keepdim=True).clamp(min=1)
    return states.masked_fill(~counts[..., None], 0.0).sum(1) / total


def _max(states: Tensor, counts: Tensor) -> Tensor:
    """(N, D) over the places that count; 0 without one."""
    least = torch.finfo(states.dtype).min
    found = states.masked_fill(~counts[..., None], least).amax(1)
    return found.masked_fill(~counts.any(1, keepdim=True), 0.0)
