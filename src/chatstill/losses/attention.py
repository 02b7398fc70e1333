"""Losses between raw attention scores: queries times keys before the softmax."""

import torch
from torch import Tensor

from .hidden import cosine_distances
from .squares import squared_difference, squared_difference_of_products
from .sums import wide


def raw_scores(query: Tensor, key: Tensor, scaling: float) -> Tensor:
    """query · keyᵀ · scaling in float32, under autocast too: (B, H, L, L), from (B, H, L, d) each."""
    with torch.autocast(query.device.type, enabled=False):
        return torch.matmul(query.float() * scaling, key.float().transpose(-1, -2))


def attention_mse(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    *,
    positions: str = "valid",
    zero_below: float | None = None,
    causal: bool = False,
) -> Tensor:
    """Squared difference of raw scores (TinyBERT, arXiv 1909.10351, eq. 7), summed.

    Args:
        student: (B, H, L, L) scores, rows are queries.
        teacher: (B, H, L, L).
        mask: (B, L), nonzero inside the text.
        positions: ``valid``: queries and keys inside the text. ``all``: padded queries too, padded
            keys as 0 = 0 (TinyBERT's code).
        zero_below: Scores up to this value are 0 on their side before the difference: -100 in
            TinyBERT's code, -0.001 in TextBrewer's.
        causal: A query meets no key behind it, as in decoders; such scores never count.
    """
    if zero_below is not None:
        student, teacher = (
            torch.where(side > zero_below, side.float(), 0.0) for side in (student, teacher)
        )
    return squared_difference(student, teacher, _seen(mask, positions, causal=causal))


def attention_mse_of(
    student: tuple[Tensor, Tensor, float],
    teacher: tuple[Tensor, Tensor, float],
    mask: Tensor,
    *,
    causal: bool = False,
) -> Tensor:
    """``attention_mse`` from what ``raw_scores`` takes, at less than half the cost; teachers get no gradient.

    Args:
        student: Queries, keys, (B, H, L, d) each, and their scaling; finite at padding too.
        teacher: The same.
        mask: (B, L), nonzero inside the text; queries and keys of padding do not count.
        causal: See ``attention_mse``.
    """
    return squared_difference_of_products(student, teacher, _seen(mask, "valid", causal=causal))


def attention_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) of each row over the valid keys, summed over all rows.

    What MiniLM (arXiv 2002.10957) transfers of attention. Count: rows x heads.

    Args:
        student: (..., B, H, R, L) scores, of R rows of each text.
        teacher: Of the same shape.
        mask: (B, L), nonzero where a key is inside the text.
    """
    out = ~mask.bool()[:, None, None, :]
    student_log, teacher_log = (
        side.float().masked_fill(out, float("-inf")).log_softmax(-1).masked_fill(out, 0.0)
        for side in (student, teacher)
    )
    each = (teacher_log.exp() * (teacher_log - student_log)).sum(-1)
    return wide(each).sum().float()


def attention_cosine(
    student: Tensor, teacher: Tensor, mask: Tensor, *, causal: bool = False
) -> Tensor:
    """1 − cos of a query's scores over the valid keys, summed over valid queries and heads.

    Args: see ``attention_mse``.
    """
    seen = _seen(mask, "valid", causal=causal)
    rows = mask.bool()[:, None, :]  # (B, 1, L)
    # Rows of padding get numbers whose cosine has a gradient; what comes of them is dropped.
    student = torch.where(seen, student.float(), torch.where(rows[..., None], 0.0, 1.0))
    teacher = torch.where(seen, teacher.float(), torch.where(rows[..., None], 0.0, 1.0))
    distance = cosine_distances(student, teacher)  # (B, H, L)
    return torch.where(rows, distance, 0.0).sum()


def attention_count(
    mask: Tensor,
    heads: int,
    *,
    per: str = "score",
    positions: str = "valid",
    causal: bool = False,
) -> float:
    """Valid queries x valid keys x heads; per ``row`` (cosine) valid queries x heads.

    Args:
        mask: (B, L).
        heads: H.
        per: ``score`` or ``row``.
        positions: ``valid``, or ``all``: B x L x L x H.
        causal: A query meets its own key and those before it.
    """
    if positions == "all":
        rows, longest = mask.shape
        return float(rows * longest * (longest if per == "score" else 1) * heads)
    lengths = mask.bool().sum(-1).double()
    scores = lengths * (lengths + 1) / 2 if causal else lengths**2
    return float((scores if per == "score" else lengths).sum()) * heads


def _seen(mask: Tensor, positions: str, *, causal: bool) -> Tensor:
    """(B, 1, L, L), or (B, 1, 1, L) where queries of padding count and every key is met."""
    keys = mask.bool()[:, None, None, :]
    if causal:
        longest = mask.shape[1]
        keys = keys & torch.ones(longest, longest, dtype=torch.bool, device=mask.device).tril()
    return keys if positions == "all" else keys & mask.bool()[:, None, :, None]
