"""Rows of a ``data`` block with other texts, in the form of their file: CSV, TSV, JSON lines, Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import Problem, UserError
from ..tasks.tables import Table, distinct
from ..tasks.tabular_files import layout_of
from ..tasks.tabular_keys import DataKeys
from .forms import Row, Writer
from .places import cut_pattern

BATCH = 1024  # rows of a Parquet file that are held back


def block_writer(stream: IO[bytes], keys: DataKeys, path: Path) -> Writer:
    """A writer in the form of a block's training file."""
    layout = layout_of(keys)
    kind = layout.format_of(path)
    if kind == "parquet":
        return ParquetRows(stream, keys, path)
    if kind == "jsonl":
        return ObjectLines(stream, keys)
    quoted = kind == "csv"
    table = Table(path, layout)
    delimiter = layout.delimiter or ("," if quoted else "\t")
    return Delimited(stream, keys, table.columns, delimiter, quoted=quoted)


def several_fault(keys: DataKeys, pattern: Path, files: Sequence[Path]) -> Problem | None:
    """What keeps the rows of several files from standing in one, or their pattern from passing it over.

    Raises:
        UserError: a file cannot be read.
    """
    _, rest = cut_pattern(pattern)
    if any(part.startswith(".") for part in rest):
        message = f"{pattern} reaches hidden names, so it would read the augmented rows too"
        hint = 'Give the files names without a dot in front, and name them by "*" or "**".'
        return Problem("data.train", message, hint, code="augment.pattern-reaches-rows")
    layout, first = layout_of(keys), files[0]
    for file in files[1:]:
        if layout.format_of(file) != layout.format_of(first):
            message = f"{first} and {file} differ in format, and the rows are written to one file"
            hint = "Name files of one format by the pattern, or write all rows in one."
            return Problem("data.train", message, hint, code="augment.formats-differ")
        if _columns(keys, file) != _columns(keys, first):
            message = (
                f"{first} and {file} differ in their columns, and the rows are written to one file"
            )
            hint = (
                "Give all files the same columns (Parquet: of the same types), or write JSON lines."
            )
            return Problem("data.train", message, hint, code="augment.columns-differ")
    return None


def text_fault(keys: DataKeys, file: Path) -> Problem | None:
    """Why a changed text cannot stand where the original's does: a Parquet column of numbers holds none."""
    if layout_of(keys).format_of(file) != "parquet":
        return None
    from pyarrow import parquet

    schema = parquet.ParquetFile(file).schema_arrow
    for name in filter(None, (*keys.texts, keys.text_pair)):
        kind = schema.field(name).type if name in schema.names else None
        if kind is not None and not _holds_text(kind):
            message = f"{file}: the column {name!r} is of type {kind}, which holds no changed text"
            hint = "Write the column as text (string)."
            return Problem("data.train", message, hint, code="augment.column-of-no-text")
    return None


def _holds_text(kind: Any) -> bool:
    """Whether a type of Arrow is text, or a list of texts or of messages."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        return types.is_struct(kind.value_type) or _holds_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _columns(keys: DataKeys, file: Path) -> Any:
    """What the rows of a file must share with those of others; None where each has its own keys."""
    kind = layout_of(keys).format_of(file)
    if kind == "parquet":
        from pyarrow import parquet

        return {field.name: field.type for field in parquet.ParquetFile(file).schema_arrow}
    if kind == "jsonl" or keys.columns is not None:
        return None
    return {*distinct(Table(file, layout_of(keys)).columns)}


def changed_cells(
    keys: DataKeys, row: Row, first: str | None, second: str | None
) -> dict[str, Any]:
    """The cells of a row with other texts; of several turns the last that has one is changed.

    A text that is empty, as one side of a pair may be, stays so.

    Raises:
        UserError: the text is a cell of messages, which are no plain text.
    """
    cells = dict(row.cells)
    if first:
        column = next(name for name in reversed(keys.texts) if _has_text(cells.get(name)))
        cells[column] = _with_last(cells[column], first, column)
    if second and keys.text_pair is not None:
        cells[keys.text_pair] = second
    return cells


def _has_text(cell: Any) -> bool:
    """Whether a cell gives a turn: an empty one is none, nor is a list of these."""
    return any(cell) if isinstance(cell, list) else cell not in (None, "")


def _with_last(cell: Any, text: str, column: str) -> Any:
    if isinstance(cell, list):
        last = max(n for n, turn in enumerate(cell) if turn)
        if isinstance(cell[last], str):
            return [text if n == last else turn for n, turn in enumerate(cell)]
        message = f"the column {column!r} holds messages, whose texts are not augmented"
        hint = "Write the turns as a list of texts."
        raise UserError(Problem("data.text", message, hint, code="augment.messages"))
    return text


class Delimited:
    """CSV with quotes where a cell needs them, or TSV without any."""

    def __init__(
        self,
        stream: IO[bytes],
        keys: DataKeys,
        columns: tuple[str, ...],
        delimiter: str,
        *,
        quoted: bool,
    ) -> None:
        self._stream, self._keys, self._columns = stream, keys, columns
        self._delimiter, self._quoted = delimiter, quoted
        if keys.columns is None:
            self._put(list(columns))

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        cells = changed_cells(self._keys, row, first, second)
        present = [cells[name] for name in distinct(self._columns) if cells[name] is not None]
        return self._put(present)

    def _put(self, fields: list[str]) -> bool:
        if self._quoted:
            alone = len(fields) == 1
            fields = [self._cell(field, alone=alone) for field in fields]
        try:
            line = (self._delimiter.join(fields) + "\n").encode(_plain(self._keys.encoding))
        except UnicodeEncodeError:
            return False
        self._stream.write(line)
        return True

    def _cell(self, text: str, *, alone: bool) -> str:
        special = any(sign in text for sign in (self._delimiter, '"', "\r", "\n"))
        if not special and (text or not alone):
            return text
        return '"' + text.replace('"', '""') + '"'

    def close(self) -> None:
        """Nothing is held back."""


def _plain(encoding: str) -> str:
    """An encoding that writes no byte order mark in front of each line."""
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(
        encoding, encoding
    )


class ObjectLines:
    """One JSON object a line, with whatever other keys it has."""

    def __init__(self, stream: IO[bytes], keys: DataKeys) -> None:
        self._stream, self._keys = stream, keys

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        cells = changed_cells(self._keys, row, first, second)
        try:
            line = json.dumps(cells, ensure_ascii=False).encode(_plain(self._keys.encoding))
        except UnicodeEncodeError:
            return False
        self._stream.write(line + "\n".encode(_plain(self._keys.encoding)))
        return True

    def close(self) -> None:
        """Nothing is held back."""


class ParquetRows:
    """A Parquet file of the original's columns and types."""

    def __init__(self, stream: IO[bytes], keys: DataKeys, path: Path) -> None:
        from pyarrow import parquet

        self._keys, self._held = keys, list[dict[str, Any]]()
        self._schema = parquet.ParquetFile(path).schema_arrow
        self._writer = parquet.ParquetWriter(stream, self._schema)

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        self._held.append(changed_cells(self._keys, row, first, second))
        if len(self._held) == BATCH:
            self._flush()
        return True

    def _flush(self) -> None:
        from pyarrow import RecordBatch

        if self._held:
            self._writer.write_batch(RecordBatch.from_pylist(self._held, schema=self._schema))
            self._held.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()
