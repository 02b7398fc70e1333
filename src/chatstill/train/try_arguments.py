"""Tries a phase's ``TrainingArguments`` out: the optimizer and the schedule that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, get_scheduler

from ..errors import Problem, UserError
from ..figures import counted
from .arguments import training_arguments, warm_up_steps
from .launch import world_size

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from ..config.schema import RunConfig
    from ..methods.base import Phase

BLOCK = "training_arguments"
LOOKS, LOW = 2_000, 0.9  # steps whose rate is looked at, and the share of it that is told below
OF_A_MODEL = {
    "model",
    "params",
    "optimizer_dict",
}  # what an optimizer asks for that one number cannot give


def check_arguments(arguments: TrainingArguments, num_steps: int) -> float | None:
    """Makes the optimizer and the schedule for a network of one number.

    Returns:
        The highest share of the learning rate that the schedule comes to; None where it does not tell.

    Raises:
        UserError: transformers refuses a value, or a library is missing.
    """
    one: Any = torch.nn.Linear(1, 1)
    key = "optim"
    try:
        made, how = Trainer.get_optimizer_cls_and_kwargs(arguments, one)
        if OF_A_MODEL & how.keys():
            return None
        optimizer = made(one.parameters(), **how)
        key = "lr_scheduler_type"
        schedule: Any = get_scheduler(
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
        if "num_decay_steps" in str(error):
            decay = max(1, num_steps // 10)
            hint = f'For example "lr_scheduler_kwargs": {{"num_decay_steps": {decay}}}.'
        problem = Problem(f"{BLOCK}.{key}", message, hint, code="config.arguments-not-usable")
        raise UserError(problem) from error
    shares = getattr(schedule, "lr_lambdas", None)
    if not shares:
        return None
    return max(float(shares[0](step)) for step in range(0, num_steps, max(1, num_steps // LOOKS)))


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
        highest = check_arguments(arguments, num_steps)
    except UserError as error:
        return list(error.problems)
    if highest is None or highest >= LOW or warm_up_doubts(config, phase, num_steps):
        return []
    message = (
        f"the schedule of phase '{phase.name}', {num_steps:,} steps, never comes to more than "
        f"{100 * highest:.2g} % of the learning rate: its parts are longer than the phase"
    )
    hint = "Shorten what lr_scheduler_kwargs and the warm-up name, or train longer."
    place = f"{BLOCK}.lr_scheduler_type"
    return [Problem(place, message, hint, "warning", code="config.schedule-beyond-the-phase")]


def schedule_text(config: RunConfig, num_steps: int) -> str:
    """``linear, 6 steps of warm-up``: how the learning rate of a phase goes, for the plan."""
    name = str(config.training_arguments.get("lr_scheduler_type", "linear"))
    steps = counted(warm_up_steps(config, num_steps), "step")
    return name if name == "constant" else f"{name}, {steps} of warm-up"


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
