"""A few rows that stand for a whole file: spread over it, the same every time."""

from collections.abc import Sequence

import numpy as np

_SEED = 20_020_292  # of a generator of its own: no other generator is touched


def sample_rows(
    num_rows: int, groups: Sequence[str] | np.ndarray | None, limit: int = 512
) -> np.ndarray:
    """At most ``limit`` row numbers, spread over the file, in rising order.

    The file is cut into equal stretches and one row is drawn from each: a file that is sorted by
    label is seen whole, and one that alternates labels is not seen through a comb. Groups are taken
    whole in the same way; only if every group is larger than ``limit`` are they cut.

    Args:
        num_rows: Rows of the file.
        groups: (num_rows,) the group of each row for ranking tasks, else None.
        limit: Most rows to return.
    """
    if num_rows <= limit:
        return np.arange(num_rows)
    generator = np.random.default_rng(_SEED)
    if groups is not None:
        rows = _whole_groups(np.asarray(groups), limit, generator)
        if len(rows):
            return rows
    return _one_per_stretch(num_rows, limit, generator)


def _one_per_stretch(total: int, count: int, generator: np.random.Generator) -> np.ndarray:
    edges = np.linspace(0, total, count + 1).astype(np.int64)
    return generator.integers(edges[:-1], edges[1:])


def _whole_groups(groups: np.ndarray, limit: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of whole groups, at most ``limit``; empty if no group drawn fits."""
    _, first, number, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    by_place = np.argsort(first)
    wanted = min(len(sizes), max(1, int(limit / sizes.mean())))
    drawn = by_place[_one_per_stretch(len(sizes), wanted, generator)]
    left = np.setdiff1d(by_place, drawn)
    taken: list[int] = []
    room = limit
    for group in np.concatenate([generator.permutation(drawn), generator.permutation(left)]):
        if sizes[group] <= room:
            taken.append(int(group))
            room -= int(sizes[group])
    return np.flatnonzero(np.isin(number, taken))
