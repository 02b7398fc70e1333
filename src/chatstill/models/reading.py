"""A forward pass of a transformers model, with what is needed of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from ..features.base import Features, Needs, given_by
from ..features.capture import capture
from .layers import layer_list


def read_features(
    model: PreTrainedModel, batch: Mapping[str, Tensor], needs: Needs, *, stop_early: bool = False
) -> Features:
    """See ``features.capture``; the model's layers are looked up where something of them is read.

    A network of the package hands out its features itself.

    Raises:
        UserError: the model has no plain list of layers.
    """
    if given_by(model):
        network: Any = model
        found: Features = network.read_features(batch, needs)
        return found
    layers: list[nn.Module] = list(layer_list(model)[2]) if needs.reads_layers else []
    return capture(model, layers, batch, needs, stop_early=stop_early)
