"""Whether a teacher's outputs are what they are taken for: logits, or scores on the labels' scale."""

import numpy as np

from ..errors import Problem
from ..tasks.base import Labels
from ..tasks.metrics import FEW_ROWS, scale_error

KEY, RANGE = "teacher_output", "teacher_output_range"


def output_problem(
    scores: np.ndarray,
    labels: np.ndarray,
    space: Labels,
    stated: str | None,
    *,
    soft: bool = True,
    gold: bool = True,
) -> Problem | None:
    """What outputs on a few dev rows say against the meaning that is taken.

    Args:
        scores: (N, C) as they are read, finite.
        labels: (N,) or (N, C), NaN for none.
        space: The task's label space.
        stated: ``teacher_output``; None where the configuration leaves it open.
        soft: Whether the run learns from the teacher's outputs.
        gold: Whether it learns from gold labels, too: both would then pull at two scales.
    """
    if len(scores) < FEW_ROWS or not np.isfinite(scores).all():
        return None
    if space.kind == "regression":
        return _another_scale(scores[:, 0], labels, soft, gold)
    if stated is None and _are_probabilities(scores, space.kind):
        span = f"{scores.min():.3g} to {scores.max():.3g}"
        what = "and sum to 1 in every row" if scores.shape[1] > 1 and _sum_to_one(scores) else ""
        message = (
            f"the teacher's outputs lie between 0 and 1 ({span}) {what}".rstrip()
            + ", as probabilities do; they would be read as logits"
        )
        hint = (
            f'Write "{KEY}": "probability" or, if they are logits all the same, "{KEY}": "logit".'
        )
        return Problem(KEY, message, hint, code="outputs.look-like-probabilities")
    return None


def stated_problem(outputs: np.ndarray, stated: str | None) -> Problem | None:
    """Outputs that cannot be the probabilities which the configuration says they are.

    Args:
        outputs: (N, C) as the network gives them.
        stated: ``teacher_output``.
    """
    if stated != "probability" or not np.isfinite(outputs).all():
        return None
    if outputs.min() >= -1e-6 and outputs.max() <= 1 + 1e-6:
        return None
    message = f"is 'probability', and the teacher gives {outputs.min():.3g} to {outputs.max():.3g}"
    return Problem(
        KEY, message, f'If these are logits: "{KEY}": "logit".', code="outputs.no-probabilities"
    )


def _are_probabilities(scores: np.ndarray, kind: str) -> bool:
    if scores.min() < 0 or scores.max() > 1 or np.ptp(scores) == 0:
        return False
    return kind == "multi_label" or scores.shape[1] == 1 or _sum_to_one(scores)


def _sum_to_one(scores: np.ndarray) -> bool:
    return bool(np.abs(scores.sum(axis=1) - 1).max() < 1e-3)


def _another_scale(
    scores: np.ndarray, labels: np.ndarray, soft: bool, gold: bool
) -> Problem | None:
    found = scale_error(scores, labels)
    if found is None:
        return None
    correlation, error, spread = found
    known = labels[~np.isnan(labels)]
    message = (
        f"the teacher's scores stand on another scale than the labels: correlation {correlation:.3f}, but "
        f"an error of {error:.3g} where the labels' mean has {spread:.3g}; it gives "
        f"{scores.min():.3g} to {scores.max():.3g}, the labels are {known.min():.3g} to {known.max():.3g}"
    )
    unit = scores.min() >= 0 and scores.max() <= 1
    what, between = ("probability", "a share") if unit else ("logit", "a logit")
    hint = (
        f'If its output is {between} of the labels\' range: "{KEY}": "{what}", "{RANGE}": '
        f"[{known.min():g}, {known.max():g}]. "
    )
    if soft and gold:
        hint += (
            "To learn from its scores alone, on their scale, set the weight of gold labels to 0."
        )
        return Problem(KEY, message, hint, code="outputs.another-scale")
    if soft:
        message += "; so will the student's"
    return Problem(KEY, message, hint.strip(), "warning", code="outputs.another-scale")
