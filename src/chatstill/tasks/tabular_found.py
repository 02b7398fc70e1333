"""What the label column of a ``data`` block's rows says itself: the names in it, and their form."""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import Problem, UserError
from .cells import Bad, cell_text
from .hub_data import HubTable
from .label_cells import as_number, label_parts, lone, vector_of
from .tabular_files import files_of, split_path, tables
from .tabular_keys import DataKeys

MOST_CLASSES = 10_000
ALL = ("train", "dev", "test")  # a network may be scored where only test rows are
INTEGER = re.compile(r"-?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Found(NamedTuple):
    """The labels that stand in a column.

    Attributes:
        names: In order (``in_order``); of a data set as it counts them.
        width: Places of the cells, where all of them are vectors of 0 and 1 of one length; else 0.
        odd: A cell that holds no label of any form, as text; empty if there is none.
    """

    names: tuple[str, ...] = ()
    width: int = 0
    odd: str = ""


def found_in_rows(keys: DataKeys, splits: Sequence[str] = ("train", "dev")) -> Found:
    """The labels of the training rows; of the dev rows where training rows have none.

    Args:
        keys: The block.
        splits: Where to look, the first that has labels counts.

    Raises:
        UserError: the rows hold too many different labels, or none of them can be read.
    """
    found = Found()
    for split in splits:
        path = split_path(keys, split)
        if path is None or (keys.dataset is None and not files_of(path)):
            continue
        files = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files_of(path))
        found = _found(keys.model_dump_json(exclude={"note"}), split, files)
        if found.names:
            break
    return found


def starts_with_vector(keys: DataKeys) -> bool:
    """Whether the first label of the rows is a vector of 0 and 1: then all are to be looked at."""
    for split in ALL:
        path = split_path(keys, split)
        if path is None or (keys.dataset is None and not files_of(path)):
            continue
        for table in tables(keys, path):
            for row in table.rows(keys.label_columns):
                if not isinstance(row.cells, Bad) and row.cells[0] not in (None, ""):
                    return vector_of(row.cells[0]) is not None
    return False


class _Column:
    """Gathers what the cells of a label column hold."""

    def __init__(self, keys: DataKeys) -> None:
        self.multi_label = keys.kind == "multi_label"
        self.seen: set[str] = set()
        self.widths: set[int] = set()
        self.odd = ""
        self.name = keys.label_columns[0]

    def take(self, cell: Any) -> None:
        cell = cell if self.multi_label else lone(cell)
        if self.multi_label:
            if cell not in (None, ""):  # a row without a label says nothing of the form
                self.widths.add(len(vector_of(cell) or ()))
            self.seen.update(label_parts(cell))
            return
        text = cell_text(cell)
        if text is None and cell is not None and cell == cell and not self.odd:
            self.odd = f"a {type(cell).__name__}" if not isinstance(cell, list) else _listed(cell)
        self.seen.add((text or "").strip())


def _listed(cell: list[Any]) -> str:
    return f"a list of {len(cell)}"


@functools.lru_cache(maxsize=4)
def _found(keys_json: str, split: str, files: tuple[tuple[str, int, int], ...]) -> Found:
    """The labels in the rows of a split.

    ``files`` (name, time, size) makes a changed file a new question.
    """
    keys = DataKeys.model_validate_json(keys_json)
    path = split_path(keys, split)
    assert path is not None
    column: _Column | None = None
    readable, first_bad = False, None
    for table in tables(keys, path):
        column = column or _Column(keys)
        if isinstance(table, HubTable) and (names := table.class_names(column.name)):
            return Found(names)
        # With a text beside it a header line between rows is told from a label.
        for row in table.rows((*keys.label_columns[:1], *keys.texts[:1])):
            if isinstance(row.cells, Bad):
                first_bad = first_bad or row.cells.problem(
                    f"{table.path}: {table.unit} {row.number}"
                )
                continue
            readable = True
            column.take(row.cells[0])
            if len(column.seen) > MOST_CLASSES:
                message = (
                    f"column {column.name!r} holds more than {MOST_CLASSES:,} different labels"
                )
                hint = 'If they are numbers: "kind": "regression".'
                raise UserError(
                    Problem(str(table.path), message, hint, code="data.too-many-labels")
                )
    if first_bad and not readable:  # no label stands anywhere, because no row can be read
        raise UserError(first_bad)
    return _told(column) if column is not None else Found()


def _told(column: _Column) -> Found:
    seen = column.seen - {""}
    widths = column.widths
    width = next(iter(widths)) if len(widths) == 1 else 0
    return Found(in_order(seen), width, column.odd)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the order in which a block counts them: numbers by their value, else as text.

    Whole numbers have no point, whatever they were written with; beside other names those that stand there
    without one too. Of names with one value (``1``, ``01``) the order is that of the text.
    """
    written = set(names)
    plain = {as_number(name) for name in written}
    if all(map(INTEGER.fullmatch, plain)):
        return tuple(sorted(sorted(plain), key=int))
    found = sorted(n for n in written if as_number(n) == n or as_number(n) not in written)
    return tuple(sorted(found, key=float) if all(map(NUMBER.fullmatch, found)) else found)
