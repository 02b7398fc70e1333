"""Weights that are numbers: one inf or NaN in a network is told before anything runs through it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import Problem


@torch.no_grad()
def weights_problem(model: nn.Module, role: str) -> Problem | None:
    """An error that names the first parameters that hold inf or NaN.

    Args:
        model: The network.
        role: ``teacher``, ``student`` …, for the message.
    """
    broken = [(name, value) for name, value in model.named_parameters() if not all_finite(value)]
    if not broken:
        return None
    named = [f"{name} ({_bad(value):,} of {value.numel():,})" for name, value in broken[:3]]
    more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
    message = f"the {role}'s weights hold numbers that are not finite: {', '.join(named)}{more}"
    hint = "The file is damaged, or its training went wrong: take another checkpoint."
    return Problem(role, message, hint, code="weights.not-finite")


def all_finite(values: Tensor) -> bool:
    """Whether all values are finite; a sum tells in a tenth of the time, and may overflow."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def _bad(values: Tensor) -> int:
    return int((~values.isfinite()).sum())
