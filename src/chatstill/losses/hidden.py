"""Losses between hidden states, sentence vectors and [CLS] states."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .squares import squared_difference
from .sums import wide

SHORTEST = 1e-8  # length below which a vector is divided by this; as in torch's cosine_similarity


def hidden_mse(student: Tensor, teacher: Tensor, mask: Tensor | None) -> Tensor:
    """Squared difference, summed over valid tokens and width (TinyBERT, arXiv 1909.10351, eq. 8 and 9).

    Args:
        student: (B, L, D), projected to the teacher's width where it has another.
        teacher: (B, L, D).
        mask: (B, L), nonzero inside the text; None takes every position, padding too (TinyBERT's
            code).
    """
    return squared_difference(student, teacher, None if mask is None else mask.bool()[..., None])


def hidden_cosine(student: Tensor, teacher: Tensor, mask: Tensor | None) -> Tensor:
    """1 − cos of the two states of a token, summed over valid tokens (DistilBERT, arXiv 1910.01108).

    Args: see ``hidden_mse``.
    """
    student, teacher = student.float(), teacher.float()
    if mask is None:
        return cosine_distances(student, teacher).sum()
    valid = mask.bool()
    # Twice: the gradient of a cosine of padding must not be NaN either.
    student = torch.where(valid[..., None], student, 1.0)
    teacher = torch.where(valid[..., None], teacher, 1.0)
    return torch.where(valid, cosine_distances(student, teacher), 0.0).sum()


def hidden_count(mask: Tensor, width: int = 1, *, positions: str = "valid") -> float:
    """Valid tokens x width; ``positions="all"`` counts padding too.

    Args:
        mask: (B, L).
        width: D for a squared difference, 1 for a cosine.
        positions: ``valid`` or ``all``.
    """
    tokens = mask.numel() if positions == "all" else int(mask.bool().sum())
    return float(tokens * width)


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − cos of two vectors a row, (B, D) each, summed; in float64."""
    return cosine_distances(wide(student), wide(teacher)).sum().float()


def cosine_distances(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − cos along the last dimension, (..., D) to (...); that of a vector of zeros is 1.

    As half the squared distance of the vectors of length 1: 1 − 0.9999999 has no digits left in float32.
    """
    between = F.normalize(student, dim=-1, eps=SHORTEST) - F.normalize(
        teacher, dim=-1, eps=SHORTEST
    )
    # A vector of zeros has no direction: 0 in place of 1 is missing of its squared length.
    missing = [~side.detach().any(-1) for side in (student, teacher)]
    return 0.5 * (between.square().sum(-1) + missing[0] + missing[1])


def patience_loss(student: Tensor, teacher: Tensor, *, normalize: bool = True) -> Tensor:
    """Squared distance of two [CLS] states of length 1, summed (PKD, arXiv 1908.09355, eq. 7).

    Args:
        student: (B, D), the state of one layer.
        teacher: (B, D), that of the layer it faces.
        normalize: Both scaled to length 1 first; off in the code's best runs on large sets.
    """
    student, teacher = wide(student), wide(teacher)
    if normalize:
        student, teacher = F.normalize(student, dim=-1), F.normalize(teacher, dim=-1)
    return torch.sum((student - teacher) ** 2).float()


def patience_count(rows: int, layers: int, width: int, *, reduction: str = "sum") -> float:
    """What the patience loss is divided by.

    Args:
        rows: Rows of the batch.
        layers: Matched layers.
        width: Of the hidden states.
        reduction: ``sum`` divides by the rows alone, as the paper does. ``mean`` divides by rows x
            layers x width, as the public code does: published values of beta belong to it.
    """
    return float(rows * (layers * width if reduction == "mean" else 1))
