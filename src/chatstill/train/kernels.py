"""Kernels that training on CPUs meets in every layer, quicker than torch's own, and as exact.

*Dropout masks*: torch draws a random word for every element, 8 to 25 % of a step. Ours compares four 16-bit
numbers of each 64-bit word of the same generator with the rate; 0.1 is 6554 / 65536 that way, 0.100006.

*The softmax of attention with dropout*: torch looks at every score to find queries that meet no key, whose
row is 0. Ours asks the softmax, which is NaN there, and looks only where it is.

*Attention without dropout in bf16*: torch's fused kernel is three to ten times slower backwards than plain
products while rows are short; where attention drops, torch takes those itself.
"""

import inspect
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

_LEVELS = 1 << 16
SHORT = 128  # tokens; from there on the fused kernel gains, and holds less


def draw_mask(out: Tensor, p: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """Fills a tensor of any shape and type with 1 (probability ``p`` to 1/65536) and 0; returns it."""
    words = torch.empty((out.numel() + 3) // 4, dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    numbers = words.view(torch.int16)[: out.numel()].view(out.shape)
    below = round(p * _LEVELS) - _LEVELS // 2  # of -32768 ... 32767
    if below >= _LEVELS // 2:  # the one bound that is no 16-bit number
        return out.fill_(1)
    return torch.lt(numbers, below, out=out) if out.is_contiguous() else out.copy_(numbers < below)


def safe_softmax(scores: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    """``aten::_safe_softmax``, to the bit: a softmax in which a row of nothing but -inf becomes 0."""
    out = torch.softmax(scores, dim, dtype)
    if out.numel() and out.select(dim, 0).isnan().any():
        empty = (scores == -torch.inf).all(dim, keepdim=True)
        out = torch.where(empty, 0.0, out)
    return out


@contextmanager
def quick_kernels() -> Iterator[None]:
    """Inside the block both are used on CPUs, by every module and function, for the whole process.

    Nothing is replaced where torch is too old to let it be.
    """
    if "allow_override" not in inspect.signature(torch.library.Library.impl).parameters:
        yield
        return
    with torch.library._scoped_library("aten", "IMPL") as library:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"(?s).*Overriding a previously registered")
            library.impl("bernoulli_.float", draw_mask, "CPU", allow_override=True)
            library.impl("_safe_softmax", safe_softmax, "CPU", allow_override=True)
        yield


def quick_attention(input_ids: Tensor) -> AbstractContextManager[None]:
    """Surrounds the forward pass of a network in training; of effect on CPUs under bf16 alone.

    Args:
        input_ids: (B, L).
    """
    half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    if input_ids.device.type == "cpu" and half and input_ids.shape[-1] <= SHORT:
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()
