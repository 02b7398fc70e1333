"""The cells of a row of a ``data`` block as an example."""

from typing import Any

from .base import Example
from .cells import Bad, cell_text
from .tabular_keys import DataKeys
from .tabular_labels import LabelReader


class RowMaker:
    """The cells of a row, in the order of ``DataKeys.wanted``, to an example."""

    def __init__(self, keys: DataKeys, read_label: LabelReader, split: str) -> None:
        at = {name: place for place, name in enumerate(keys.wanted)}
        self._texts = [(name, at[name]) for name in keys.texts]
        self._pair = None if keys.text_pair is None else (keys.text_pair, at[keys.text_pair])
        self._labels = [at[name] for name in keys.label_columns]
        self._group = None if keys.group is None else at[keys.group]
        self._read_label, self._split = read_label, split

    def __call__(self, number: int, line: int, cells: Any) -> Example | Bad:
        turns = self._turns(cells)
        if isinstance(turns, Bad):
            return turns
        text_b = None
        if self._pair is not None:
            name, place = self._pair
            text_b = cell_text(cells[place])
            if text_b is None:
                return _no_text(name, cells[place])
        label = None
        if self._labels:
            several = len(self._labels) > 1
            found = (
                self._read_label.of_columns([cells[place] for place in self._labels])
                if several
                else self._read_label(cells[self._labels[0]])
            )
            if isinstance(found, Bad):
                return found
            label = found
        group = None
        if self._group is not None:
            group = cell_text(cells[self._group])
            if not group and not self._read_label.optional:
                return Bad("no group", "a value in the group column")
        return Example(
            f"{self._split}-{number}",
            line,
            turns[-1],
            text_b,
            label,
            group or None,
            tuple(turns[:-1]),
        )

    def _turns(self, cells: Any) -> list[str] | Bad:
        """The turns of the first text, oldest first; of several columns the empty ones are left out."""
        turns: list[str] = []
        several = len(self._texts) > 1
        for name, place in self._texts:
            cell = cells[place]
            if isinstance(cell, list) and all(isinstance(turn, str) for turn in cell):
                turns += [turn for turn in cell if turn]
                continue
            text = cell_text(cell)
            if text is None and not (several and cell is None):
                return _no_text(name, cell)
            if text or not several:
                turns.append(text or "")
        return turns or [""]


def _no_text(column: str, cell: Any) -> Bad:
    found = "no value" if cell is None or cell != cell else f"a {type(cell).__name__}"
    return Bad(f"{found} in column {column!r}", "a text")
