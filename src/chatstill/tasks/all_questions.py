"""Ranking figures of all questions, those without a relevant candidate too, and two rankers side by side.

A question is a group of rows, its candidates. With A the first N candidates of the model and B those of the
other ranker (DC-BERT's paper compares with TF-IDF), the share of *all* questions for which

- ``p@N``: a relevant candidate is in A. (A hit rate, though the paper writes P.)
- ``pbt@N``: a relevant candidate is in A and not in B.
- ``ptb@N``: a relevant candidate is in B and not in A.

``r@N`` is the share of a question's relevant candidates that are in A, ``map`` and ``mrr`` are those of
``tasks.ranking``; a question without a relevant candidate counts 0 in each of them. The figures of
``tasks.ranking`` leave such questions out instead, so they are higher where there are any.

Ties. Where scores are equal all figures are expected values: each ranker breaks its ties at random,
independently of the other, computed exactly. So two rankers of equal scores have ``pbt@N`` = ``ptb@N``,
which is 0 only where no tie lies across the cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from .base import Groups, Parts
from .intervals import Ratio, paired_bootstrap
from .ranking import factorise, group_table

CUTOFFS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Compared:
    """Two rankers over the same candidates.

    Attributes:
        questions: All of them.
        with_relevant: Those that have a relevant candidate.
        larger: Cut-off N -> questions of more than N candidates. Cut-offs without any are left out, as
            every candidate would be among the first N.
        model: ``map``, ``mrr``, ``r@N``, ``p@N``, ``pbt@N`` of the model.
        other: ``map``, ``mrr``, ``r@N``, ``p@N``, ``ptb@N`` of the other ranker.
        difference: ``map`` of the model less the other's.
        interval: Its 95 % interval: percentile bootstrap, both on the same resampled questions.
    """

    questions: int
    with_relevant: int
    larger: dict[int, int]
    model: dict[str, float]
    other: dict[str, float]
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class First:
    """The first N of one question's n candidates.

    Attributes:
        certain: (n,) bool, those that are among them however ties are broken.
        tied: (n,) bool, the block of equal scores across the cut.
        places: How many of the tied are among them.
    """

    certain: np.ndarray
    tied: np.ndarray
    places: int

    @property
    def possible(self) -> np.ndarray:
        """(n,) bool, those that can be among them."""
        return self.certain | self.tied


def compare_rankers(
    model: np.ndarray,
    other: np.ndarray,
    relevant: np.ndarray,
    groups: Sequence[str] | np.ndarray,
    *,
    resamples: int = 1000,
) -> Compared:
    """Both rankers' figures of all questions.

    Args:
        model: (N,) higher is ranked first, finite.
        other: The same of the other ranker.
        relevant: (N,) bool.
        groups: (N,) the question of each row; its rows need not be neighbours.
        resamples: Of the interval.
    """
    codes, questions = factorise(groups)
    sizes = np.bincount(codes, minlength=questions)
    larger = {n: int((sizes > n).sum()) for n in CUTOFFS if (sizes > n).any()}
    pairs = (("model", model), ("other", other))
    figures = {name: {"map": 0.0, "mrr": 0.0} for name, _ in pairs}
    for name, score in pairs:
        table = group_table(score, relevant, codes)
        for metric in ("map", "mrr"):
            figures[name][metric] = float(table.values[metric].sum()) / questions
    with_relevant = len(table.size)
    for n in larger:
        sums = np.zeros(6)
        for a, b, right in _questions(model, other, relevant, codes):
            one, two = first(a, n), first(b, n)
            sums[:3] += hit(one, right), recall(one, right), only_in(one, two, right)
            sums[3:] += hit(two, right), recall(two, right), only_in(two, one, right)
        p, r, pbt, p_other, r_other, ptb = (sums / questions).tolist()
        figures["model"] |= {f"p@{n}": p, f"r@{n}": r, f"pbt@{n}": pbt}
        figures["other"] |= {f"p@{n}": p_other, f"r@{n}": r_other, f"ptb@{n}": ptb}
    difference, low, high = paired_bootstrap(
        Ratio(_precision_parts), model, other, relevant, codes, n=resamples
    )
    counts = questions, with_relevant, larger
    return Compared(*counts, figures["model"], figures["other"], difference, (low, high))


def first(score: np.ndarray, n: int) -> First:
    """The first n by score (higher is better) of one question's candidates."""
    if n >= len(score):
        return First(np.ones(len(score), bool), np.zeros(len(score), bool), 0)
    lowest = np.partition(score, -n)[-n]
    certain, tied = score > lowest, score == lowest
    places = n - int(certain.sum())
    if places == tied.sum():  # the cut lies between two blocks
        return First(certain | tied, np.zeros(len(score), bool), 0)
    return First(certain, tied, places)


def recall(found: First, relevant: np.ndarray) -> float:
    """Expected share of the relevant candidates, of which there are some, among the first."""
    inside = float((relevant & found.certain).sum())
    if found.places:
        inside += (relevant & found.tied).sum() * found.places / found.tied.sum()
    return inside / float(relevant.sum())


def hit(found: First, relevant: np.ndarray) -> float:
    """Probability that a relevant candidate is among the first."""
    if (relevant & found.certain).any():
        return 1.0
    tied = int(found.tied.sum())
    return 1 - _ways(tied - _count(relevant & found.tied), found.places) / _ways(tied, found.places)


def only_in(one: First, two: First, relevant: np.ndarray) -> float:
    """Probability that a relevant candidate is among the first of one ranker and not of the other.

    1 less the probability that each relevant candidate in ``one`` is in ``two``. It sums over j, how many
    of those that are tied on both sides are in ``one``: these j, and those that are certainly in ``one``
    and tied in ``two``, must then all have a place in ``two``.
    """
    if (relevant & one.certain & ~two.possible).any():
        return 1.0
    bound = _count(relevant & one.certain & two.tied)
    barred = _count(relevant & one.tied & ~two.possible)
    on_both = _count(relevant & one.tied & two.tied)
    size_one, size_two = _count(one.tied), _count(two.tied)
    draws = _ways(size_one, one.places) * _ways(size_two, two.places)
    without = sum(
        _ways(on_both, j)
        * _ways(size_one - barred - on_both, one.places - j)
        * _ways(size_two - bound - j, two.places - bound - j)
        for j in range(on_both + 1)
    )
    return 1 - without / draws


def _questions(
    model: np.ndarray, other: np.ndarray, relevant: np.ndarray, codes: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Both scores and the relevance of each question that has a relevant candidate."""
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, ends):
        if relevant[rows].any():
            yield model[rows], other[rows], relevant[rows]


def _precision_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    """Average precision of every question, 0 for those without a relevant candidate, which come last."""
    assert groups is not None
    table = group_table(scores, labels, groups)
    values = np.zeros(table.num_groups)
    values[: len(table.size)] = table.values["map"]
    return values, np.ones(table.num_groups)


def _count(which: np.ndarray) -> int:
    return int(which.sum())


def _ways(size: int, chosen: int) -> int:
    """Ways to choose so many of a set; none where that is impossible."""
    return comb(size, chosen) if 0 <= chosen <= size else 0
