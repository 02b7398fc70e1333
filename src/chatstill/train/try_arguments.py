"""Tries a phase's ``TrainingArguments`` out: the optimizer and the schedule that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, get_scheduler

from ..errors import Problem, UserError
from .arguments import training_arguments
from .launch import world_size

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from ..config.schema import RunConfig
    from ..methods.base import Phase

BLOCK = "training_arguments"
OF_A_MODEL = {
    "model",
    "params",
    "optimizer_dict",
}  # what an optimizer asks for that one number cannot give


def check_arguments(arguments: TrainingArguments, num_steps: int) -> None:
    """Makes the optimizer and the schedule for a network of one number.

    Raises:
        UserError: transformers refuses a value, or a library is missing.
    """
    one: Any = torch.nn.Linear(1, 1)
    key = "optim"
    try:
        made, how = Trainer.get_optimizer_cls_and_kwargs(arguments, one)
        if OF_A_MODEL & how.keys():
            return
        optimizer = made(one.parameters(), **how)
        key = "lr_scheduler_type"
        get_scheduler(
            arguments.lr_scheduler_type,
            optimizer,
            num_warmup_steps=arguments.get_warmup_steps(num_steps),
            num_training_steps=num_steps,
            scheduler_specific_kwargs=_options(arguments),
        )
    except (ValueError, TypeError, KeyError, ImportError) as error:
        kind = "optimizer" if key == "optim" else "schedule"
        message = f"transformers makes no {kind} of this block: {type(error).__name__}: {error}"
        hint = "Change the key, or what it asks for: optim_args, lr_scheduler_kwargs, a library."
        problem = Problem(f"{BLOCK}.{key}", message, hint, code="config.arguments-not-usable")
        raise UserError(problem) from error


def _options(arguments: TrainingArguments) -> dict[str, Any] | None:
    found: Any = arguments.lr_scheduler_kwargs
    return found or None


def refused_arguments(config: RunConfig, phase: Phase, num_steps: int) -> list[Problem]:
    """What transformers does not take of the block, before anything starts.

    Several processes try it when they have joined: these arguments call for the others.

    Args:
        config: The run's keys, settled.
        phase: A phase.
        num_steps: Its optimizer steps.
    """
    if not config.training_arguments or world_size() > 1:
        return []
    try:
        arguments = training_arguments(config, phase, Path(config.output_dir or "."), num_steps)
        check_arguments(arguments, num_steps)
    except UserError as error:
        return list(error.problems)
    return []


def warm_up_doubts(config: RunConfig, phase: Phase, num_steps: int) -> list[str]:
    """A warning where a phase is over before its learning rate is reached."""
    steps = config.warmup_steps or 0
    if steps < num_steps:
        return []
    share = 100 * num_steps / steps
    rate = phase.learning_rate or config.rate
    return [
        f"warmup_steps is {steps:,}, and this phase has {num_steps:,}: its learning rate only rises, to "
        f"{share:.2g} % of {rate:g}; write fewer, or warmup_percentage, a share of each phase"
    ]
