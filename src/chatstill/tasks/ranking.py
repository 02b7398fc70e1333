"""Ranking metrics over groups of rows, tied scores at their mean rank; what a random ranker gets.

Definitions for one group of n rows with m positives. A *block* is a set of rows with equal score; a
block of t rows below s others has the mean rank ``s + (t + 1) / 2``, and so has each row in it.

- ``mrr``: 1 / the mean rank of the best positive when ties are broken at random: of the p positives of a
  block it is ``s + (t + 1) / (p + 1)``, so a block of positives alone costs nothing. (A ranker that gives
  every row the same score gets ``(m + 1) / (n + 1)``, less than a random one: ties are not rewarded.)
- ``map``: the mean over the positives of (mean rank among the positives) / (mean rank among all).
- ``p@1``: expected share of positives in first place when ties are broken at random.
- ``r@k``: expected share of the positives among the first k rows when ties are broken at random;
  with one positive of n rows this is what papers call ``Rn@k``.

Groups without a positive are left out. Without ties all four are the usual definitions.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Groups, Parts

CUTOFFS = (1, 2, 5)
RANKING = ("mrr", "map", "p@1", *(f"r@{k}" for k in CUTOFFS))
USUAL_SIZE = 10
LARGEST_NAMED_SIZE = 100


@dataclass(frozen=True)
class GroupTable:
    """The groups that hold a positive, one entry each (G,), and the value of each metric there.

    Attributes:
        size: Rows.
        positives: Positives among them.
        values: ``mrr``, ``map``, ``p@1``, ``r@1``, ``r@2``, ``r@5``, each (G,).
        num_groups: All groups, those without a positive too.
    """

    size: np.ndarray
    positives: np.ndarray
    values: dict[str, np.ndarray]
    num_groups: int


def factorise(groups: Sequence[str] | np.ndarray) -> tuple[np.ndarray, int]:
    """Groups as numbers from 0 (N,), and how many there are."""
    if isinstance(groups, np.ndarray) and groups.dtype.kind in "iu":
        names, codes = np.unique(groups, return_inverse=True)
        return codes.reshape(-1), len(names)
    numbers: dict[str, int] = {}
    values = groups.tolist() if isinstance(groups, np.ndarray) else groups
    codes = np.fromiter(
        (numbers.setdefault(value, len(numbers)) for value in values), np.int64, len(values)
    )
    return codes, len(numbers)


def group_table(
    score: np.ndarray, positive: np.ndarray, groups: Sequence[str] | np.ndarray
) -> GroupTable:
    """Every ranking metric of every group, in one pass over the sorted rows.

    Args:
        score: (N,) higher is ranked first, finite.
        positive: (N,) bool.
        groups: (N,) group of each row; rows of a group need not be neighbours.
    """
    codes, num_groups = factorise(groups)
    size = np.bincount(codes, minlength=num_groups)
    positives = np.bincount(codes[positive], minlength=num_groups)
    order = np.lexsort((-score, codes))
    group, value = codes[order], score[order]
    hits = np.concatenate(([0], np.cumsum(positive[order])))
    same = (group[1:] == group[:-1]) & (value[1:] == value[:-1])
    start = np.flatnonzero(np.concatenate(([True], ~same)))  # (B,) first row of each block
    end = np.append(start[1:], len(group))
    group = group[start]
    first_row = (np.cumsum(size) - size)[group]
    above, length = start - first_row, end - start
    hits_above, hits_inside = hits[start] - hits[first_row], hits[end] - hits[start]

    scored = positives > 0
    blocks = hits_inside > 0
    group, above, length = group[blocks], above[blocks], length[blocks]
    hits_above, hits_inside = hits_above[blocks], hits_inside[blocks]
    rank = above + (length + 1) / 2
    best = above + (length + 1) / (hits_inside + 1)
    rank_among_positives = hits_above + (hits_inside + 1) / 2

    def mean_over_positives(share: np.ndarray) -> np.ndarray:
        total = np.bincount(group, weights=hits_inside * share, minlength=num_groups)
        return total[scored] / positives[scored]

    values = {
        "map": mean_over_positives(rank_among_positives / rank),
        "mrr": 1 / best[hits_above == 0],
        "p@1": np.bincount(
            group, weights=np.where(above == 0, hits_inside / length, 0), minlength=num_groups
        )[scored],
    }
    for k in CUTOFFS:
        values[f"r@{k}"] = mean_over_positives(np.clip((k - above) / length, 0, 1))
    return GroupTable(size[scored], positives[scored], values, num_groups)


def ranking_metrics(table: GroupTable) -> dict[str, float]:
    """Means over the groups with a positive, and a random ranker's figures (``random_...``).

    ``r10@k`` is ``r@k`` over the groups of exactly ten rows (``groups_of_10`` of them), given where
    there are any; where all groups have the same number n of rows (2 to 100), ``rn@k`` is given for
    that n. Only k below the number of rows is given.
    """
    chance = random_values(table.size, table.positives)
    result = {name: float(values.mean()) for name, values in table.values.items()}
    result |= {f"random_{name}": float(values.mean()) for name, values in chance.items()}
    for size in named_sizes(table):
        chosen = table.size == size
        for k in (k for k in CUTOFFS if k < size):
            result[f"r{size}@{k}"] = float(table.values[f"r@{k}"][chosen].mean())
            result[f"random_r{size}@{k}"] = k / size
        if size == USUAL_SIZE:
            result["groups_of_10"] = float(chosen.sum())
    return result


def ranking_parts(
    name: str, ranked: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> Callable[[np.ndarray, np.ndarray, Groups], Parts]:
    """One ranking metric by groups: ``mrr``, ``map``, ``p@1``, ``r@k``, or ``rn@k`` over groups of n rows.

    Args:
        name: The metric.
        ranked: Scores and labels to the score to rank by (N,) and whether a row is relevant (N,).

    Raises:
        KeyError: there is no such metric.
    """
    sized = re.fullmatch(r"r([0-9]+)@([0-9]+)", name)
    column = f"r@{sized[2]}" if sized else name
    if column not in RANKING:
        raise KeyError(name)

    def parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
        if groups is None:
            raise ValueError(f"{name} needs groups")
        table = group_table(*ranked(scores, labels), groups)
        values = table.values[column]
        chosen = values[table.size == int(sized[1])] if sized else values
        return chosen, np.ones(len(chosen))

    return parts


def named_sizes(table: GroupTable) -> list[int]:
    """Numbers of rows that get their own ``rn@k``: ten, and the one that all groups share."""
    sizes = np.unique(table.size)
    shared = len(sizes) == 1 and 2 <= sizes[0] <= LARGEST_NAMED_SIZE
    return [int(size) for size in sizes if size == USUAL_SIZE or shared]


def random_values(size: np.ndarray, positives: np.ndarray) -> dict[str, np.ndarray]:
    """What a random order gets on average in each group, computed exactly (G,).

    With n rows and m positives: ``p@1`` m/n; ``r@k`` min(k, n)/n; ``mrr`` the sum over r of
    P(first positive at r) / r; ``map`` (H_n (1 - c) + n c) / n with c = (m - 1) / (n - 1) and H_n
    the harmonic number.
    """
    pairs, places = np.unique(np.stack([size, positives], axis=1), axis=0, return_inverse=True)
    places = places.reshape(-1)
    expected = np.array([_random_mrr_and_map(int(n), int(m)) for n, m in pairs]).reshape(-1, 2)
    values = {"map": expected[places, 1], "mrr": expected[places, 0], "p@1": positives / size}
    return values | {f"r@{k}": np.minimum(k, size) / size for k in CUTOFFS}


def _random_mrr_and_map(n: int, m: int) -> tuple[float, float]:
    """Expected reciprocal rank of the first of m positives among n rows; average precision."""
    rank = np.arange(1, n + 1)
    # P(first at r + 1) = P(first at r) * (n - r - m + 1) / (n - r)
    ratio = (n - rank[:-1] - m + 1) / (n - rank[:-1])
    chance = m / n * np.cumprod(np.concatenate(([1.0], np.maximum(ratio, 0))))
    harmonic = float(np.sum(1 / rank))
    share = (m - 1) / (n - 1) if n > 1 else 1.0
    return float(np.sum(chance / rank)), (harmonic * (1 - share) + n * share) / n
