"""Losses between the logits of student and teacher."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from .sums import wide


def soft_label_loss(
    student: Tensor,
    teacher: Tensor,
    objective: str,
    *,
    temperature: float = 1.0,
    kind: Literal["kl", "cross_entropy"] = "kl",
    temperature_squared: bool = True,
) -> Tensor:
    """temperature² · KL(softmax(teacher / temperature) ‖ softmax(student / temperature)), summed.

    Hinton et al. 2015 (arXiv 1503.02531), section 2. The gradient of the cross-entropy is the same,
    its value larger by the teacher's entropy. For ``sigmoid`` and ``multi_label`` every label is a
    Bernoulli of its own; ``regression`` is the squared error, without temperature.

    Args:
        student: (B, C) logits.
        teacher: (B, C) logits.
        objective: ``cross_entropy``, ``sigmoid``, ``multi_label`` or ``regression``.
        temperature: Softens both sides; above 0.
        kind: ``kl``, or ``cross_entropy`` (TinyBERT, TextBrewer).
        temperature_squared: Keeps gradients of one size at all temperatures. TinyBERT and TextBrewer
            leave it out.

    Returns:
        Scalar in float32, computed in float64: at high temperatures the two sides differ in digits that
        float32 has not. Sum over B, and over labels for ``sigmoid`` and ``multi_label``.

    Raises:
        ValueError: unknown objective.
    """
    student, teacher = wide(student), wide(teacher)
    if objective == "regression":
        return torch.sum((student - teacher) ** 2).float()
    student, teacher = student / temperature, teacher / temperature
    if objective == "cross_entropy":
        student_log, teacher_log = F.log_softmax(student, -1), F.log_softmax(teacher, -1)
        loss = _divergence(student_log, teacher_log, kind)
    elif objective in ("sigmoid", "multi_label"):
        loss = _divergence(F.logsigmoid(student), F.logsigmoid(teacher), kind)
        loss = loss + _divergence(F.logsigmoid(-student), F.logsigmoid(-teacher), kind)
    else:
        raise ValueError(f"unknown objective {objective!r}")
    return (loss * temperature**2 if temperature_squared else loss).float()


def _divergence(student_log: Tensor, teacher_log: Tensor, kind: str) -> Tensor:
    """sum of p·(log p − log q), or of −p·log q, from log-probabilities."""
    return torch.sum(
        teacher_log.exp() * (teacher_log - student_log if kind == "kl" else -student_log)
    )


def soft_label_count(
    rows: int, num_outputs: int, objective: str, *, reduction: Literal["batchmean", "mean"]
) -> float:
    """What ``soft_label_loss`` is divided by: rows; rows x labels where labels are independent.

    ``mean`` divides by the number of classes too, as ``KLDivLoss("mean")`` (PKD's code) and TinyBERT's
    code do.
    """
    independent = objective in ("sigmoid", "multi_label")
    return float(rows * (num_outputs if independent or reduction == "mean" else 1))


def logits_mse(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """((student − teacher) / temperature)², summed over (B, C); divided by B x C."""
    return torch.sum(((wide(student) - wide(teacher)) / temperature) ** 2).float()
