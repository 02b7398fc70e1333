"""A DC-BERT that serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from ..errors import Problem
from ..text.plain_ids import plain_ids
from .held import Held, Hold, held_by
from .served import Served

if TYPE_CHECKING:
    from ..models.networks.dc_bert.model import Encoded

TYPE = "dc-bert"


class ServedDcBert(Served):
    """Its model is a ``DcBertForSequenceClassification``."""

    special: ClassVar[int] = 2
    way_to_longer: ClassVar[str] = (
        "A network trained with a larger max_reply_length reads more of them."
    )

    @property
    def longest_reply(self) -> int:
        return int(self.model.config.max_reply_length)

    @torch.no_grad()
    def encode_query(self, query: str | Sequence[str]) -> Encoded:
        """States (1, Lq, H) of one query, or of the turns of a dialogue with the query as the last."""
        from ..models.networks.dc_bert.sides import dialogue_ids

        turns = self.prepared([query] if isinstance(query, str) else query)
        ids, mask, _ = dialogue_ids(turns, self.tokenizer, self.model.config)
        found: Encoded = self.model.encode_queries(ids.to(self.device), mask.to(self.device))
        return found

    @torch.no_grad()
    def encode_replies(self, replies: Sequence[str]) -> Encoded:
        """States (B, Ld, H) of replies, padded to the longest."""
        ids, mask, _ = self.model.document_ids(self.prepared(replies), self.tokenizer)
        found: Encoded = self.model.encode_documents(ids.to(self.device), mask.to(self.device))
        return found

    def reply_tokens(self, replies: Sequence[str]) -> list[int]:
        return [len(ids) for ids in plain_ids(self.tokenizer, self.prepared(replies))]

    def held(self, hold: Hold | None, pool: int = 1) -> Held:
        return held_by(self.model, hold, pool)

    @property
    def way_to_recall(self) -> str:
        how = "a larger two_tower" if self.model.config.two_tower else "two_tower"
        return f"Take more candidates, or train with {how} (docs/dc_bert.md)."

    def about_first_stage(self) -> list[Problem]:
        if self.model.config.two_tower:
            return []
        message = "the network was trained without two_tower: its vectors were not made to be near"
        return [Problem("--first-stage", message, "", "warning", code="index.no-two-tower")]
