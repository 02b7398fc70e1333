"""Ranking metrics over groups of rows, and what a random ranker gets.

Each is the usual definition; where scores are equal, it is the mean over all orders of the rows that share
a score, computed exactly (McSherry and Najork, ECIR 2008). So a ranker that gives every row the same score
gets what a random one gets, and rows whose order makes no difference cost nothing.

- ``mrr``: 1 / the rank of the first positive.
- ``map``: the mean over the positives of (rank among the positives) / (rank among all).
- ``p@1``: share of positives in first place.
- ``r@k``: share of the positives among the first k rows; with one positive of n rows this is what papers
  call ``Rn@k``.

Groups without a positive are left out.
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
    precision = _precision(above, length, hits_above, hits_inside)
    opens = hits_above == 0

    def mean_over_positives(share: np.ndarray) -> np.ndarray:
        total = np.bincount(group, weights=hits_inside * share, minlength=num_groups)
        return total[scored] / positives[scored]

    values = {
        "map": mean_over_positives(precision),
        "mrr": _reciprocal(above[opens], length[opens], hits_inside[opens]),
        "p@1": np.bincount(
            group, weights=np.where(above == 0, hits_inside / length, 0), minlength=num_groups
        )[scored],
    }
    for k in CUTOFFS:
        values[f"r@{k}"] = mean_over_positives(np.clip((k - above) / length, 0, 1))
    return GroupTable(size[scored], positives[scored], values, num_groups)


def _precision(
    above: np.ndarray, length: np.ndarray, hits_above: np.ndarray, hits: np.ndarray
) -> np.ndarray:
    """Mean precision at the positives of a block (B,), over all orders of its rows.

    With s rows and h positives above it, t rows and p positives in it: a positive at place j of the block
    has h + 1 + (j - 1) (p - 1) / (t - 1) positives up to it on average, of s + j rows.
    """
    largest = (above + length).max(initial=0)
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, 1 + largest))))
    inverse = harmonic[above + length] - harmonic[above]  # sum over j of 1 / (s + j)
    share = (hits - 1) / np.maximum(length - 1, 1)
    mean = ((hits_above + 1) * inverse + share * (length - (above + 1) * inverse)) / length
    return np.where(length == 1, (hits_above + 1) / (above + 1), mean)


def _reciprocal(above: np.ndarray, length: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Mean of 1 / the rank of the first of a block's positives (B,), over all orders of its rows."""
    found = 1 / (above + 1.0)
    mixed = hits < length
    kinds, places = np.unique(
        np.stack([above, length, hits], axis=1)[mixed], axis=0, return_inverse=True
    )
    values = [_first_of(int(s), int(t), int(p)) for s, t, p in kinds]
    found[mixed] = np.array(values)[places.reshape(-1)]
    return found


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
    harmonic = float(np.sum(1 / np.arange(1, n + 1)))
    share = (m - 1) / (n - 1) if n > 1 else 1.0
    return _first_of(0, n, m), (harmonic * (1 - share) + n * share) / n


def _first_of(above: int, n: int, m: int) -> float:
    """Expected reciprocal rank of the first of m positives among n rows that stand below others."""
    rank = np.arange(1, n + 1)
    # P(first at r + 1) = P(first at r) * (n - r - m + 1) / (n - r)
    ratio = (n - rank[:-1] - m + 1) / (n - rank[:-1])
    chance = m / n * np.cumprod(np.concatenate(([1.0], np.maximum(ratio, 0))))
    return float(np.sum(chance / (above + rank)))
