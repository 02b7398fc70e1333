"""Losses over a vocabulary at the positions that count, in chunks: memory does not grow with their product.

A batch of 32 rows of 512 tokens has 16,384 positions; their scores over 30,000 pieces take 2 GB in float32,
and as much again for the gradient. Here scores exist for one chunk of positions at a time, and their gradient
is taken at once: neither is kept for the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .sums import wide

NUMBERS = 1 << 24  # scores of a chunk, 64 MB in float32


def chunk_of(vocabulary: int) -> int:
    """Positions of a chunk for a number of pieces."""
    return max(1, NUMBERS // vocabulary)


def vocabulary_loss(
    states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, chunk: int = 0
) -> Tensor:
    """-log softmax(states · weightᵀ + bias) at the targets, summed: cross-entropy without its scores.

    Args:
        states: (K, D), what the output layer reads at the K positions that count.
        weight: (V, D) of the output layer.
        bias: (V,), or None.
        targets: (K,) ids.
        chunk: Positions at a time; 0 goes by V.

    Returns:
        A float32 scalar (float64 of float64 states); 0 where no position counts. Count: K.
    """
    size = chunk or chunk_of(len(weight))
    result: Tensor = _InChunks.apply(states, weight, bias, targets, size)
    return result


@torch.no_grad()
def vocabulary_answers(
    states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """The loss at each position, (K,) float32, and whether the likeliest piece is right, (K,) bool.

    Args: as of ``vocabulary_loss``.
    """
    size = chunk or chunk_of(len(weight))
    losses, right = [states.new_zeros(0, dtype=torch.float32)], [targets.new_zeros(0).bool()]
    for start in range(0, len(states), size):
        gold = targets[start : start + size]
        scores = _scores(states[start : start + size], weight, bias)
        losses.append(F.cross_entropy(scores, gold, reduction="none").float())
        right.append(scores.argmax(-1) == gold)
    return torch.cat(losses), torch.cat(right)


def _scores(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(k, V) in float32 at least."""
    scores = F.linear(states, weight, bias)
    return scores if scores.dtype == torch.float64 else scores.float()


class _InChunks(torch.autograd.Function):
    """The loss and, where it is asked for, its gradient, chunk by chunk in one pass."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, chunk: int
    ) -> Tensor:
        learns = any(ctx.needs_input_grad[:3])
        exact = states.dtype if states.dtype == torch.float64 else torch.float32
        total = wide(states.new_zeros((), dtype=exact))
        of_states = torch.zeros_like(states) if learns else None
        of_weight = torch.zeros_like(weight, dtype=exact) if ctx.needs_input_grad[1] else None
        of_bias = (
            torch.zeros_like(bias, dtype=exact)
            if bias is not None and ctx.needs_input_grad[2]
            else None
        )
        for start in range(0, len(states), chunk):
            part, gold = states[start : start + chunk], targets[start : start + chunk, None]
            scores = _scores(part, weight, bias)
            normaliser = scores.logsumexp(-1, keepdim=True)
            total = total + wide(normaliser - scores.gather(1, gold)).sum()
            if not learns:
                continue
            # In full precision: a loss scale would come too late for gradients that vanish in float16.
            with torch.autocast(states.device.type, enabled=False):
                slope = (scores - normaliser).exp_()
                slope.scatter_add_(1, gold, torch.full_like(gold, -1, dtype=slope.dtype))
                assert of_states is not None
                of_states[start : start + chunk] = slope @ weight.to(exact)
                if of_weight is not None:
                    of_weight.addmm_(slope.T, part.to(exact))
                if of_bias is not None:
                    of_bias += slope.sum(0)
        ctx.save_for_backward(of_states, of_weight, of_bias)
        ctx.kinds = states.dtype, weight.dtype, None if bias is None else bias.dtype
        return total.to(exact)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = upstream
        found = [
            None if gradient is None else (gradient * scale).to(kind)
            for gradient, kind in zip(ctx.saved_tensors, ctx.kinds, strict=True)
        ]
        return (*found, None, None)
