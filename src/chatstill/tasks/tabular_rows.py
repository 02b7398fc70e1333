"""The cells of a row of a ``data`` block as an example."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Problem
from .base import Example
from .cells import Bad, cell_text
from .dialogues import DialogueTable
from .hub_data import HubTable
from .messages import Messages, are_messages
from .reading import shorten
from .tables import Table
from .tabular_keys import DataKeys
from .tabular_labels import LabelReader


class RowMaker:
    """The cells of a row, in the order of ``DataKeys.wanted``, to an example.

    Attributes:
        has_ids: Whether the table that is read has the column ``id``.
        taken: Rows before.
        file: The one that is read, where there are several.
    """

    def __init__(self, keys: DataKeys, read_label: LabelReader, split: str) -> None:
        at = {name: place for place, name in enumerate(keys.wanted)}
        self._texts = [(name, at[name]) for name in keys.texts]
        pair, group = keys.pair_column, keys.group_column
        self._pair = None if pair is None else (pair, at[pair])
        self._labels = [at[name] for name in keys.label_columns]
        self._group = None if group is None else at[group]
        self._id = None if keys.id is None else at[keys.id]
        self._read_label, self._split = read_label, split
        self.messages = Messages(keys.roles)
        self.has_ids = True
        self.taken = 0
        self.file = ""

    def __call__(self, number: int, line: int, cells: Any) -> Example | Bad:
        """The example of a row, the ``number``-th of its line from 0."""
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
            f"{self._split}-{self.taken + number}",
            line,
            turns[-1],
            text_b,
            label,
            group or None,
            tuple(turns[:-1]),
            self._name(cells),
            self.file,
        )

    def _name(self, cells: Any) -> str | None:
        if self._id is None or not self.has_ids:
            return None
        return (cell_text(cells[self._id]) or "").strip()

    def _turns(self, cells: Any) -> list[str] | Bad:
        """The turns of the first text, oldest first; of several columns the empty ones are left out."""
        turns: list[str] = []
        several = len(self._texts) > 1
        for name, place in self._texts:
            cell = cells[place]
            if are_messages(cell):
                cell = self.messages.turns(cell, name)
                if isinstance(cell, Bad):
                    return cell
            if isinstance(cell, list) and all(isinstance(turn, str) for turn in cell):
                turns += [turn for turn in cell if turn]
                continue
            text = cell_text(cell)
            if text is None and not (several and cell is None):
                return _no_text(name, cell)
            if text or not several:
                turns.append(text or "")
        return turns or [""]


def examples_of(
    table: Table | HubTable | DialogueTable, keys: DataKeys, spare: Sequence[str], make: RowMaker
) -> Iterator[tuple[int, list[Example] | Bad]]:
    """The number of each line, and its examples: of a dialogue all candidates, or what is wrong with one.

    They are numbered in the order in which they are taken.
    """
    lines: Iterator[tuple[int, Any]] = (
        table.dialogues(keys.wanted)
        if isinstance(table, DialogueTable)
        else ((line, cells) for line, cells in table.rows(keys.wanted, spare))
    )
    several = isinstance(table, DialogueTable)
    for line, cells in lines:
        if isinstance(cells, Bad):
            yield line, cells
            continue
        made = []
        for place, row in enumerate(cells if several else [cells]):
            example = make(place, line, row)
            if isinstance(example, Bad):
                where = f"candidate {place}" if several and not example.place else example.place
                yield line, replace(example, place=where)
                break
            made.append(example)
        else:
            yield line, made
            make.taken += len(made)


def told_of_texts_alone(table: Table | HubTable | DialogueTable) -> list[Problem]:
    """That each line of a file without column names was read as a text, or as the texts in this order."""
    if not isinstance(table, Table) or not table.first:
        return []
    names = " and ".join(f"'{name}'" for name in table.columns)
    message = f"names no columns: each line is read as {names}, the first is {shorten(table.first)}"
    hint = "If that line holds names, write those of the block in it."
    place = str(table.path)
    return [Problem(place, message, hint, severity="warning", code="data.texts-alone")]


def _no_text(column: str, cell: Any) -> Bad:
    found = "no value" if cell is None or cell != cell else f"a {type(cell).__name__}"
    return Bad(f"{found} in column {column!r}", "a text")
