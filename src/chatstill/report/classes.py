"""Figures class by class and the confusion matrix, as the page shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST_SQUARES = 25  # classes of a matrix that can be read
MOST_PAIRS = 10


def class_figures(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of the section; empty where ``metrics.json`` has no classes, as those of older versions.

    Args:
        judged: ``dev`` of ``metrics.json``.
    """
    table = judged.get("classes") or []
    if not table:
        return {}
    counts = judged.get("confusion") or []
    names = [str(row["label"]) for row in table]
    return {
        "wide": len(counts) > 6,  # below the table, not beside it
        "rows": [_cells(row) for row in table],
        "matrix": _matrix(names, counts) if 1 < len(counts) <= MOST_SQUARES else [],
        "taken": _taken(names, counts) if len(counts) > 2 else [],
    }


def _cells(row: Mapping[str, Any]) -> list[str]:
    shares = [
        "–" if row[key] is None else f"{row[key]:.3f}" for key in ("precision", "recall", "f1")
    ]
    return [str(row["label"]), *shares, f"{row['rows']:,}", f"{row['predicted']:,}"]


def _matrix(
    names: Sequence[str], counts: Sequence[Sequence[int]]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Rows of (count, share of the rows of its label), by which a square is coloured."""
    return [
        (name, [(f"{count:,}", f"{count / max(sum(row), 1):.3f}") for count in row])
        for name, row in zip(names, counts, strict=True)
    ]


def _taken(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[int, str, str]]:
    """The classes that are taken for another one most often."""
    wrong = [
        (count, names[at], names[taken])
        for at, row in enumerate(counts)
        for taken, count in enumerate(row)
        if at != taken and count
    ]
    return sorted(wrong, key=lambda item: -item[0])[:MOST_PAIRS]
