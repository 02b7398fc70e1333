"""Rows that repeat: exact duplicates, equal texts with different labels, dev rows that train holds too."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import Problem
from ..figures import percent
from .survey import NO_LABEL, Survey

MOST_LISTED = 20


def repeats(found: Survey) -> dict[str, dict[str, Any]]:
    """``duplicates`` and ``contradictions`` of a split.

    Duplicates are rows whose texts and label stood before; ``rows_of_equal_texts`` those whose texts
    alone did. Contradictions are texts that stand with more than one label (rows without one do not
    count); ``lines`` names the rows of the first of them by line number, or, where ``numbers`` is ``rows``,
    by their number in all files together: the lines of several would not tell which file is meant.
    """
    rows = _repeated(found.pairs)  # few, as a rule: all further sorting is of these
    pairs, labels = found.pairs[rows], found.labels[rows]
    order = np.lexsort((found.lines[rows], labels, pairs))
    same_texts = pairs[order][1:] == pairs[order][:-1]
    same_label = labels[order][1:] == labels[order][:-1]
    whole = int((same_texts & same_label).sum())
    return {
        "duplicates": {
            "rows": whole,
            "share": _share(whole, found.num_rows),
            "rows_of_equal_texts": int(same_texts.sum()),
        },
        "contradictions": _contradictions(found, rows[labels != NO_LABEL]),
    }


def _contradictions(found: Survey, rows: np.ndarray) -> dict[str, Any]:
    """Of labelled rows whose texts stand more than once."""
    several = bool((np.diff(found.lines) <= 0).any())
    pairs, labels = found.pairs[rows], found.labels[rows]
    lines = rows + 1 if several else found.lines[rows]
    order = np.lexsort((labels, pairs))
    same = pairs[order][1:] == pairs[order][:-1]
    differ = same & (labels[order][1:] != labels[order][:-1])
    number = np.cumsum(np.concatenate([[0], ~same])) if len(order) else order
    at_odds = np.unique(number[1:][differ])
    inside = np.isin(number, at_odds)
    their_lines = lines[order][inside]
    starts = np.searchsorted(number[inside], at_odds)
    first = np.minimum.reduceat(their_lines, starts) if len(starts) else starts
    ends = np.append(starts[1:], len(their_lines))
    listed = [
        np.sort(their_lines[starts[text] : ends[text]])[:MOST_LISTED].tolist()
        for text in np.argsort(first)[:MOST_LISTED].tolist()
    ]
    return {
        "pairs": len(at_odds),
        "rows": int(inside.sum()),
        "share": _share(int(inside.sum()), found.num_rows),
        "lines": listed,
        "numbers": "rows" if several else "lines",
    }


def contradicting(split: str, found: dict[str, Any]) -> Problem:
    """The warning of a split's ``contradictions``."""
    lines = ", ".join(map(str, found["lines"][0]))
    if found["numbers"] == "rows":
        lines += " of all files together"
    message = (
        f"{percent(found['share'])} of the rows contradict each other: {found['pairs']:,} texts "
    )
    message += f"stand with different labels, the first in {found['numbers']} {lines}"
    hint = "A run's data_report.json lists more of them."
    return Problem(split, message, hint, severity="warning", code="data.contradicting-rows")


def _among(dev: np.ndarray, train: np.ndarray) -> int:
    """How many of the dev hashes stand in train; nothing as large as train is sorted."""
    known = np.unique(dev)
    if not len(known):
        return 0
    at = np.minimum(np.searchsorted(known, train), len(known) - 1)
    present = np.zeros(len(known), np.bool_)
    present[at[known[at] == train]] = True
    return int(present[np.searchsorted(known, dev)].sum())


def _repeated(pairs: np.ndarray) -> np.ndarray:
    """Numbers of the rows whose texts stand in another row too."""
    order = np.argsort(pairs)
    same = pairs[order][1:] == pairs[order][:-1]
    return order[np.concatenate([same, [False]]) | np.concatenate([[False], same])]


def overlap(dev: Survey, train: Survey) -> dict[str, Any]:
    """Dev rows whose texts, and whose first text, stand in train; the labels do not matter."""
    pairs, queries = _among(dev.pairs, train.pairs), _among(dev.queries, train.queries)
    return {
        "pairs": {"rows": pairs, "share": _share(pairs, dev.num_rows)},
        "queries": {"rows": queries, "share": _share(queries, dev.num_rows)},
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
