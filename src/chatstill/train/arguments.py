"""The run's configuration as ``transformers.TrainingArguments``."""

import os
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.training_args import OptimizerNames
from transformers.utils import strtobool

from ..errors import Problem, UserError
from ..methods.base import Phase

EACH_BY_ITSELF = (
    OptimizerNames.ADAMW_TORCH,
    OptimizerNames.ADAMW_TORCH_FUSED,
    OptimizerNames.SGD,
)


def training_arguments(
    phase: Phase,
    folder: Path,
    *,
    batch_size: int,
    accumulation: int,
    num_steps: int,
    learning_rate: float,
    warmup_steps: int | None = None,
    warmup_percentage: float | None = None,
    weight_decay: float = 0.01,
    adam_epsilon: float = 1e-8,
    max_grad_norm: float = 1.0,
    seed: int = 42,
    fp16: bool = False,
    bf16: bool = False,
    logging_steps: int = 50,
    unused_parameters: bool = False,
    extra: dict[str, Any] | None = None,
) -> TrainingArguments:
    """TrainingArguments of one phase; ``extra`` is the user's ``training_arguments`` block.

    Raises:
        UserError: a value that transformers refuses.
    """
    warmup = warmup_steps if warmup_steps is not None else int((warmup_percentage or 0) * num_steps)
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": batch_size,
        "gradient_accumulation_steps": accumulation,
        "max_steps": num_steps,
        "learning_rate": phase.learning_rate or learning_rate,
        "warmup_steps": warmup,
        "weight_decay": weight_decay,
        "adam_epsilon": adam_epsilon,
        "max_grad_norm": max_grad_norm,
        "seed": seed,
        "fp16": fp16,
        "bf16": bf16,
        "logging_steps": logging_steps,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": unused_parameters,
        "use_cpu": not torch.accelerator.is_available(),  # bf16 on a CPU is refused without it
        **(extra or {}),
    }
    try:
        return TrainingArguments(**values)
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(
            Problem(
                "",
                f"training_arguments: transformers refuses them: {error}",
                code="config.arguments-refused",
            )
        ) from error


def takes_rows(args: TrainingArguments) -> bool:
    """Whether rows of a table may be trained without the others.

    On CPUs, where it saves time, with an optimizer that treats each number by itself, and where
    nobody else cuts the parameters up.
    """
    sharded = args.fsdp or args.deepspeed or strtobool(os.environ.get("ACCELERATE_USE_FSDP", "0"))
    return args.device.type == "cpu" and args.optim in EACH_BY_ITSELF and not sharded
