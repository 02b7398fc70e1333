"""A language model that is not trained: what of it is stored of each text, and read again.

Of each word and boundary its token's vector (P) and the states of each layer of LSTMs (2 P) are kept: the
first of the layers that are mixed is that vector twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ....features.frozen import FrozenPart
from ....text.byte_tokenizer import END_ID, FIRST_ID
from .characters import words_of

if TYPE_CHECKING:
    from .model import ElmoForSequenceClassification


def frozen_bilm(model: ElmoForSequenceClassification) -> FrozenPart:
    """The language model of a network; of a text its ids count that are no special ones."""
    config, bilm = model.config, model.elmo.bilm

    def texts(batch: Mapping[str, Tensor]) -> list[Tensor]:
        return [own & (batch["input_ids"] >= FIRST_ID) for own in model.sides_of(batch)]

    def places(ids: np.ndarray) -> int:
        ends = int((ids == END_ID).sum())
        return ends + bool(len(ids) and ids[-1] != END_ID) + 2

    def states(ids: Tensor, own: Tensor) -> Tensor:
        (tokens, *layers), _ = bilm(words_of(ids, own))
        return torch.cat([tokens[..., : config.projection_size], *layers], -1)

    width = (2 * config.lstm_layers + 1) * config.projection_size
    kept = f"{config.lstm_layers + 1} layers", "words and boundaries"
    return FrozenPart(bilm, width, config.sizes()._asdict(), kept, texts, places, states)


def layers_of(states: Tensor, places: Tensor, width: int) -> tuple[list[Tensor], Tensor]:
    """What ``BiLm`` gives, layers (N, T, 2 P) and mask (N, T), of states (N, T, K), places (N,) and P."""
    tokens, *layers = states.split([width, *[2 * width] * (states.shape[-1] // (2 * width))], -1)
    mask = torch.arange(states.shape[1], device=states.device) < places[:, None]
    return [torch.cat([tokens, tokens], -1), *layers], mask
