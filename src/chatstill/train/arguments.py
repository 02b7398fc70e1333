"""The run's configuration as ``transformers.TrainingArguments``."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments
from transformers.training_args import OptimizerNames
from transformers.utils import strtobool

from ..errors import Problem, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from ..config.schema import RunConfig
    from ..methods.base import Phase

EACH_BY_ITSELF = (
    OptimizerNames.ADAMW_TORCH,
    OptimizerNames.ADAMW_TORCH_FUSED,
    OptimizerNames.SGD,
)


def warm_up_steps(config: RunConfig, num_steps: int) -> int:
    """Steps until the learning rate of a phase of so many steps is reached."""
    if config.warmup_steps is not None:
        return config.warmup_steps
    return int((config.warmup_percentage or 0) * num_steps + 1e-9)  # 0.29 x 100 is 28.999…


def training_arguments(
    config: RunConfig,
    phase: Phase,
    folder: Path,
    num_steps: int,
    *,
    unused_parameters: bool = False,
) -> TrainingArguments:
    """TrainingArguments of one phase; the user's own ``training_arguments`` go over them.

    Args:
        config: The run's keys, settled.
        phase: The phase.
        folder: The run folder.
        num_steps: Optimizer steps of the phase.
        unused_parameters: Whether a step may leave parameters without a gradient.

    Raises:
        UserError: a value that transformers refuses.
    """
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": config.per_gpu_train_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "max_steps": num_steps,
        "learning_rate": phase.learning_rate or config.rate,
        "warmup_steps": warm_up_steps(config, num_steps),
        "weight_decay": config.weight_decay,
        "adam_epsilon": config.adam_epsilon,
        "max_grad_norm": config.max_grad_norm,
        "seed": config.seed,
        "fp16": config.fp16,
        "bf16": config.bf16,
        "logging_steps": config.logging_steps,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": unused_parameters,
        "use_cpu": not torch.accelerator.is_available(),  # bf16 on a CPU is refused without it
        **_by_their_names(config.training_arguments),
    }
    try:
        found = TrainingArguments(**values)
    except (ValueError, TypeError, ImportError) as error:
        message = f"training_arguments: transformers refuses them: {error}"
        raise UserError(Problem("", message, code="config.arguments-refused")) from error
    # Without a word of ours it is what `accelerate launch` was given.
    found.mixed_precision = "fp16" if found.fp16 else "bf16" if found.bf16 else "no"
    return found


def _by_their_names(values: dict[str, Any]) -> dict[str, Any]:
    """``gradient_checkpointing`` under the name that newer versions of transformers have for it."""
    known = {field.name for field in fields(TrainingArguments)}
    newer = {name: name.replace("gradient_", "activation_", 1) for name in values}
    return {
        newer[name] if "checkpointing" in name and newer[name] in known else name: value
        for name, value in values.items()
    }


def takes_rows(args: TrainingArguments) -> bool:
    """Whether rows of a table may be trained without the others.

    On CPUs, where it saves time, with an optimizer that treats each number by itself, and where
    nobody else cuts the parameters up.
    """
    sharded = args.fsdp or args.deepspeed or strtobool(os.environ.get("ACCELERATE_USE_FSDP", "0"))
    return args.device.type == "cpu" and args.optim in EACH_BY_ITSELF and not sharded
