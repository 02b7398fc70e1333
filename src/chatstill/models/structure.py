"""A second structure over the same parameters."""

import copy
from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

_EMPTY = (dict, OrderedDict, set, list)
Module = TypeVar("Module", bound=nn.Module)


def structural_copy(module: Module) -> Module:
    """Copies modules, flags and hooks, and shares every parameter and buffer with the original.

    The copy has train/eval flags of its own and may have submodules replaced without touching the
    original; a change of a shared parameter is seen by both.
    """
    memo: dict[int, object] = {
        id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]
    }
    for part in module.modules():  # a module has a dozen empty places for hooks: half of the time
        for value in vars(part).values():
            if type(value) in _EMPTY and not value:
                memo[id(value)] = type(value)()
    return copy.deepcopy(module, memo)


class KeptBuffers:
    """The buffers that training changes, such as running statistics, and their places in the kept network.

    A module that moves to a device keeps its parameters and gets new buffers: from there on a structural
    copy shares the ones and not the others.

    Args:
        trained: A structural copy.
        kept: The network whose buffers it shares, nothing moved yet.

    Attributes:
        names: Of the buffers that are saved with ``trained``.
    """

    def __init__(self, trained: nn.Module, kept: nn.Module) -> None:
        parameters = {name for name, _ in trained.named_parameters(remove_duplicate=False)}
        saved = trained.state_dict().items()
        self.names = [
            name for name, value in saved if isinstance(value, Tensor) and name not in parameters
        ]
        homes = {id(tensor): (module, name) for module, name, tensor in _buffers(kept)}
        self._pairs = [
            (module, name, *homes[id(tensor)])
            for module, name, tensor in _buffers(trained)
            if id(tensor) in homes
        ]

    @torch.no_grad()
    def put_back(self) -> None:
        """Writes the values of the trained structure into the kept network."""
        for module, name, home, name_at_home in self._pairs:
            source, target = module._buffers[name], home._buffers[name_at_home]
            if source is not target and source is not None and target is not None:
                target.copy_(source)


def _buffers(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    for part in module.modules():
        for name, tensor in part.named_buffers(recurse=False):
            yield part, name, tensor
