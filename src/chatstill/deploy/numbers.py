"""Numbers of an index: 16-bit floats, or 8-bit integers with a scale for each row."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import Problem, UserError

Dtype = Literal["fp16", "bf16", "int8"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
FLOATS = {"fp16": torch.float16, "bf16": torch.bfloat16}
SCALE = ".scale"
LARGEST = 127


def bytes_per_row(width: int, dtype: Dtype) -> int:
    """What a row of ``width`` numbers takes."""
    return width + 4 if dtype == "int8" else 2 * width


def packed(name: str, values: Tensor, dtype: Dtype) -> dict[str, Tensor]:
    """Rows (N, W) of float32 as they are stored, by name.

    Raises:
        UserError: numbers that are not finite, or too large for fp16.
    """
    if not torch.isfinite(values).all():
        message = "the network's outputs hold NaN or infinite numbers"
        raise UserError(Problem("MODEL", message, code="index.not-finite"))
    if dtype == "int8":
        scale = values.abs().amax(-1) / LARGEST
        steps = values / scale.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
        return {name: steps.round().clamp(-LARGEST, LARGEST).to(torch.int8), name + SCALE: scale}
    stored = values.to(FLOATS[dtype])
    if not torch.isfinite(stored).all():
        message = (
            f"the network's outputs reach {float(values.abs().max()):.3g}, beyond fp16's range"
        )
        hint = "Take --dtype bf16."
        raise UserError(Problem("--dtype", message, hint, code="index.beyond-fp16"))
    return {name: stored}


def unpacked(stored: Tensor, scale: Tensor | None) -> Tensor:
    """float32 of stored rows (…, W) and, of integers, their scales (…)."""
    values = stored.float()
    return values if scale is None else values * scale[..., None]
