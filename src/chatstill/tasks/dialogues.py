"""Dialogues with candidate replies as rows: a row for each candidate, a group for each dialogue."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from .cells import Bad, Row, cell_text, kind_of
from .hub_data import HubTable
from .messages import ANSWERS, Messages, are_messages, content_of
from .reading import shorten
from .tables import Table
from .tabular_keys import CANDIDATE, DIALOGUE, LABEL, DataKeys

LIST = 'a list of candidates, such as ["a", "b"] or [{"content": "a", "label": 1}, …]'
_BEFORE = "The messages before the reply are its context: take the reply out of them."


class DialogueTable:
    """A file or split whose lines are dialogues; see ``tables.Table``.

    Args:
        table: The lines.
        keys: The block.
        numbers: Numbers the dialogues of all files of a split.
    """

    fixed = False

    def __init__(self, table: Table | HubTable, keys: DataKeys, numbers: "count[int]") -> None:
        self._table, self._keys, self._numbers = table, keys, numbers
        self.path, self.unit, self.columns = table.path, table.unit, table.columns
        self.messages = Messages(keys.roles)

    def rows(self, wanted: Sequence[str], spare: Sequence[str] = ()) -> Iterator[Row]:
        """The rows of all dialogues, one after another."""
        for number, found in self.dialogues(wanted):
            if isinstance(found, Bad):
                yield Row(number, found)
            else:
                yield from (Row(number, cells) for cells in found)

    def dialogues(self, wanted: Sequence[str]) -> Iterator[tuple[int, list[list[Any]] | Bad]]:
        """The number of each line, and the cells of its rows: all of them, or what is wrong with one."""
        keys = self._keys
        label = keys.label if isinstance(keys.label, str) else None
        named = (*keys.columns_of_dialogues, *([label] if label else []))
        for number, cells in self._table.rows(named):
            dialogue = next(self._numbers)
            if isinstance(cells, Bad):
                yield number, cells
                continue
            line = dict(zip(named, cells, strict=True))
            found = self._rows(line, number, labelled=LABEL in wanted)
            if isinstance(found, Bad):
                yield number, found
                continue
            for row in found:
                row[DIALOGUE] = f"d{dialogue}"
            yield number, [[row.get(name) for name in wanted] for row in found]

    def _rows(
        self, line: dict[str, Any], number: int, *, labelled: bool
    ) -> list[dict[str, Any]] | Bad:
        shared = self._texts(line)
        if isinstance(shared, Bad):
            return shared
        found = self._candidates(line)
        if isinstance(found, Bad):
            return found
        texts, raw = found
        turns = shared[self._keys.texts[-1]]
        if self.messages.last_role in ANSWERS and isinstance(turns, list):
            if (last := turns[-1]) in texts:
                what = (
                    f"candidate {texts.index(last)} of {len(texts)} again: it is the last message"
                )
                return Bad(what, "the messages before the reply", _BEFORE, self._keys.texts[-1])
            self.messages.ends_with_answer(number)
        labels = self._labels(line, texts, raw) if labelled else [None] * len(texts)
        if isinstance(labels, Bad):
            return labels
        rows = [
            {**shared, CANDIDATE: text, LABEL: label}
            for text, label in zip(texts, labels, strict=True)
        ]
        if self._keys.id is not None and (name := cell_text(line[self._keys.id])):
            for place, row in enumerate(rows):
                row[self._keys.id] = f"{name}/{place}"
        return rows

    def _texts(self, line: dict[str, Any]) -> dict[str, Any] | Bad:
        """The cells of the texts, messages as turns."""
        shared = {}
        self.messages.last_role = ""
        for name in self._keys.texts:
            cell = line[name]
            if are_messages(cell) or cell == []:
                cell = self.messages.turns(cell, name)
                if isinstance(cell, Bad):
                    return cell
            elif isinstance(cell, dict):
                return Bad("one object", 'a list of messages, or a text, in "text"', "", name)
            shared[name] = cell
        return shared

    def _candidates(self, line: dict[str, Any]) -> tuple[list[str], list[Any]] | Bad:
        """Texts of the candidates, and the candidates as they stand there."""
        keys = self._keys
        cell = None if keys.candidates is None else line[keys.candidates]
        if cell is not None or keys.rejected is None:
            column = str(keys.candidates)
            if cell is None:
                return Bad(f"no value in column {column!r}", LIST)
            if not isinstance(cell, list) or not cell:
                what = "an empty list" if cell == [] else kind_of(cell)
                return Bad(what, LIST, "", column)
            places = [f"{column}[{number}]" for number in range(len(cell))]
            return _texts_of(cell, places)
        if line[str(keys.chosen)] is None:
            return Bad(f"no value in column {keys.chosen!r}", "the text of the candidate chosen")
        rejected = line[keys.rejected]
        several = list(rejected) if isinstance(rejected, list) else [rejected]
        if rejected is None or not several:
            return Bad(f"no value in column {keys.rejected!r}", "the texts that were not chosen")
        listed = isinstance(rejected, list)
        places = [f"{keys.rejected}[{n}]" if listed else keys.rejected for n in range(len(several))]
        return _texts_of([line[str(keys.chosen)], *several], [str(keys.chosen), *places])

    def _labels(
        self, line: dict[str, Any], texts: Sequence[str], raw: Sequence[Any]
    ) -> list[Any] | Bad:
        """A label for each candidate; None for none."""
        keys = self._keys
        if keys.chosen is not None:
            if keys.candidates is None or line[keys.candidates] is None:
                return [1, *[0] * (len(texts) - 1)]
            place = _chosen(line[keys.chosen], texts, keys.chosen)
            if isinstance(place, Bad):
                return place
            if place is None:
                return [None] * len(texts)
            return [int(number == place) for number in range(len(texts))]
        name = str(keys.label)
        inside = [item.get(name) if isinstance(item, dict) else None for item in raw]
        beside = line[name]
        if beside is None:
            return inside
        if any(label is not None for label in inside):
            return Bad(f"{name!r} in the line and in its candidates", "labels in one of the two")
        if not isinstance(beside, list) or len(beside) != len(texts):
            what = (
                f"{len(beside)} labels"
                if isinstance(beside, list)
                else f"a {type(beside).__name__}"
            )
            return Bad(what, f"a list of {len(texts)} labels, one for each candidate", "", name)
        return beside


def _texts_of(items: Sequence[Any], places: Sequence[str]) -> tuple[list[str], list[Any]] | Bad:
    texts = []
    for item, place in zip(items, places, strict=True):
        text = _text_of(item)
        if isinstance(text, Bad):
            return Bad(text.found, text.expected, text.hint, place)
        texts.append(text)
    return texts, list(items)


def _text_of(item: Any) -> str | Bad:
    """A candidate as text: itself, its content, or that of a list of one message."""
    expected = 'a text or {"content": "…"}'
    if isinstance(item, list):
        if len(item) != 1:
            hint = "The messages before the reply belong into the column of the text."
            return Bad(f"a list of {len(item)} messages", "one reply", hint)
        item = item[0]
    if isinstance(item, dict):
        found = content_of(item)
        if found is None:
            keys = ", ".join(str(key) for key in item) or "nothing"
            return Bad(f"no content (it holds {keys})", expected)
        return found
    return item if isinstance(item, str) else Bad(kind_of(item), expected)


def _chosen(cell: Any, texts: Sequence[str], column: str) -> int | Bad | None:
    """The number of the candidate that a cell names: by its number from 0, or by its text."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    expected = f"a number from 0 to {len(texts) - 1}, or the text of one of the candidates"
    if isinstance(cell, list) and len(cell) != 1:
        hint = 'Several right ones: a label for each candidate, and "label" in place of "chosen".'
        return Bad(f"a list of {len(cell)}", "one candidate", hint, column)
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | str | list | dict):
        return Bad(f"{cell!r}", expected, "", column)
    if isinstance(cell, int):
        found = f"the number {cell}"
        return cell if 0 <= cell < len(texts) else Bad(found, expected, "Counted from 0.", column)
    text = _text_of(cell)
    if isinstance(text, Bad):
        return Bad(text.found, expected, text.hint, column)
    places = [number for number, one in enumerate(texts) if one == text]
    if len(places) == 1:
        return places[0]
    if places:
        what = f"{shorten(text)}, which candidates {places[0]} and {places[1]} both say"
        return Bad(what, "a text that one candidate has, or its number from 0", "", column)
    return Bad(f"{shorten(text)}, which no candidate says", expected, "", column)
