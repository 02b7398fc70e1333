"""Sums of squared differences in few passes over memory: states and attention scores are large.

Autograd's own way through ``where``, minus, square and sum passes over them three times as often.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .sums import sum_of_squares


def squared_difference(left: Tensor, right: Tensor, seen: Tensor | None) -> Tensor:
    """Σ (left − right)², in float32.

    Args:
        left: Any shape.
        right: Of the same shape.
        seen: Bool, broadcast to that shape; what is not seen may hold anything, also NaN, and neither the
            sum nor its gradients see it. None takes all.
    """
    total: Tensor = _Difference.apply(left.float(), right.float(), seen)
    return total


def squared_difference_of_products(
    left: tuple[Tensor, Tensor, float], right: tuple[Tensor, Tensor, float], seen: Tensor
) -> Tensor:
    """Σ (a · query keyᵀ − b · query' key'ᵀ)², in float32, with gradients for the left side alone.

    Args:
        left: query, key, (B, H, L, d) each, and the factor a.
        right: query', key' and the factor b; their last size may be another.
        seen: Bool, broadcast to (B, H, L, L).
    """
    tensors = (side.float() for side in (*left[:2], *right[:2]))
    with torch.autocast(left[0].device.type, enabled=False):
        total: Tensor = _OfProducts.apply(*tensors, left[2], right[2], seen)
    return total


class _Difference(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, seen: Tensor | None) -> Tensor:
        difference = left - right
        if seen is not None:
            difference.masked_fill_(~seen, 0.0)
        ctx.save_for_backward(difference)
        return sum_of_squares(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (difference,) = ctx.saved_tensors
        of_left = difference * (2.0 * gradient)
        needs_left, needs_right, _ = ctx.needs_input_grad
        return of_left if needs_left else None, -of_left if needs_right else None, None


class _OfProducts(torch.autograd.Function):
    """The left side's product is never held: it is added to the right side's in place."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        other_query: Tensor,
        other_key: Tensor,
        factor: float,
        other_factor: float,
        seen: Tensor,
    ) -> Tensor:
        flat = [side.flatten(0, 1) for side in (query, key, other_query, other_key)]
        difference = torch.bmm(flat[2], flat[3].transpose(1, 2))
        difference.baddbmm_(flat[0], flat[1].transpose(1, 2), beta=-other_factor, alpha=factor)
        difference.view(*query.shape[:3], -1).masked_fill_(~seen, 0.0)
        ctx.save_for_backward(flat[0], flat[1], difference)
        ctx.factor, ctx.shape = factor, query.shape
        return sum_of_squares(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, difference = ctx.saved_tensors
        factor = 2.0 * ctx.factor * gradient
        queries = torch.bmm(difference, key).mul_(factor).view(ctx.shape)
        keys = torch.bmm(difference.transpose(1, 2), query).mul_(factor).view(ctx.shape)
        return queries, keys, None, None, None, None, None
