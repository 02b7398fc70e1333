"""LSTMs under autocast on a processor without bf16: oneDNN has no kernel for them there, and fails."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


@cache
def has_kernel() -> bool:
    """Whether the processor has what oneDNN's LSTM in bf16 needs; True where torch does not tell."""
    told = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return told is None or bool(told())


def run_lstm(lstm: nn.Module, states: Tensor | PackedSequence) -> Any:
    """What ``lstm(states)`` gives; in its own precision where autocast would take one that has no kernel.

    Args:
        lstm: An ``nn.LSTM``.
        states: (N, L, D), or packed.
    """
    values = states.data if isinstance(states, PackedSequence) else states
    if values.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or has_kernel():
        return lstm(states)
    with torch.autocast("cpu", enabled=False):
        return lstm(states.to(next(lstm.parameters()).dtype))
