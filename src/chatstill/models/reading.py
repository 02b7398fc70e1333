"""A forward pass of a transformers model, with what is needed of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..features.base import Features, Needs, given_by
from ..features.capture import capture
from ..features.probe import probe_batch
from .layers import layer_list
from .structure import structural_copy


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


def read_once(model: PreTrainedModel, needs: Needs) -> Features:
    """What is needed of one row of four made-up tokens, without dropout; the model's flags stay."""
    trial = structural_copy(model).train(False)  # some networks change with a short row
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return read_features(trial, probe_batch(device), needs)
