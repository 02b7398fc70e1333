"""How a network reads rows: from a view to a padded batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data.blocks import Blocks
from ..data.collate import collate
from ..data.views import View
from ..features.capture import takes_token_types
from ..models.label_columns import LabelMatch
from ..tasks.base import Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Reader:
    """How a network reads rows of a view.

    Attributes:
        pad_token_id: Fills up shorter rows.
        with_token_types: Whether the network takes segment ids.
        label_order: Column of each task label in the network's output; None for one output.
        objective: How the network answers.
    """

    pad_token_id: int
    with_token_types: bool
    label_order: list[int] | None
    objective: Objective

    def batch_of(self, view: View | Blocks, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """One padded batch of these rows; blocks of a corpus have no labels."""
        if isinstance(view, Blocks):
            return view.batch_of(
                rows, pad_token_id=self.pad_token_id, with_token_types=self.with_token_types
            )
        return collate(
            view,
            rows,
            pad_token_id=self.pad_token_id,
            label_order=self.label_order,
            with_token_types=self.with_token_types,
            objective=self.objective,
        )


def reader_for(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, match: LabelMatch
) -> Reader:
    """How a network reads rows of its task."""
    assert tokenizer.pad_token_id is not None
    order = match.order if match.objective in ("cross_entropy", "multi_label") else None
    return Reader(int(tokenizer.pad_token_id), takes_token_types(model), order, match.objective)
