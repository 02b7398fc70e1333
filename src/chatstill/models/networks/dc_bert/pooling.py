"""Fewer states of a document: neighbouring ones averaged, without training.

[CLS] stays alone; behind it stand groups of ``size`` neighbouring places. A group's state is the mean over
its tokens, and its position embedding the mean over the places that it covers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pool_documents(stored: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """States (B, 1 + ⌈(L − 1) / size⌉, W) and their mask, of states (B, L, W) padded on the right.

    The last group of a document may hold fewer tokens; its mean is over those that are there. What padding
    holds is not read. The sum is taken in float32, the result has the type of ``stored``.

    Args:
        stored: (B, L, W), [CLS] first.
        mask: (B, L), nonzero inside the text.
        size: Tokens of a group; 1 changes nothing.

    Raises:
        ValueError: ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"size is {size}: a group has at least 1 token")
    if size == 1 or stored.shape[1] < 2:
        return stored, mask
    lacking = -(stored.shape[1] - 1) % size
    rest = F.pad(stored[:, 1:], (0, 0, 0, lacking)).unflatten(1, (-1, size))  # (B, G, size, W)
    inside = F.pad(mask[:, 1:].bool(), (0, lacking)).unflatten(1, (-1, size))  # (B, G, size)
    total = rest.float().masked_fill(~inside[..., None], 0.0).sum(2)
    means = total / inside.sum(2, keepdim=True).clamp(min=1)
    there = inside.any(2).to(mask.dtype)
    pooled = torch.cat([stored[:, :1], means.to(stored.dtype)], 1)
    return pooled, torch.cat([mask[:, :1], there], 1)


def pooled_positions(table: nn.Embedding, first: int, length: int, size: int) -> Tensor:
    """(length, H) position embeddings of a document's places, which begin at ``first`` of the table.

    Place 0 is [CLS]'s. Each one behind it is the mean over ``size`` places, whether a reply fills them or
    not: so a place does not depend on how long a reply is. Places behind the table's end are in no mean.

    Args:
        table: (P, H).
        first: The document's first place.
        length: Places after pooling.
        size: Tokens of a group; 1: every place by itself.

    Raises:
        ValueError: ``size`` is below 1, or a group begins behind the table.
    """
    if size < 1:
        raise ValueError(f"pool is {size}: a group has at least 1 token")
    device = table.weight.device
    if size == 1:
        return embedded(table, first + torch.arange(length, device=device))
    starts = first + 1 + size * torch.arange(length - 1, device=device)
    end = table.num_embeddings
    if length > 1 and first + 1 + size * (length - 2) >= end:
        raise ValueError(f"{length} places pooled by {size} go beyond a table of {end} positions")
    places = starts[:, None] + torch.arange(size, device=device)  # (G, size)
    inside = (places < end)[..., None]
    rows = embedded(table, places.clamp(max=end - 1)).masked_fill(~inside, 0.0)
    return torch.cat([table.weight[first : first + 1], rows.sum(1) / inside.sum(1)])


def embedded(table: nn.Embedding, places: Tensor) -> Tensor:
    """(..., H) of places (...)."""
    found: Tensor = table(places)
    return found
