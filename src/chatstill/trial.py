"""What a few trial steps say about a method before it trains: terms that are not finite, or teach nothing."""

from __future__ import annotations

import math
from collections.abc import Collection

from .errors import Problem
from .figures import counted
from .rehearsal import Rehearsal
from .train.not_finite import reason


def trial_problems(
    rehearsal: Rehearsal, *, precision: str, doubts: list[Problem], told: Collection[str] = ()
) -> list[Problem]:
    """Problems of the measured steps.

    Args:
        rehearsal: With what its steps showed.
        precision: ``float32``, ``bf16`` or ``fp16``; of fp16 the first steps may overflow, which its scaler
            lives with.
        doubts: Warnings about knobs of the method, told again where something is not finite.
        told: Terms of which it was said before that they are 0.
    """
    num_steps = max(map(len, rehearsal.terms.values()), default=0)
    tried = f"in a trial of {counted(num_steps, 'step')}"
    if rehearsal.findings is not None:
        why = reason(rehearsal.findings, doubts, trained=False)
        text = f"the loss is not finite {tried}"
        return [Problem("training", text, why, "warning" if precision == "fp16" else "error")]
    zeros = [name for name, values in rehearsal.terms.items() if not any(values)]
    problems = [
        Problem(f"term {name}", f"is 0 {tried}: nothing is learnt from it", severity="warning")
        for name in zeros
        if name not in told
    ]
    finite = all(math.isfinite(value) for values in rehearsal.terms.values() for value in values)
    if finite and not rehearsal.has_gradient and len(zeros) < len(rehearsal.terms):
        message = f"no weight draws a gradient {tried}: nothing is trained"
        problems.append(Problem("training", message, severity="warning"))
    return problems
