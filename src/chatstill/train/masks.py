"""Dropout masks on CPUs, four from each random word: torch draws a word for every element.

Drawing masks takes torch 8 to 25 % of a training step on a CPU. Inside ``quick_masks`` the kernel behind
every dropout (modules, functions, attention) is ours: four 16-bit numbers of each 64-bit word of the same
generator are compared with the rate. A rate of 0.1 is 6554 / 65536 that way, 0.100006.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_LEVELS = 1 << 16


def draw_mask(out: Tensor, p: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """Fills a tensor of any shape and type with 1 (probability ``p`` to 1/65536) and 0; returns it."""
    words = torch.empty((out.numel() + 3) // 4, dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    numbers = words.view(torch.int16)[: out.numel()].view(out.shape)
    below = round(p * _LEVELS) - _LEVELS // 2  # of -32768 ... 32767
    if below >= _LEVELS // 2:  # the one bound that is no 16-bit number
        return out.fill_(1)
    return torch.lt(numbers, below, out=out) if out.is_contiguous() else out.copy_(numbers < below)


@contextmanager
def quick_masks() -> Iterator[None]:
    """Inside the block torch's ``bernoulli_`` on CPUs is ``draw_mask``, for the whole process."""
    with torch.library._scoped_library("aten", "IMPL") as library:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"(?s).*Overriding a previously registered")
            library.impl("bernoulli_.float", draw_mask, "CPU", allow_override=True)
        yield
