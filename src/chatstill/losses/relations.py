"""KL between softmaxes of scaled products over the valid keys: attention probabilities, and relations.

MiniLM (arXiv 2002.10957, section 3) compares the attention probabilities of queries and keys, and the
relations of values with each other; MiniLMv2 (arXiv 2012.15828, section 3) relations of queries, keys and
values in heads of its own. Never a softmax of probabilities. Scores exist for a few texts at a time, their
gradient is taken at once, and nothing of size heads x length² is kept for the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .sums import wide

NUMBERS = 1 << 23  # scores at a time, 32 MB in float32

# (B, H, L, d), (B, H, L, d) and a factor: scores are factor x first x secondᵀ
Products = tuple[Tensor, Tensor, float]


def products_kl(
    student: Products,
    teacher: Products,
    mask: Tensor,
    *,
    positions: str = "valid",
    causal: bool = False,
) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) of each valid query over the valid keys, summed.

    Args:
        student: What its scores are products of. Padded positions may hold anything, also NaN.
        teacher: The same of as many heads; the size of a head may be another. No gradient.
        mask: (B, L), nonzero inside the text.
        positions: ``valid``, or ``all``: padded queries count too, as in PaddleNLP's code.
        causal: A query meets no key behind it, as in decoders.

    Returns:
        A float32 scalar. Count: valid queries x heads (``attention_count`` per ``row``).
    """
    inside = mask.bool()[:, None, :, None]
    # Where both sides' padded queries are 0, so are their scores, and the KL between them.
    counts = (positions == "all") | inside, inside
    tensors = [
        torch.where(where, side.float(), 0.0)
        for products in (student[:2], teacher[:2])
        for where, side in zip(counts, products, strict=True)
    ]
    with torch.autocast(mask.device.type, enabled=False):
        total: Tensor = _Kl.apply(*tensors, student[2], teacher[2], mask.bool(), causal)
    return total


def in_heads(states: Tensor, heads: int) -> Tensor:
    """(B, H, L, d) put together and parted again into so many heads: (B, heads, L, H x d / heads)."""
    together = states.transpose(1, 2).flatten(2)  # (B, L, H x d)
    return together.unflatten(2, (heads, -1)).transpose(1, 2)


class _Kl(torch.autograd.Function):
    """The sum and, where it is asked for, its gradient, a few texts at a time in one pass."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        other_query: Tensor,
        other_key: Tensor,
        factor: float,
        other_factor: float,
        valid: Tensor,
        causal: bool,
    ) -> Tensor:
        texts, heads, longest, _ = query.shape
        learns = any(ctx.needs_input_grad[:2])
        of_query, of_key = (torch.zeros_like(side) if learns else None for side in (query, key))
        at_once = max(1, NUMBERS // (heads * longest * longest))
        total = wide(query.new_zeros(()))
        for start in range(0, texts, at_once):
            some = slice(start, start + at_once)
            out = _out(valid[some], causal)
            mine, aim = (
                torch.matmul(q[some] * by, k[some].transpose(-1, -2))
                .masked_fill_(out, float("-inf"))
                .log_softmax(-1)
                .masked_fill_(out, 0.0)
                for q, k, by in ((query, key, factor), (other_query, other_key, other_factor))
            )
            share = aim.exp()
            total = total + wide((share * (aim - mine)).sum(-1)).sum()  # 0 at keys that are out
            if of_query is None or of_key is None:
                continue
            slope = mine.exp_().sub_(share).mul_(factor)  # 1 - 1 there
            of_query[some] = torch.matmul(slope, key[some])
            of_key[some] = torch.matmul(slope.transpose(-1, -2), query[some])
        ctx.save_for_backward(of_query, of_key)
        return total.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_query, of_key = ctx.saved_tensors
        return (of_query * gradient, of_key * gradient, *[None] * 6)


def _out(valid: Tensor, causal: bool) -> Tensor:
    """(B, 1, 1 or L, L), true where a key is not met."""
    out = ~valid[:, None, None, :]
    if causal:
        longest = valid.shape[1]
        behind = torch.ones(longest, longest, dtype=torch.bool, device=valid.device).triu(1)
        # A padded query at the left would meet no key at all: it meets all, and counts nothing.
        out = (out | behind) & valid[:, None, :, None] | (out & ~valid[:, None, :, None])
    return out
