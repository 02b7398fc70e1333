"""Where networks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ..config.schema import RunConfig


def device_of(config: RunConfig) -> torch.device:
    """Where networks run: the accelerator, unless ``training_arguments.use_cpu`` says otherwise."""
    if config.training_arguments.get("use_cpu") or not torch.accelerator.is_available():
        return torch.device("cpu")
    return torch.accelerator.current_accelerator() or torch.device("cpu")
