"""A network that serves: what encodes queries and replies, what is kept of these, and what ranks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch

from ..errors import Problem
from .relevance import Relevance, relevance_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from .held import Held, Hold


class Query(Protocol):
    """An encoded query; what else it has, ``Held.asked`` knows."""

    @property
    def vector(self) -> Tensor:
        """(1, H), by which the nearest replies are found."""


@dataclass(frozen=True)
class Served:
    """A network in eval mode on its device; a class of its own for each kind.

    Attributes:
        model: The network.
        tokenizer: Its tokenizer.
        prepare: What is done to a text before it is cut into tokens.
        fingerprint: Of weights, code, tokenizer, lengths, and what is done to texts.
        run: What its run was configured with, by key; empty away from it.
        special: Special tokens around a reply.
        way_to_longer: What can be done about replies that are cut.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    prepare: Callable[[str], str]
    fingerprint: str
    run: Mapping[str, Any] = field(default_factory=dict)
    special: ClassVar[int]
    way_to_longer: ClassVar[str]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = next(self.model.parameters()).device
        return found

    @property
    def longest_reply(self) -> int:
        """Tokens that are read of a reply, special ones not counted."""
        raise NotImplementedError

    def encode_query(self, query: str | Sequence[str]) -> Query:
        """One query, or the turns of a dialogue with the query as the last."""
        raise NotImplementedError

    def encode_replies(self, replies: Sequence[str]) -> Any:
        """Replies, as ``Held.of`` takes them."""
        raise NotImplementedError

    def reply_tokens(self, replies: Sequence[str]) -> list[int]:
        """Tokens of each reply without special ones, before anything is cut."""
        raise NotImplementedError

    def held(self, hold: Hold | None, pool: int = 1) -> Held:
        """The way of keeping replies that is asked for, or the network's default.

        Raises:
            UserError: the network does not allow it.
        """
        raise NotImplementedError

    def relevance(self, label: str | None) -> Relevance:
        """What replies are ranked by; raises as ``relevance_of``."""
        return relevance_of(self.model, label)

    def about_lengths(self, counts: Sequence[int]) -> list[Problem]:
        """Warnings about replies of so many tokens."""
        most = self.longest_reply
        if not (cut := sum(count > most for count in counts)):
            return []
        message = (
            f"{cut:,} of {len(counts):,} replies are longer than {most:,} tokens: they are cut"
        )
        return [Problem("", message, self.way_to_longer, "warning", code="index.replies-cut")]

    def wordless(self, texts: Sequence[str]) -> int:
        """How many texts hold no word that the network knows; 0 of one that reads pieces of words."""
        return 0

    @property
    def way_to_recall(self) -> str:
        """What can be done where the nearest vectors hold too few of the best replies."""
        return "Take more candidates."

    def about_first_stage(self) -> list[Problem]:
        """Warnings about finding candidates by the network's vectors."""
        return []

    def prepared(self, texts: Sequence[str]) -> list[str]:
        """Texts as they are cut into tokens."""
        return [self.prepare(text) for text in texts]
