"""Evaluations that are equal to the best one: the metric that selects did not tell the steps apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures import decimals
from ..report.history import read_history
from ..tasks.selection import KEY
from ..train.phases import PhaseResult

FEW = 3  # evaluations; of fewer nothing is said


def ties(folder: Path, phases: Sequence[PhaseResult], metrics: Mapping[str, Any]) -> list[str]:
    """A warning where half of the last phase's evaluations, or more, have the value of the kept step.

    The first of equal values is kept, which then is one of a network that hardly learnt.

    Args:
        folder: Of the run.
        phases: What they ended with.
        metrics: Of the run, so far.
    """
    last, main = phases[-1], metrics["dev"]["main"]
    if metrics["kept"]["rule"] != "best" or last.best_step is None:
        return []
    history = read_history(folder, [phase.steps for phase in phases])
    before = sum(phase.steps for phase in phases[:-1])
    looks = {at - before: value for at, value in history.curve(f"dev/{main}") if at > before}
    equal = [step for step, value in looks.items() if value == last.best and step > last.best_step]
    assert last.best is not None
    if len(looks) < FEW or 2 * (len(equal) + 1) < len(looks):
        return []
    return [
        f"{len(equal)} evaluations after step {last.best_step} have the same {main}, {decimals(last.best)}: "
        f"the first of equal ones is kept, though later ones may be better by all else; '{KEY}' names a "
        'metric that tells them apart, "keep": "last" takes the last step'
    ]
