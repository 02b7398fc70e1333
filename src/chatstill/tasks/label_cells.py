"""Cells of a label column in the forms that tools write: lists, texts that are lists, vectors of 0 and 1."""

import ast
import json
import re
from collections.abc import Container, Sequence
from typing import Any

from .cells import cell_text

SEPARATOR, WIDE = ",", "，"  # rows typed in Chinese have the full-width one
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
LONGEST = 100_000  # characters of a text that is looked at as a list


def as_list(cell: Any) -> list[Any] | None:
    """The list in a cell, or in the cell's text as JSON or Python writes it; None for any other cell."""
    if isinstance(cell, list | tuple):
        return list(cell)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")) or len(text) > LONGEST:
        return None
    for read in (json.loads, ast.literal_eval):  # the second one knows literals alone, no code
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def as_number(text: str) -> str:
    """A whole number without its point: ``1.0``, which tools write where a column has gaps, is ``1``."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else text


def lone(cell: Any) -> Any:
    """The item of a list of one (annotation tools write a class so); any other cell unchanged."""
    items = as_list(cell)
    return items[0] if items is not None and len(items) == 1 else cell


def label_parts(cell: Any, known: Container[str] = ()) -> list[str]:
    """The labels of a multi-label cell: a list's items, or what stands between commas of either width.

    Args:
        cell: As it was read.
        known: Names; one that holds a full-width comma stays whole.
    """
    items = as_list(cell)
    if items is not None and not (isinstance(cell, str) and cell.strip() in known):
        parts = [cell_text(item) or "" for item in items]
    else:
        halves = (cell_text(cell) or "").split(SEPARATOR)
        parts = [p for h in halves for p in ([h] if h.strip() in known else h.split(WIDE))]
    return [part.strip() for part in parts if part.strip()]


def vector_of(cell: Any) -> tuple[int, ...] | None:
    """The places of a cell of 0 and 1 throughout, two at least; None for any other cell."""
    flags = tuple(_FLAGS.get(part.lower(), -1) for part in label_parts(cell))
    return flags if len(flags) > 1 and -1 not in flags else None


def flag_of(cell: Any) -> int | None:
    """0 or 1 of a cell of a column that stands for one label; None for any other cell."""
    return _FLAGS.get((cell_text(lone(cell)) or "").strip().lower())


def applies(flags: Sequence[int]) -> tuple[int, ...]:
    """The places that hold a 1."""
    return tuple(place for place, flag in enumerate(flags) if flag)


_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
