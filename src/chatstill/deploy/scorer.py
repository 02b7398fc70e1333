"""Scores of stored replies for one query, in batches from the map."""

from __future__ import annotations

import numpy as np
import torch

from .index import Index
from .relevance import Relevance
from .served import Query, Served


class Scorer:
    """A network, an index that it made, and what replies are ranked by."""

    def __init__(self, served: Served, index: Index, relevance: Relevance) -> None:
        self.served, self.index, self.relevance = served, index, relevance
        self.held = served.held(index.manifest.held, index.manifest.pool)

    @torch.inference_mode()
    def margins(
        self, query: Query, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers (N,), ascending, and what they are ranked by (N,).

        Args:
            query: As ``Served.encode_query`` gives it.
            rows: Row numbers, ascending; default: all that can be ranked.
        """
        asked, device = self.held.asked(query), self.served.device
        found, numbers = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
        for batch in self.index.batches(rows):
            kept = self.index.kept(self.held, batch, device)
            margin = self.relevance.margin(self.held.logits(asked, kept).float())
            found.append(margin.cpu().numpy())
            numbers.append(batch.rows + self.index.first[batch.shard])
        return np.concatenate(numbers), np.concatenate(found)


def best(margins: np.ndarray, top: int) -> np.ndarray:
    """Places of the highest, best first; equal ones in their order."""
    return np.argsort(-margins, kind="stable")[:top]
