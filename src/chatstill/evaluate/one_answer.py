"""A network that answers every row alike: told with its likely cause and with what helps.

AUC and correlation do not see it: they look at the order of rows, the answer at the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import Said
from ..tasks.base import Labels
from ..tasks.metrics import decide, matrix

MOST_ALIKE = 0.1  # of a logit: scores that move less from row to row come from an untrained head
UNBALANCED = 0.8
UNTRAINED = (
    "Train it longer, or at another learning rate, and look whether its classifier was loaded."
)


def one_answer(
    scores: np.ndarray, labels: np.ndarray, space: Labels, trained_on: np.ndarray | None = None
) -> Said | None:
    """What to tell of a network that gives all rows one class, or one set of labels.

    Args:
        scores: (N, C) or (N,) in the task's label order, finite.
        labels: (N,), (N, C) for multi-label; NaN for none.
        space: The task's label space.
        trained_on: (M,) labels of the rows that it learnt from, NaN for none; None: they are not known.

    Returns:
        None where answers differ, where the rows have the one label that all are given, where no row has
        a label, for regression, and where a task has no labels.
    """
    scores = matrix(scores)
    labels = np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(labels).reshape(len(labels), -1).any(axis=1)
    scores, labels = scores[known], labels[known]
    if not len(labels) or space.kind in ("regression", "none"):
        return None
    if space.kind == "multi_label":
        return _one_set(scores, labels > 0, space)
    answers = decide(scores)
    if len(np.unique(answers)) > 1 or (labels == answers[0]).all():
        return None
    share = float((labels == answers[0]).mean())
    message = (
        f"all {len(labels):,} rows are given the class {space.names[int(answers[0])]!r}, "
        f"which {share:.1%} of them have"
    )
    learnt = share
    if trained_on is not None and not np.isnan(trained_on).all():
        learnt = float((trained_on[~np.isnan(trained_on)] == answers[0]).mean())
    return _with_cause(message, scores, learnt, space.names)


def _with_cause(message: str, scores: np.ndarray, share: float, names: Sequence[str]) -> Said:
    """The finding, with the cause that the scores speak for.

    Args:
        message: What was found.
        scores: (N, C).
        share: Of the rows that it learnt from that have the class which all are given; where they are not
            known, of the scored ones.
        names: Of the classes; a threshold parts two.
    """
    two = len(names) == 2
    # Softmax and argmax go by differences between columns; one column is a logit of its own.
    apart = scores if scores.shape[1] == 1 else scores - scores.mean(axis=1, keepdims=True)
    spread = float(np.ptp(apart, axis=0).max())
    if spread < MOST_ALIKE:
        message += f"; its scores hardly differ from row to row (by {spread:.2g} at most)"
        return Said(
            f"{message}: its head is likely untrained, or learnt for too few steps",
            UNTRAINED,
            code="answers.one-class-untrained",
        )
    if share >= UNBALANCED:
        message += ": it likely learnt from unbalanced rows"
        hint = (
            'Train it with "class_weights": "balanced" or on more rows of the other classes'
            f"{', or decide at another threshold than 0.5' if two else ''}."
        )
        return Said(message, hint, code="answers.one-class-unbalanced")
    if two:
        margins = apart[:, 0] if apart.shape[1] == 1 else apart[:, 1] - apart[:, 0]
        span = f"{margins.min():.3g} to {margins.max():.3g}"
        message += f"; its logits for {names[1]!r} are {span}, the threshold is 0"
        hint = (
            "It may have been trained for another threshold or on rows of another balance. Its order of "
            "rows can be good all the same: decide at another threshold, or train it on such rows."
        )
        return Said(message, hint, code="answers.one-class-by-threshold")
    hint = f"It may have been trained on rows of another balance, or too little. {UNTRAINED}"
    return Said(message, hint, code="answers.one-class")


def _one_set(scores: np.ndarray, positive: np.ndarray, space: Labels) -> Said | None:
    """The same for any number of labels a row, each decided at logit 0."""
    given = scores > 0
    if (given != given[0]).any() or (positive == given[0]).all():
        return None
    names = [name for name, taken in zip(space.names, given[0], strict=True) if taken]
    what = f"the labels {', '.join(names)}" if names else "no label"
    share = float((positive == given[0]).all(axis=1).mean())
    message = f"all {len(given):,} rows are given {what}, which is right for {share:.1%} of them"
    spread = float(np.ptp(scores, axis=0).max())
    if spread < MOST_ALIKE:
        message += f"; its scores hardly differ from row to row (by {spread:.2g} at most)"
        return Said(
            f"{message}: its head is likely untrained, or learnt for too few steps",
            UNTRAINED,
            code="answers.one-set-untrained",
        )
    message += f"; its logits are {scores.min():.3g} to {scores.max():.3g}, the threshold is 0"
    hint = (
        "Labels that few rows have stay below the threshold long: train it longer, or decide at a lower "
        "threshold."
    )
    return Said(message, hint, code="answers.one-set")
