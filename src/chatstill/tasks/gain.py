"""NDCG over groups of rows with grades of relevance, tied scores at their mean gain.

A row of grade g has the gain ``2^g - 1``; place i (from 1) is discounted by ``1 / log2(i + 1)``.
``ndcg@k`` is the discounted gain of the first k places over that of the best order; ``ndcg`` counts all
places. Rows with equal scores share the mean of their gains, which is what a random order among them
gets on average. Groups whose rows all have grade 0 are left out. (Järvelin and Kekäläinen 2002, with the
gain of Burges et al. 2005.)
"""

import numpy as np

from .base import Groups
from .metrics import matrix
from .ranking import factorise

CUTOFFS = (1, 3, 5, 10)
NAMES = ("ndcg", *(f"ndcg@{k}" for k in CUTOFFS))


def expected_grade(scores: np.ndarray) -> np.ndarray:
    """One number per row (N,): the mean grade under the softmax of (N, C) logits; a lone score itself."""
    scores = matrix(scores)
    if scores.shape[1] == 1:
        return scores[:, 0]
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ np.arange(scores.shape[1]) / weights.sum(axis=1)


def ndcg_by_group(
    score: np.ndarray, grade: np.ndarray, groups: Groups
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The metrics of each group that has a grade above 0, and what a random order gets there.

    Args:
        score: (N,) higher is ranked first, finite.
        grade: (N,) from 0.
        groups: (N,) group of each row.

    Returns:
        Name -> (G,), of the scores and of a random order.
    """
    assert groups is not None
    codes, num_groups = factorise(groups)
    gains = np.exp2(np.asarray(grade, dtype=np.float64)) - 1
    size = np.bincount(codes, minlength=num_groups)
    total = np.bincount(codes, weights=gains, minlength=num_groups)
    kept = total > 0
    order = np.lexsort((-score, codes))
    group = codes[order]  # sorted, so the best order's groups are the same
    best = gains[np.lexsort((-gains, codes))]
    place = np.arange(len(group)) - (np.cumsum(size) - size)[group]
    shared = _mean_over_ties(group, score[order], gains[order])
    mean_gain = (total / np.maximum(size, 1))[group]
    values, chance = {}, {}
    for name, k in zip(NAMES, (len(group), *CUTOFFS), strict=True):
        weight = np.where(place < k, 1 / np.log2(place + 2), 0.0)

        def summed(gain: np.ndarray, weight: np.ndarray = weight) -> np.ndarray:
            return np.bincount(group, weights=gain * weight, minlength=num_groups)[kept]

        ideal = summed(best)
        values[name] = summed(shared) / ideal
        chance[name] = summed(mean_gain) / ideal
    return values, chance


def _mean_over_ties(group: np.ndarray, score: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Gains of sorted rows (N,), those of equal score in one group replaced by their mean."""
    starts = np.concatenate(([True], (group[1:] != group[:-1]) | (score[1:] != score[:-1])))
    block = np.cumsum(starts) - 1
    return (np.bincount(block, weights=gain) / np.bincount(block))[block]
