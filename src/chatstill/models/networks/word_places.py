"""Rows of different lengths read backwards without packed sequences."""

from __future__ import annotations

import torch
from torch import Tensor


def reversed_places(lengths: Tensor, longest: int) -> Tensor:
    """(N, longest): the place of each word when its row is read from the end; places behind stay.

    It is its inverse.
    """
    places = torch.arange(longest, device=lengths.device).expand(lengths.shape[0], -1)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def at_places(states: Tensor, places: Tensor) -> Tensor:
    """(N, L, D) states at places (N, L)."""
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))
