"""A network whose training loss stays where one is that knows nothing of the texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures import decimals
from ..tasks.base import LabelKind

FEW = 4  # logged losses; of fewer nothing is said
HARDLY = 0.98  # of the loss without knowledge


def loss_without_knowledge(
    labels: np.ndarray, kind: LabelKind, weights: np.ndarray | None = None
) -> float | None:
    """The least training loss that one answer for all rows can have.

    It is the entropy of the classes, of several labels a row the mean of each label's, of numbers the
    variance.

    Args:
        labels: (N,) classes or numbers, NaN for none; (N, C) of 0 and 1 for ``multi_label``.
        kind: Of the labels.
        weights: (C,) how much a row of each class counts; None: all alike.

    Returns:
        None where no row has a label.
    """
    labels = np.asarray(labels, dtype=np.float64)
    known = labels[~np.isnan(labels).reshape(len(labels), -1).any(axis=1)]
    if not len(known) or kind == "none":
        return None
    if kind == "regression":
        return float(known.var())
    if kind == "multi_label":
        having = known.mean(axis=0)
        return float(np.mean(_entropies(np.stack([having, 1 - having]))))
    counts = np.bincount(known.astype(np.int64)).astype(np.float64)
    mass = counts if weights is None else counts * weights[: len(counts)]
    total = float(mass.sum())
    return total / len(known) * float(_entropies(mass / total)) if total else None


def _entropies(shares: np.ndarray) -> np.ndarray:
    """(C, …) shares that add up to 1 along C: the entropy of each, in nats."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    found: np.ndarray = -(shares * logs).sum(axis=0)
    return found


def learnt_nothing(losses: Sequence[float], without: float | None, rate: float) -> str | None:
    """What to tell of a network that was trained on gold labels and hardly learnt from them.

    Args:
        losses: The task's loss as it was logged, in order.
        without: `loss_without_knowledge` of the training rows.
        rate: The highest learning rate.

    Returns:
        None where the second half of the losses is below, and where fewer than four were logged.
    """
    if len(losses) < FEW or not without:
        return None
    ended = float(np.mean(losses[len(losses) // 2 :]))
    if ended < HARDLY * without:
        return None
    least = decimals(without)
    return (
        f"it learnt nothing, or next to nothing: its training loss stayed at {decimals(ended)}, and one "
        f"answer for all rows has {least}. Likely causes: a learning rate ({rate:g}) that is too high "
        "(pretrained networks: try a third), too few steps (random weights: train longer), or labels that "
        "do not hang on the texts"
    )
