"""Figures class by class, and which class is taken for which."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..tasks.base import Labels
from ..tasks.metrics import decide

MOST_IN_LINES = 20  # classes whose figures are printed


def class_table(labels: Labels, scores: np.ndarray, gold: np.ndarray) -> list[dict[str, Any]]:
    """Precision, recall, F1 and rows of each class, or of each label of multi-label rows.

    Args:
        labels: The label space; empty for a regression.
        scores: (N, C) in its order, or (N, 1) of a sigmoid scorer.
        gold: (N,) class indices, (N, C) of 0 and 1 for multi-label.

    Returns:
        One entry a class, in the order in which files number them: ``label``, ``precision`` (None where
        nothing is called so), ``recall`` (None where no row is), ``f1``, ``rows`` and ``predicted``.
    """
    if labels.kind == "regression":
        return []
    if labels.kind == "multi_label":
        called, positive = np.asarray(scores) > 0, np.asarray(gold) > 0
    else:
        classes = np.arange(len(labels.names))
        called = decide(scores)[:, None] == classes
        positive = np.asarray(gold)[:, None] == classes
    hits = (called & positive).sum(axis=0)
    predicted, rows = called.sum(axis=0), positive.sum(axis=0)
    found = {}
    for place, name in enumerate(labels.names):
        hit, given, there = int(hits[place]), int(predicted[place]), int(rows[place])
        found[name] = {
            "label": name,
            "precision": hit / given if given else None,
            "recall": hit / there if there else None,
            "f1": 2 * hit / (given + there) if given + there else 0.0,
            "rows": there,
            "predicted": given,
        }
    return [found[name] for name in labels.numbered]


def confusion(labels: Labels, scores: np.ndarray, gold: np.ndarray) -> list[list[int]]:
    """(C, C) rows by their label and by the class that they are called; empty unless rows have one class."""
    if labels.kind != "classification":
        return []
    size = len(labels.names)
    cells = np.asarray(gold).astype(np.int64) * size + decide(scores)
    table = np.bincount(cells, minlength=size * size).reshape(size, size)
    order = [labels.names.index(name) for name in labels.numbered]
    return table[np.ix_(order, order)].tolist()


def class_lines(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table as lines; empty for very many classes."""
    if len(table) > MOST_IN_LINES:
        return []
    lines = []
    for row in table:
        figures = ", ".join(
            f"{key} {'none' if row[key] is None else format(row[key], '.4f')}"
            for key in ("precision", "recall", "f1")
        )
        lines.append(
            f"class {row['label']}: {figures}, rows {row['rows']}, called {row['predicted']}"
        )
    return lines
