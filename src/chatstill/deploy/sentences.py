"""A network that serves by sentence vectors: each text has one, made without the other text.

Where rows of two texts were learnt, the network's classifier scores the two vectors, and the score is that
of the pair: its classifier reads nothing else. Else replies are ranked by the cosine of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import Problem, UserError
from ..models.own import CLASSIFIER, UNTRAINED, own_block
from ..text.known_words import wordless
from ..text.plain_ids import plain_ids
from .held import VECTOR, Column, Held, Hold, Kept
from .relevance import Relevance
from .served import Served

LONGEST = 4096  # tokens that are read of a text, so that a line of megabytes takes no gigabytes
Word = tuple[int, ...]  # the ids of a word; a network of bytes has several


class Texts(NamedTuple):
    """Texts by themselves.

    Attributes:
        vector: (B, H).
        mask: (B, L) which tokens count.
    """

    vector: Tensor
    mask: Tensor


class Sentences(Held):
    """One vector of a reply. By cosine it is kept at length 1, so that near by product is near by angle."""

    name: Hold = "vectors"

    def __init__(self, model: Any, by_cosine: bool) -> None:
        self.by_cosine = by_cosine
        super().__init__(model)

    def _columns(self) -> tuple[Column, ...]:
        return ()

    @property
    def scored(self) -> tuple[Column, ...]:
        return self.columns

    def of(self, replies: Texts) -> Kept:
        vector = F.normalize(replies.vector, dim=-1) if self.by_cosine else replies.vector
        return Kept({VECTOR: vector}, replies.mask)

    def asked(self, query: Texts) -> Tensor:
        return query.vector

    def logits(self, asked: Tensor, kept: Kept) -> Tensor:
        vectors = kept.values(VECTOR)
        if self.by_cosine:
            return F.cosine_similarity(asked.float(), vectors, dim=-1)[:, None]
        found: Tensor = self.model.logits_of([asked.expand(len(vectors), -1), vectors])
        return found


class ServedSentences(Served):
    """Its model has ``text_vectors`` and ``logits_of`` (``models.networks.base``)."""

    special: ClassVar[int] = 1
    way_to_longer: ClassVar[str] = "Part them: a vector says little of so long a text."

    @property
    def longest_reply(self) -> int:
        return LONGEST

    @property
    def why_cosine(self) -> str:
        """Why no classifier scores pairs; empty where one does."""
        if own_block(self.model.config).get(CLASSIFIER) == UNTRAINED:
            return "the network's classifier was not trained"
        return "the network's classifier reads one text" if self.model.config.texts == 1 else ""

    @torch.no_grad()
    def encode_query(self, query: str | Sequence[str]) -> Texts:
        """The vector (1, H) of one query, or of the turns of a dialogue, the oldest words cut first."""
        turns = self._words([query] if isinstance(query, str) else query)
        separator = self._separator()
        joined = [word for turn in turns for word in (*separator, *turn)][len(separator) :]
        return self._encoded([joined[-LONGEST:] if len(turns) > 1 else joined[:LONGEST]])

    @torch.no_grad()
    def encode_replies(self, replies: Sequence[str]) -> Texts:
        """Vectors (B, H) of replies."""
        return self._encoded([words[:LONGEST] for words in self._words(replies)])

    def reply_tokens(self, replies: Sequence[str]) -> list[int]:
        return [len(words) for words in self._words(replies)]

    def about_lengths(self, counts: Sequence[int]) -> list[Problem]:
        """Those of any network, and about replies that the rows of its training had no room for."""
        known = [self.run.get("max_reply_length"), self.run.get("max_seq_length")]
        lengths = [value for value in known if isinstance(value, int) and value > 0]
        most = min(lengths, default=LONGEST)
        found = super().about_lengths(counts)
        if not (longer := sum(count > most for count in counts)) or most >= LONGEST:
            return found
        message = (
            f"{longer:,} of {len(counts):,} replies are longer than the {most:,} tokens that training cut "
            "rows to: they are read whole"
        )
        hint = "`evaluate` and `predict` cut such rows, so their scores are others."
        return [*found, Problem("", message, hint, "warning", code="index.longer-than-in-training")]

    def wordless(self, texts: Sequence[str]) -> int:
        return wordless((chain(*words) for words in self._words(texts)), self.tokenizer)

    @property
    def way_to_recall(self) -> str:
        if self.why_cosine:
            return super().way_to_recall
        return (
            "Take more candidates, or leave it out: it finds the smallest angles of vectors, and what "
            "ranks is the classifier, which did not learn them (docs/ranking.md)."
        )

    def held(self, hold: Hold | None, pool: int = 1) -> Held:
        kind = self.model.config.model_type
        if hold not in (None, Sentences.name):
            message = f"'{hold}' cannot be kept for this network, a {kind}: a reply is one vector"
            hint = f"Take {Sentences.name}, or leave it out."
            raise UserError(Problem("--hold", message, hint, code="index.vectors-alone"))
        if pool > 1:
            message = f"averages neighbouring states, and of a reply a {kind} has one vector"
            raise UserError(
                Problem("--pool", message, "Leave it out.", code="index.nothing-to-pool")
            )
        return Sentences(self.model, bool(self.why_cosine))

    def relevance(self, label: str | None) -> Relevance:
        """The classifier's, or the cosine.

        Raises:
            UserError: as ``relevance_of``; a label where there is a cosine alone.
        """
        if not (why := self.why_cosine):
            return super().relevance(label)
        if label is not None:
            message = f"names a label, and replies are ranked by the cosine of vectors: {why}"
            raise UserError(Problem("--label", message, "Leave it out.", code="rank.no-labels"))
        return Relevance(0, False, False, f"the cosine of the sentence vectors ({why})")

    def _words(self, texts: Sequence[str]) -> list[list[Word]]:
        """The words of each text, without special tokens."""
        prepared = self.prepared(texts)
        tokenizer: Any = self.tokenizer
        if hasattr(tokenizer, "words_of_all"):
            found: list[list[Word]] = tokenizer.words_of_all(prepared)
            return found
        one_each = tokenizer.ids_of_all if hasattr(tokenizer, "ids_of_all") else self._plain
        return [[(number,) for number in ids] for ids in one_each(prepared)]

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        return plain_ids(self.tokenizer, texts) if texts else []

    def _separator(self) -> list[Word]:
        """Between turns and behind a text, as rows have it; no network here reads it as a word."""
        number = self.tokenizer.sep_token_id
        return [] if number is None else [(int(number),)]

    def _encoded(self, texts: Sequence[Sequence[Word]]) -> Texts:
        end = self._separator()
        rows = [[number for word in (*words, *end) for number in word] for words in texts]
        width = max(1, *map(len, rows))
        pad = int(self.tokenizer.pad_token_id or 0)
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        vectors = self.model.text_vectors(ids.to(self.device), mask.to(self.device))
        return Texts(vectors, mask.to(self.device))
