"""Rows and cells of a table, whatever kind of file they come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Bad:
    """A row that can't be taken: what was found, what was expected, what to do about it."""

    found: str
    expected: str
    hint: str = ""


class Row(NamedTuple):
    """The number of a row (``Table.unit``, from 1) and its cells in the order asked, or what is wrong."""

    number: int
    cells: Sequence[Any] | Bad


def cell_text(cell: Any) -> str | None:
    """A cell as text: numbers as they are written, whole ones without a point; None for no value."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell) if isinstance(cell, int) else None
