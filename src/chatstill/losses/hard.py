"""The loss against gold labels."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .sums import wide

NO_LABEL = -100


def has_label(labels: Tensor) -> Tensor:
    """Which rows carry a label: (B,) bool. A row without one holds NaN, or -100 as a class index.

    Args:
        labels: (B,), or (B, C) for several labels a row.
    """
    known = ~labels.isnan() if labels.is_floating_point() else labels != NO_LABEL
    return known.all(-1) if known.ndim > 1 else known


def hard_label_count(labels: Tensor | None, num_outputs: int, objective: str) -> float:
    """What ``hard_label_loss`` is divided by: labelled rows; times C for ``multi_label``.

    Args:
        labels: As in ``hard_label_loss``; None counts nothing.
        num_outputs: C.
        objective: As in ``hard_label_loss``.
    """
    if labels is None:
        return 0.0
    return float(has_label(labels).sum()) * (num_outputs if objective == "multi_label" else 1)


def hard_label_loss(
    logits: Tensor, labels: Tensor, objective: str, weights: Tensor | None = None
) -> Tensor:
    """Loss against gold labels, summed over the labelled rows of a batch; computed in float64.

    Args:
        logits: (B, C).
        labels: (B,), class indices, or scores for ``regression``; (B, C) of 0 and 1 for
            ``multi_label``. Rows without a label hold NaN, or -100 as a class index.
        objective: ``cross_entropy`` (C classes), ``sigmoid`` (C = 1, labels 0/1), ``multi_label`` (C
            sigmoids) or ``regression`` (C = 1, squared error).
        weights: (B,) how much each row counts; None: all alike. Of classes alone.

    Returns:
        Scalar in float32: sum over B (and C for ``multi_label``).

    Raises:
        ValueError: unknown objective.
    """
    logits = wide(logits)
    known = has_label(labels)
    if objective == "cross_entropy":
        wanted, how = labels.long(), "sum" if weights is None else "none"
        each = F.cross_entropy(logits, wanted, reduction=how, ignore_index=NO_LABEL)
        return each.float() if weights is None else (each * weights).sum().float()
    if objective not in ("sigmoid", "multi_label", "regression"):
        raise ValueError(
            f"unknown objective {objective!r}: expected cross_entropy, sigmoid, multi_label or "
            "regression"
        )
    if objective != "multi_label":
        logits = logits.squeeze(-1)
    else:
        known = known[:, None]
    wanted = torch.where(known, labels.to(logits.dtype), 0.0)
    if objective == "regression":
        return torch.sum(torch.where(known, logits - wanted, 0.0) ** 2).float()
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    if weights is not None and objective == "sigmoid":
        each = each * weights
    return torch.where(known, each, 0.0).sum().float()
