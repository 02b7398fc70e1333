"""A second structure over the same parameters."""

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def structural_copy(module: Module) -> Module:
    """Copies modules, flags and hooks, and shares every parameter and buffer with the original.

    The copy has train/eval flags of its own and may have submodules replaced without touching the
    original; a change of a shared parameter is seen by both.
    """
    memo = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    return copy.deepcopy(module, memo)
