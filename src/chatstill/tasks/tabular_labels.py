"""Labels of a ``data`` block: the cells of its label column as class indices, sets, numbers or grades."""

import difflib
import functools
import math
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from .base import Labels
from .cells import Bad, cell_text
from .hub_data import HubTable
from .reading import shorten
from .tabular_files import files_of, split_path, tables
from .tabular_keys import DataKeys

MOST_CLASSES = 10_000
SEPARATOR, WIDE = ",", "，"  # rows typed in Chinese have the full-width one
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class LabelReader:
    """Cells to labels.

    Args:
        labels: The label space.
        optional: Whether a row may lack its label.
    """

    def __init__(self, labels: Labels, *, optional: bool) -> None:
        self.labels = labels
        self.optional = optional
        self._index = {name: number for number, name in enumerate(labels.names)}
        if not any(_INTEGER.fullmatch(name) for name in labels.names):  # files may hold the indices
            self._index |= {str(n): self._index[name] for n, name in enumerate(labels.numbered)}

    def __call__(self, cell: Any) -> float | int | tuple[int, ...] | Bad | None:
        """The label of a cell, None where there is none and need not be."""
        if self.labels.kind == "multi_label":
            return self._set(cell)
        text = (cell_text(cell) or "").strip()
        if not text:
            if self.optional and (cell is None or isinstance(cell, str | float)):
                return None
            return Bad(
                "no label" if cell in (None, "") else f"the label {cell!r}"[:60], self._wanted()
            )
        if self.labels.kind == "regression":
            value = float(text) if _NUMBER.fullmatch(text) else math.nan
            return value if math.isfinite(value) else Bad(f"the label {shorten(text)}", "a number")
        found = self._index.get(text)
        if found is None and text == "-1" and self.optional:
            return None
        return self._unknown(text) if found is None else found

    def _set(self, cell: Any) -> tuple[int, ...] | Bad | None:
        if cell is None:
            return None if self.optional else Bad("no label", self._wanted())
        found = set()
        for text in label_parts(cell, self._index):
            if text not in self._index:
                return self._unknown(text)
            found.add(self._index[text])
        return tuple(sorted(found))

    def _unknown(self, text: str) -> Bad:
        near = difflib.get_close_matches(text, self.labels.names, n=1)
        guess = f"Did you mean {near[0]!r}?" if near else ""
        return Bad(f"the label {shorten(text)}", self._wanted(), guess)

    def _wanted(self) -> str:
        if self.labels.kind == "regression":
            return "a number"
        names = ", ".join(self.labels.names[:8]) + (", ..." if len(self.labels.names) > 8 else "")
        return f"labels of: {names}" if self.labels.kind == "multi_label" else f"one of: {names}"


def label_parts(cell: Any, known: Container[str] = ()) -> list[str]:
    """The labels of a multi-label cell: a list's items, or what stands between commas of either width.

    Args:
        cell: As it was read.
        known: Names; one that holds a full-width comma stays whole.
    """
    if isinstance(cell, list):
        parts = [cell_text(item) or "" for item in cell]
    else:
        halves = (cell_text(cell) or "").split(SEPARATOR)
        parts = [p for h in halves for p in ([h] if h.strip() in known else h.split(WIDE))]
    return [part.strip() for part in parts if part.strip()]


def labels_of(keys: DataKeys) -> Labels:
    """The label space: what the block lists, else what stands in the training rows.

    Raises:
        UserError: neither tells, or the training rows hold too many different labels.
    """
    if keys.kind == "regression":
        return Labels("regression")
    kind = "multi_label" if keys.kind == "multi_label" else "classification"
    names = listed_names(keys)
    if names is None:
        names = _found_in_rows(keys)
        if len(names) < (1 if kind == "multi_label" else 2):
            found = f"only {names[0]!r} stands" if names else "no label stands"
            message = f"names no classes, and {found} in the rows to take them from"
            raise UserError(Problem("data.labels", message, 'For example: "labels": ["no", "yes"]'))
    counted = names == tuple(str(number) for number in range(len(names)))
    settled = counted or keys.labels is not None
    return Labels(kind, names, settled=settled, key="data.labels")  # type: ignore[arg-type]


def _found_in_rows(keys: DataKeys) -> tuple[str, ...]:
    """The names in the training rows; in the dev rows where training rows have no labels."""
    for split in ("train", "dev"):
        path = split_path(keys, split)
        if path is None or (keys.dataset is None and not files_of(path)):
            continue
        files = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files_of(path))
        names = _found_names(keys.model_dump_json(exclude={"note"}), split, files)
        if names:
            return names
    return ()


def listed_names(keys: DataKeys) -> tuple[str, ...] | None:
    """The names that the block lists, itself or in a file; None if it lists none.

    Raises:
        UserError: the file can't be read, or holds none.
    """
    if isinstance(keys.labels, str):
        try:
            text = Path(keys.labels).read_text(encoding=keys.encoding)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                Problem("data.labels", f"{keys.labels} can't be read: {reason}")
            ) from None
        lines = [line.strip() for line in text.removeprefix("\ufeff").split("\n")]
        return tuple(line for line in lines if line)
    return None if keys.labels is None else tuple(str(name).strip() for name in keys.labels)


@functools.lru_cache(maxsize=4)
def _found_names(
    keys_json: str, split: str, files: tuple[tuple[str, int, int], ...]
) -> tuple[str, ...]:
    """The labels in the rows of a split: whole numbers in their order, else sorted as text.

    ``files`` (name, time, size) makes a changed file a new question.
    """
    keys = DataKeys.model_validate_json(keys_json)
    path = split_path(keys, split)
    assert path is not None and keys.label is not None
    seen: set[str] = set()
    readable, first_bad = False, ("", Bad("", ""))
    for table in tables(keys, path):
        if isinstance(table, HubTable) and (names := table.class_names(keys.label)):
            return names
        for row in table.rows((keys.label,)):
            if isinstance(row.cells, Bad):
                first_bad = (
                    first_bad
                    if first_bad[0]
                    else (f"{table.path}: {table.unit} {row.number}", row.cells)
                )
                continue
            readable = True
            cell = row.cells[0]
            if keys.kind == "multi_label":
                seen.update(label_parts(cell))
            else:
                seen.add((cell_text(cell) or "").strip())
            if len(seen) > MOST_CLASSES:
                message = f"column {keys.label!r} holds more than {MOST_CLASSES:,} different labels"
                hint = 'If they are numbers: "kind": "regression".'
                raise UserError(Problem(str(table.path), message, hint))
    place, bad = first_bad
    if place and not readable:  # no label stands anywhere, because no row can be read
        raise UserError(Problem(place, f"found {bad.found}, expected {bad.expected}", bad.hint))
    seen.discard("")
    if all(_INTEGER.fullmatch(name) for name in seen):
        return tuple(sorted(seen, key=int))
    return tuple(sorted(seen))
