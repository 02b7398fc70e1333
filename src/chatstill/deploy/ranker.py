"""Ranking the replies of an index for a query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..errors import Problem, UserError
from .index import Index
from .nearest import Neighbours
from .network import open_network
from .scorer import Scorer, best
from .served import Query, Served


class Ranked(NamedTuple):
    """A reply in its place.

    Attributes:
        rank: From 1.
        score: The probability of the relevant label; the network's output where it has no labels; the cosine
            of the sentence vectors where no classifier reads both.
        reply: The text.
        ids: Its ids, several where equal replies had several; numbers where the replies had none.
    """

    rank: int
    score: float
    reply: str
    ids: tuple[str, ...]


class Ranker:
    """Ranks stored replies for a query: the query is encoded once, no reply is encoded again.

    Args:
        model: Folder of a network or of its run, or one that is open.
        index: Folder of an index that it made, or one that is open.
        label: The label of a relevant reply, where the names of the labels do not say it.
        first_stage: With more replies than this, only so many are scored: the nearest by their vectors.
        plugins: Python files that the network needs.
        device: Where to compute; default: the accelerator, else the processor.

    Raises:
        UserError: model or index cannot be opened, do not belong together, or the index holds no replies.
    """

    def __init__(
        self,
        model: Served | Path | str,
        index: Index | Path | str,
        *,
        label: str | None = None,
        first_stage: int | None = None,
        plugins: Sequence[str] = (),
        device: torch.device | str | None = None,
    ) -> None:
        self.index = index if isinstance(index, Index) else Index(Path(index))
        if not len(self.index):
            message = f"{self.index.folder} holds no replies"
            hint = "Add some: chatstill index MODEL --out INDEX --add FILE."
            raise UserError(Problem("INDEX", message, hint, code="rank.empty-index"))
        if isinstance(model, Path | str):
            model = open_network(Path(model), plugins, device)
        self.served = model
        self.index.require(model.fingerprint)
        self.relevance = model.relevance(label)
        self.first_stage = first_stage
        self._neighbours = Neighbours(self.index) if first_stage is not None else None
        self._scorer = Scorer(model, self.index, self.relevance)

    def rank(
        self, query: str | Sequence[str], top: int = 10, *, among: Sequence[str] | None = None
    ) -> list[Ranked]:
        """The best replies for a query, best first; equal scores in the order of the index.

        Args:
            query: A text, or the turns of a dialogue of which the last is to be answered.
            top: How many; all where there are fewer.
            among: Ids of the only replies that count; default: all.

        Raises:
            UserError: an empty query, an id that is not there.
            TypeError: something else than texts and a whole number.
            ValueError: ``top`` below 1, no ids at all in ``among``.
        """
        if isinstance(top, bool) or not isinstance(top, int):
            raise TypeError(f"top must be a whole number, found {top!r}")
        if top < 1:
            raise ValueError(f"top must be 1 or more, found {top}")
        encoded = self.served.encode_query(_turns(query))
        rows, margins = self._scorer.margins(encoded, self._candidates(encoded, among))
        return [
            Ranked(
                number,
                self.relevance.score(float(margins[place])),
                self.index.text(int(rows[place])),
                self.index.names_of(int(rows[place])),
            )
            for number, place in enumerate(best(margins, top), 1)
        ]

    def _candidates(self, query: Query, among: Sequence[str] | None) -> np.ndarray | None:
        if among is not None:
            if isinstance(among, str) or not all(isinstance(name, str) for name in among):
                raise TypeError(f"among must be a list of ids, which are texts; found {among!r}")
            if not among:
                raise ValueError("among holds no ids")
            known = self.index.number_of
            if absent := [name for name in among if name not in known]:
                message = f"there is no reply of the id {absent[0]!r} in {self.index.folder}"
                raise UserError(Problem("among", message, code="rank.no-such-reply"))
            return np.unique(self.index.row_of_name[[known[name] for name in among]])
        if self._neighbours is None or len(self.index) <= (self.first_stage or 0):
            return None
        return self._neighbours.rows(query.vector[0].float().cpu().numpy(), self.first_stage or 0)


def _turns(query: object) -> list[str]:
    """The turns of a query; the last one has to say something."""
    turns = list(query) if isinstance(query, list | tuple) else [query]
    if not all(isinstance(turn, str) for turn in turns):
        raise TypeError(f"a query is a text, or a list of texts; found {query!r}")
    texts = [str(turn) for turn in turns]
    if not texts or not texts[-1].strip():
        message = "the query is empty, expected a text"
        raise UserError(Problem("query", message, code="rank.empty-query"))
    if any("\ud800" <= sign <= "\udfff" for text in texts for sign in text):
        message = "the query holds half of a pair of UTF-16 (a surrogate), which is no character"
        raise UserError(Problem("query", message, code="rank.surrogate"))
    return texts
