"""Documents' states made narrow, as they are stored, and wide again, as the interaction reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

TEXTS = 64  # replies on whose states the axes are found: some thousands of states
BATCH = 16


class Projection(nn.Module):
    """``down`` (H → W) and ``up`` (W → H), both with a bias."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, narrow)
        self.up = nn.Linear(narrow, width)


@torch.no_grad()
def start_projection(model: Any, tokenizer: PreTrainedTokenizerBase, replies: Sequence[str]) -> str:
    """Starts a network's projection as the main axes of its documents' states; a line for the plan.

    ``down`` has the W orthonormal directions of most variance around the mean state m, ``up`` is its
    transpose: up(down(x)) = m + PᵀP (x − m), which has the least squared error that W numbers can have here.
    Training moves a weight by about the sum of its learning rates, so a start at random would stay one.

    Args:
        model: A new network with its encoders' weights.
        tokenizer: Its.
        replies: Training texts; without any, the axes are those of an empty reply.
    """
    states = _states(model, ["", *replies[:TEXTS]], tokenizer).double()
    mean = states.mean(0)
    apart = states - mean
    spread, axes = torch.linalg.eigh(apart.T @ apart)  # ascending
    narrow = model.config.document_width
    directions = axes[:, -narrow:].flip(1).T  # (W, H)
    # Of a direction and its opposite, the one whose largest number is positive: not left to the library.
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    directions = directions * torch.sign(largest)
    projection: Projection = model.projection
    projection.down.weight.copy_(directions)
    projection.down.bias.copy_(-directions @ mean)
    projection.up.weight.copy_(directions.T)
    projection.up.bias.copy_(mean)
    kept = float(spread[-narrow:].sum() / spread.sum().clamp(min=1e-30))
    return (
        f"replies' states of {len(mean)} numbers are stored as {narrow}: the main axes of {len(states)} "
        f"states, which hold {100 * kept:.1f} % of their variance"
    )


def _states(model: Any, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """(N, H) the states of all tokens of documents."""
    found = []
    for first in range(0, len(texts), BATCH):
        ids, mask, _ = model.document_ids(texts[first : first + BATCH], tokenizer)
        states = model.dc_bert.of_documents(input_ids=ids, attention_mask=mask).last_hidden_state
        found.append(states[mask.bool()])
    return torch.cat(found)
