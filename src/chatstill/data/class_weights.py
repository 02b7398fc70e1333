"""How much a row with a gold label counts, by its class: for rows of which one class is rare."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import Problem, UserError
from ..tasks.base import Labels
from .views import View

KEY = "class_weights"
Weights = Literal["balanced"] | Mapping[str, float] | Sequence[float] | None


def check_class_weights(wanted: Weights, labels: Labels) -> None:
    """What the configuration says of the classes' weights fits the task.

    Raises:
        UserError: the task has no classes, a class is missing or unknown, a weight is none.
    """
    if wanted is None:
        return
    if labels.kind != "classification":
        message = "has no effect: only rows of one class each are weighted"
        raise UserError(Problem(KEY, message, "Leave it out.", code="class-weights.without-effect"))
    if wanted == "balanced":
        return
    names = ", ".join(labels.numbered[:12])
    if isinstance(wanted, Mapping):
        missing = [name for name in labels.names if name not in wanted]
        unknown = [name for name in wanted if name not in labels.names]
        if missing or unknown:
            parts = [f"does not name {missing[0]!r}"] if missing else []
            parts += [f"names {unknown[0]!r}, which is no class"] if unknown else []
            what = " and ".join(parts)
            raise UserError(
                Problem(
                    KEY, what, f"One number for each of: {names}.", code="class-weights.other-names"
                )
            )
    elif len(wanted) != len(labels.names):
        message = f"holds {len(wanted)} numbers, and the task has {len(labels.names)} classes"
        raise UserError(
            Problem(KEY, message, f"One for each of: {names}.", code="class-weights.other-count")
        )
    values = list(wanted.values()) if isinstance(wanted, Mapping) else list(wanted)
    if not all(np.isfinite(value) and value >= 0 for value in values) or not any(values):
        message = f"holds {values}; a weight is a number from 0 on, and one at least is above 0"
        raise UserError(
            Problem(
                KEY,
                message,
                'For example: "class_weights": "balanced".',
                code="class-weights.wrong-values",
            )
        )


def class_weights(wanted: Weights, labels: Labels, gold: np.ndarray) -> np.ndarray | None:
    """The weight of each class, (C,) in the order of ``labels.names``; None where all rows count alike.

    They are divided by their mean over the labelled training rows, so that neither the learning rate
    nor the balance against other terms has to change. ``balanced``: each class counts as much as any
    other, N / (C n_c).

    Args:
        wanted: The configuration's.
        labels: The label space.
        gold: (N,) classes of the training rows, NaN for none.
    """
    if wanted is None:
        return None
    known = gold[~np.isnan(gold)].astype(np.int64)
    counts = np.bincount(known, minlength=len(labels.names)).astype(np.float64)
    if wanted == "balanced":
        values = np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
    elif isinstance(wanted, Mapping):
        values = np.array([float(wanted[name]) for name in labels.names])
    else:
        places = [labels.numbered.index(name) for name in labels.names]
        values = np.array([float(wanted[place]) for place in places])
    mean = float(values @ counts) / max(counts.sum(), 1.0)
    return values / mean if mean > 0 else None


class RowWeights:
    """How much each row of a batch counts, by its class."""

    def __init__(self, wanted: Weights, labels: Labels) -> None:
        self._wanted, self._labels = wanted, labels
        self._fitted: tuple[np.ndarray | None] | None = None
        self._known: dict[int, tuple[View, np.ndarray, np.ndarray | None]] = {}

    @classmethod
    def of_config(cls, wanted: Weights, labels: Labels) -> "RowWeights | None":
        """None where all rows count alike.

        Raises:
            UserError: see ``check_class_weights``.
        """
        check_class_weights(wanted, labels)
        return None if wanted is None else cls(wanted, labels)

    def fit(self, view: View) -> str:
        """From here on the classes count as in these training rows, whichever rows are asked for.

        Returns:
            The weight of each class, in words.
        """
        gold = np.asarray(view.labels, dtype=np.float64)
        self._fitted = (class_weights(self._wanted, self._labels, gold),)
        self._known.clear()
        (weights,) = self._fitted
        names = [] if weights is None else zip(self._labels.names, weights, strict=True)
        return ", ".join(f"{name} {weight:.4g}" for name, weight in names)

    def of(self, view: View, rows: np.ndarray) -> Tensor:
        """(B,) for these rows of a view; 0 for a row without a label."""
        found = self._known.get(id(view))
        if found is None or found[0] is not view:  # by view: batches of others are made meanwhile
            labels = np.asarray(view.labels, dtype=np.float64)
            fitted = self._fitted or (class_weights(self._wanted, self._labels, labels),)
            found = self._known[id(view)] = view, labels, fitted[0]
        _, gold, weights = found
        known = ~np.isnan(gold[rows])
        counted = np.zeros(len(rows), dtype=np.float32)
        classes = gold[rows][known].astype(np.int64)
        counted[known] = 1.0 if weights is None else weights[classes]
        return torch.from_numpy(counted)
