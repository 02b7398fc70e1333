"""Pure loss functions. Each returns a sum, never a mean: the engine divides once, by the count over
all processes and micro-batches (a mean of per-process means is not the mean)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Term:
    """One named part of a loss: ``weight * sum / count``, counted over the whole optimizer step.

    Attributes:
        sum: Scalar tensor with a graph: the loss summed over the local micro-batch.
        count: What the sum is divided by, counted over the local micro-batch (examples, valid tokens,
            valid tokens x width ...). Must equal what ``Method.counts`` announced for this micro-batch.
        weight: Factor of this term in the total.
    """

    sum: Tensor
    count: float
    weight: float = 1.0


def hard_label_loss(logits: Tensor, labels: Tensor, objective: str) -> Tensor:
    """Loss against gold labels, summed over the examples of a batch, in float32.

    Args:
        logits: (B, C).
        labels: (B,), class indices, or scores for ``regression``.
        objective: ``cross_entropy`` (C classes), ``sigmoid`` (C = 1, labels 0/1) or ``regression`` (C = 1,
            squared error).

    Returns:
        Scalar: sum over B.

    Raises:
        ValueError: unknown objective.
    """
    logits = logits.float()
    if objective == "cross_entropy":
        return F.cross_entropy(logits, labels.long(), reduction="sum")
    if objective == "sigmoid":
        return F.binary_cross_entropy_with_logits(
            logits.squeeze(-1), labels.to(logits.dtype), reduction="sum"
        )
    if objective == "regression":
        return torch.sum((logits.squeeze(-1) - labels.to(logits.dtype)) ** 2)
    raise ValueError(
        f"unknown objective {objective!r}: expected cross_entropy, sigmoid or regression"
    )
