"""What a smaller form of an index, or a first stage, costs: measured on a sample at building."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from .held import Held
from .index import Index
from .nearest import Neighbours
from .relevance import Relevance
from .scorer import Scorer, best
from .served import Served

TOP = 10
MOST_PAIRS = 1_000_000  # of query and reply, scored for the recall
MOST_QUERIES, FEWEST_QUERIES = 50, 10
MOST_REPLIES = 1_000  # encoded again for the effect of a form


class Sample(NamedTuple):
    """Queries, and what they are, for people."""

    queries: list[str]
    said: str


def sample_queries(index: Index, queries: Sequence[str] | None) -> Sample:
    """Some of the user's queries, else some of the replies themselves, spread over all."""
    most = min(MOST_QUERIES, max(FEWEST_QUERIES, MOST_PAIRS // max(len(index), 1)))
    if queries:
        found = [queries[n] for n in _spread(len(queries), most)]
        return Sample(found, f"asked {len(found)} of the file's queries")
    rows = np.flatnonzero(index.alive)
    found = [index.text(int(row)) for row in rows[_spread(len(rows), most)]]
    return Sample(
        found, f"asked {len(found)} replies as if they were queries; --queries FILE asks yours"
    )


def effect_of_form(served: Served, index: Index, relevance: Relevance, sample: Sample) -> str:
    """How the ranking of a sample of replies differs from that of unpooled states in float32."""
    rows = np.flatnonzero(index.alive)
    rows = rows[_spread(len(rows), MOST_REPLIES)]
    exact, stored = served.held(index.manifest.held), Scorer(served, index, relevance)
    top, same, kept, moved = min(TOP, len(rows)), 0, 0.0, 0.0
    wanted = _exact_margins(
        served, exact, [index.text(int(row)) for row in rows], relevance, sample
    )
    for query, want in zip(sample.queries, wanted, strict=True):
        found = stored.margins(served.encode_query(query), rows)[1]
        kept += len({*best(want, top)} & {*best(found, top)}) / top
        same += int(best(want, 1)[0] == best(found, 1)[0])
        moved += float(np.abs(want - found).mean())
    number = len(sample.queries)
    return (
        f"{index.manifest.form} beside float32: {100 * kept / number:.1f} % of the top {top} of "
        f"{len(rows):,} replies are the same, first place is for {same} of {number} queries; scores "
        f"(log-odds where there are labels) move by {moved / number:.4f} on average ({sample.said})"
    )


@torch.inference_mode()
def _exact_margins(
    served: Served, held: Held, texts: list[str], relevance: Relevance, sample: Sample
) -> np.ndarray:
    """(queries, replies) of replies encoded anew, in float32."""
    asked = [held.asked(served.encode_query(query)) for query in sample.queries]
    found = np.empty((len(asked), len(texts)), np.float32)
    for start in range(0, len(texts), 32):
        kept = held.of(served.encode_replies(texts[start : start + 32]))
        for number, one in enumerate(asked):
            margin = relevance.margin(held.logits(one, kept).float())
            found[number, start : start + 32] = margin.cpu().numpy()
    return found


def first_stage_recall(
    served: Served, index: Index, relevance: Relevance, sample: Sample, candidates: int
) -> float:
    """Mean share of the true top 10 that is among the first stage's candidates."""
    scorer, neighbours, shares = Scorer(served, index, relevance), Neighbours(index), []
    for query in sample.queries:
        encoded = served.encode_query(query)
        rows, margins = scorer.margins(encoded)
        true = rows[best(margins, TOP)]
        near = neighbours.rows(encoded.vector[0].float().cpu().numpy(), candidates)
        shares.append(np.isin(true, near).mean())
    return float(np.mean(shares))


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many numbers below ``count``, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
