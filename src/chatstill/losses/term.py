"""One named part of a loss."""

from dataclasses import dataclass

from torch import Tensor


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
