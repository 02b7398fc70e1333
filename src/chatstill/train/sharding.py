"""Whole tensors in checkpoints, whatever holds the parameters: plain tensors, rows, or FSDP2's shards."""

from typing import Any

import torch
from torch import Tensor, nn

from ..models.word_rows import WordRows


def gather(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Whole CPU copies by name; a collective call where parameters are sharded."""
    whole = {}
    for name, parameter in parameters.items():
        tensor = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
        whole[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return whole


def spread(state: dict[str, Tensor], parameters: dict[str, Any]) -> dict[str, Tensor]:
    """Whole tensors, cut into shards where the parameters are sharded."""
    out = dict(state)
    for name, parameter in parameters.items():
        if hasattr(parameter, "device_mesh") and name in state:
            from torch.distributed.tensor import distribute_tensor

            whole = state[name].to(parameter.device)
            out[name] = distribute_tensor(whole, parameter.device_mesh, parameter.placements)
    return out


def _plain(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer inside accelerate's wrapper."""
    return getattr(optimizer, "optimizer", optimizer)


def optimizer_state(
    model: nn.Module, optimizer: Any, *, sharded: bool, words: WordRows | None = None
) -> dict[str, Any]:
    """The optimizer's whole state; a collective call where parameters are sharded."""
    if not sharded:
        return optimizer.state_dict() if words is None else words.widened(_plain(optimizer))
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return get_optimizer_state_dict(model, _plain(optimizer), options=options)


def load_optimizer_state(
    model: nn.Module,
    optimizer: Any,
    state: dict[str, Any],
    *,
    sharded: bool,
    words: WordRows | None = None,
) -> None:
    """Puts a whole state back."""
    if not sharded:
        state = state if words is None else words.narrowed(_plain(optimizer), state)
        optimizer.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, _plain(optimizer), state, options=options)
