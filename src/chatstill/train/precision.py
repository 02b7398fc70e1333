"""The numbers that a run computes in."""

from contextlib import AbstractContextManager, nullcontext

import torch

_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


def precision_of(*, fp16: bool, bf16: bool) -> str:
    """``fp16``, ``bf16`` or ``float32``."""
    return "fp16" if fp16 else "bf16" if bf16 else "float32"


def type_in(precision: str) -> torch.dtype:
    """Of what a layer computes in that."""
    return _HALF.get(precision, torch.float32)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """What the Trainer runs a forward pass in."""
    half = _HALF.get(precision)
    return nullcontext() if half is None else torch.autocast(device.type, dtype=half)
