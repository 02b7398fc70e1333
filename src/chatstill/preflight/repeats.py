"""Rows that repeat: exact duplicates, equal texts with different labels, dev rows that train holds too."""

from __future__ import annotations

from typing import Any

import numpy as np

from .survey import NO_LABEL, Survey

MOST_LISTED = 20


def duplicates(found: Survey) -> dict[str, Any]:
    """Rows whose texts and label stood before, and rows whose texts alone did."""
    texts = len(found.pairs) - len(np.unique(found.pairs))
    both = np.stack([found.pairs, found.labels], axis=1)
    whole = len(both) - len(np.unique(_mixed(both)))
    return {"rows": whole, "share": _share(whole, found.num_rows), "rows_of_equal_texts": texts}


def contradictions(found: Survey) -> dict[str, Any]:
    """Texts that stand with more than one label; rows without a label do not count.

    ``lines`` names the rows of the first of them by line number.
    """
    labelled = np.flatnonzero(found.labels != NO_LABEL)
    pairs, labels = found.pairs[labelled], found.labels[labelled]
    order = np.lexsort((labels, pairs))
    same = pairs[order][1:] == pairs[order][:-1]
    differ = same & (labels[order][1:] != labels[order][:-1])
    number = np.concatenate([[0], np.cumsum(~same)]) if len(order) else np.empty(0, np.int64)
    at_odds = np.unique(number[1:][differ]) if len(order) else number
    rows = np.isin(number, at_odds)
    lines = found.lines[labelled][order]
    # lexsort is stable, so the lines of one pair rise; pairs are listed by their first line.
    starts = np.searchsorted(number, at_odds)
    by_line = at_odds[np.argsort(np.minimum.reduceat(lines, starts))] if len(starts) else at_odds
    listed = [sorted(lines[number == one].tolist()) for one in by_line[:MOST_LISTED]]
    return {
        "pairs": len(at_odds),
        "rows": int(rows.sum()),
        "share": _share(int(rows.sum()), found.num_rows),
        "lines": [one[:MOST_LISTED] for one in listed],
    }


def overlap(dev: Survey, train: Survey) -> dict[str, Any]:
    """Dev rows whose texts, and whose first text, stand in train; the labels do not matter."""
    pairs = int(np.isin(dev.pairs, np.unique(train.pairs)).sum())
    queries = int(np.isin(dev.queries, np.unique(train.queries)).sum())
    return {
        "pairs": {"rows": pairs, "share": _share(pairs, dev.num_rows)},
        "queries": {"rows": queries, "share": _share(queries, dev.num_rows)},
    }


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """One number of two hashes (N,); collisions are as unlikely as those of 64-bit hashes."""
    left, right = hashes.view(np.uint64).T
    return left * np.uint64(0x9E3779B97F4A7C15) ^ (right + (left >> np.uint64(32)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
