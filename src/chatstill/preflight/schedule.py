"""When Theseus' replacing rate reaches 1, and whether that is a sensible part of the plan."""

import math
from dataclasses import dataclass

from ..errors import Problem

EARLY, LATE = 0.05, 0.80
_PLACE = "theseus_scheduler"


@dataclass(frozen=True)
class ReplacingPlan:
    """Where the replacing rate reaches 1.

    Attributes:
        step: Optimizer steps done by then; None if that never happens.
        share: ``step`` as a share of all steps of the plan; None if never within it.
        problems: Warnings.
        text: One line for the plan.
    """

    step: int | None
    share: float | None
    problems: list[Problem]
    text: str


def linear_reaches_one(rate: float, k: float) -> int | None:
    """First step count t with ``k * t + rate >= 1``; None if k is not positive and rate below 1."""
    if rate >= 1:
        return 0
    if k <= 0:
        return None
    return math.ceil((1 - rate) / k - 1e-6)  # a hair's breadth of rounding is no step


def replacing_plan(
    scheduler_type: str | None,
    rate: float,
    k: float,
    steps: int | None,
    total: int,
    successor_steps: int = 0,
) -> ReplacingPlan:
    """The schedule beside the plan.

    Args:
        scheduler_type: ``linear``; anything else is the constant schedule.
        rate: Replacing rate of the first step.
        k: Slope per step of the linear schedule, already resolved if it was ``auto``.
        steps: ``steps_for_replacing`` of the constant schedule; 0 or None means never.
        total: Steps of the replacing phase.
        successor_steps: Steps of a second phase, which runs the successors alone.
    """
    whole = total + successor_steps
    if scheduler_type == "linear":
        step = linear_reaches_one(rate, k)
    else:
        step = 0 if rate >= 1 else steps or None
    if step is None or step >= total:
        return _not_within(step, total, successor_steps)
    share = step / max(1, whole)
    text = f"reaches 1 at step {step:,} of {whole:,} ({share:.0%} of the plan)"
    problems = []
    if share < EARLY:
        why = "the modules are hardly mixed before the successors are on their own"
        problems.append(Problem(_PLACE, f"the replacing rate {text}: {why}", severity="warning"))
    elif share > LATE:
        why = "hardly any training is left for the successors together"
        problems.append(Problem(_PLACE, f"the replacing rate {text}: {why}", severity="warning"))
    return ReplacingPlan(step, share, problems, text)


def _not_within(step: int | None, total: int, successor_steps: int) -> ReplacingPlan:
    """The replacing phase ends with a rate below 1."""
    if successor_steps:
        share = total / (total + successor_steps)
        text = (
            f"stays below 1 for all {total:,} replacing steps; the successors are alone in the "
            f"phase after it ({successor_steps:,} steps, from {share:.0%} of the plan)"
        )
        problems = []
        if not EARLY <= share <= LATE:
            problems.append(Problem(_PLACE, f"the replacing rate {text}", severity="warning"))
        return ReplacingPlan(None, share, problems, text)
    when = "never reaches 1" if step is None else f"would reach 1 only at step {step:,}: never"
    text = f"{when} within the {total:,} steps of the plan"
    message = f"the replacing rate {text}; the successors are never trained on each other's outputs"
    hint = 'Set "scheduler_linear_k": "auto", more epochs, or successor_num_train_epochs.'
    return ReplacingPlan(step, None, [Problem(_PLACE, message, hint, "warning")], text)
