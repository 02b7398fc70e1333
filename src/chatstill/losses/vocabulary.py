"""Losses over a vocabulary at the positions that count, in chunks: memory does not grow with their product.

A batch of 32 rows of 512 tokens has 16,384 positions; their scores over 30,000 pieces take 2 GB in float32,
and as much again for the gradient. Here scores exist for one chunk of positions at a time, and their gradient
is taken at once: neither is kept for the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .sums import wide

NUMBERS = 1 << 24  # scores of a chunk, 64 MB in float32


# Of a layer that gives a score to each piece: weight (V, D) and bias (V,), or None.
Vocabulary = tuple[Tensor, Tensor | None]
# (scores of a chunk (k, V), the chunk's positions) -> its loss, summed; the gradient of that, in their place
_Piece = Callable[[Tensor, slice], tuple[Tensor, Tensor]]


def chunk_of(vocabulary: int) -> int:
    """Positions of a chunk for a number of pieces."""
    return max(1, NUMBERS // vocabulary)


def vocabulary_loss(states: Tensor, layer: Vocabulary, targets: Tensor, chunk: int = 0) -> Tensor:
    """-log softmax(states · weightᵀ + bias) at the targets, summed: cross-entropy without its scores.

    Args:
        states: (K, D), what the output layer reads at the K positions that count.
        layer: The output layer.
        targets: (K,) ids.
        chunk: Positions at a time; 0 goes by V.

    Returns:
        A float32 scalar (float64 of float64 states); 0 where no position counts. Count: K.
    """

    def piece(scores: Tensor, where: slice) -> tuple[Tensor, Tensor]:
        gold = targets[where, None]
        normaliser = scores.logsumexp(-1, keepdim=True)
        loss = wide(normaliser - scores.gather(1, gold)).sum()
        slope = (scores - normaliser).exp_()
        return loss, slope.scatter_add_(1, gold, torch.full_like(gold, -1, dtype=slope.dtype))

    return _summed(states, layer, piece, chunk)


def vocabulary_kl(
    states: Tensor,
    layer: Vocabulary,
    teacher_states: Tensor,
    teacher_layer: Vocabulary,
    *,
    temperature: float = 1.0,
    temperature_squared: bool = True,
    chunk: int = 0,
) -> Tensor:
    """temperature² · KL(softmax(teacher / temperature) ‖ softmax(student / temperature)), summed.

    DistilBERT (arXiv 1910.01108), section 3; its code divides by the positions (``batchmean``).

    Args:
        states: (K, D) of the student.
        layer: The student's output layer.
        teacher_states: (K, D') at the same positions; no gradient.
        teacher_layer: The teacher's output layer, over the same V pieces.
        temperature: Softens both sides; above 0.
        temperature_squared: Keeps gradients of one size at all temperatures.
        chunk: Positions at a time; 0 goes by V.

    Returns:
        As ``vocabulary_loss``. Count: K.
    """
    factor = temperature**2 if temperature_squared else 1.0

    def piece(scores: Tensor, where: slice) -> tuple[Tensor, Tensor]:
        aim = _scores(teacher_states[where], teacher_layer).to(scores.dtype) / temperature
        aim = aim - aim.logsumexp(-1, keepdim=True)  # log-probabilities
        mine = scores / temperature
        mine = mine - mine.logsumexp(-1, keepdim=True)
        share = aim.exp()
        loss = wide((share * (aim - mine)).sum(-1)).sum() * factor
        return loss, mine.exp_().sub_(share).mul_(factor / temperature)

    return _summed(states, layer, piece, chunk)


def vocabulary_mse(
    states: Tensor,
    layer: Vocabulary,
    teacher_states: Tensor,
    teacher_layer: Vocabulary,
    chunk: int = 0,
) -> Tensor:
    """(student − teacher)² of the scores, summed over positions and pieces.

    Args and result: as of ``vocabulary_kl``. Count: K x V; the public code of DistilBERT divides by K alone.
    """

    def piece(scores: Tensor, where: slice) -> tuple[Tensor, Tensor]:
        apart = scores - _scores(teacher_states[where], teacher_layer).to(scores.dtype)
        return wide(apart.square().sum(-1)).sum(), apart.mul_(2)

    return _summed(states, layer, piece, chunk)


@torch.no_grad()
def vocabulary_answers(
    states: Tensor, layer: Vocabulary, targets: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """The loss at each position, (K,) float32, and whether the likeliest piece is right, (K,) bool.

    Args: as of ``vocabulary_loss``.
    """
    size = chunk or chunk_of(len(layer[0]))
    losses, right = [states.new_zeros(0, dtype=torch.float32)], [targets.new_zeros(0).bool()]
    for start in range(0, len(states), size):
        gold = targets[start : start + size]
        scores = _scores(states[start : start + size], layer)
        losses.append(F.cross_entropy(scores, gold, reduction="none").float())
        right.append(scores.argmax(-1) == gold)
    return torch.cat(losses), torch.cat(right)


def _summed(states: Tensor, layer: Vocabulary, piece: _Piece, chunk: int) -> Tensor:
    size = chunk or chunk_of(len(layer[0]))
    result: Tensor = _InChunks.apply(states, *layer, piece, size)
    return result


def _scores(states: Tensor, layer: Vocabulary) -> Tensor:
    """(k, V) in float32 at least."""
    scores = F.linear(states, *layer)
    return scores if scores.dtype == torch.float64 else scores.float()


class _InChunks(torch.autograd.Function):
    """The loss and, where it is asked for, its gradient, chunk by chunk in one pass."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, piece: _Piece, chunk: int
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
            where = slice(start, start + chunk)
            loss, slope = piece(_scores(states[where], (weight, bias)), where)
            total = total + loss
            if not learns:
                continue
            # In full precision: a loss scale would come too late for gradients that vanish in float16.
            with torch.autocast(states.device.type, enabled=False):
                assert of_states is not None
                of_states[where] = slope @ weight.to(exact)
                if of_weight is not None:
                    of_weight.addmm_(slope.T, states[where].to(exact))
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
