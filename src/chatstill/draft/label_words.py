"""Columns that say the label once more: its name beside its number, or a class above it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .columns import Column


def told_by(labels: Sequence["Column"], others: Sequence["Column"]) -> list["Column"]:
    """Columns with one value for each label: as an input they would give the label away.

    Each label has one value of the column, of several in all, in all rows where both are filled. That
    says something only where labels come back with other words beside them: of a table in which every
    row has a label of its own, or which holds rows twice, nothing is told.

    Args:
        labels: The column of the label, or those of 0 and 1.
        others: The others.
    """
    cells = list(zip(*(column.cells for column in labels), strict=True))
    return [column for column in others if _is_told(cells, column, others)]


def _is_told(
    labels: Sequence[tuple[str, ...]], column: "Column", others: Sequence["Column"]
) -> bool:
    beside = [one.cells for one in others if one is not column and not one.technical]
    rows = {
        (label, *cells)
        for label, *cells in zip(labels, column.cells, *beside, strict=True)
        if all(label) and cells[0]
    }
    pairs = {(label, value) for label, value, *_ in rows}
    found = len({label for label, _ in pairs})
    again = len(rows) - found  # a label came back with the same value: twice or so is no chance
    one_each = len(pairs) == found and len({value for _, value in pairs}) > 1
    return one_each and again > 1 and 4 * again >= found


def words_of(label: "Column", names: "Column") -> Mapping[str, str]:
    """Label -> its value in a column that ``told_by`` gives."""
    cells = zip(label.cells, names.cells, strict=True)
    return {cell: name for cell, name in cells if cell and name}
