"""Rows of CSV, TSV, JSON lines and Parquet files, streamed: the cells of the columns asked for."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ..disk.json_file import JsonFault, parse_json
from ..errors import Problem, UserError
from .cells import (
    HEADER_AGAIN,
    Bad,
    Row,
    csv_fault,
    no_header,
    places,
    repeats_header,
    texts_alone,
    why_not_alone,
)
from .parquet_table import ParquetTable
from .reading import LONGEST_LINE, shorten, show
from .table_lines import Lines, Undecodable

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True)
class Layout:
    """How files are read.

    Attributes:
        format: ``csv``, ``tsv``, ``jsonl``, ``parquet``; None goes by the ending.
        columns: Column names of files without a header line.
        delimiter: Between fields; None goes by the format.
        encoding: Of text files.
        texts: Columns of a .txt file whose first line names none of them: the texts alone.
    """

    format: str | None = None
    columns: tuple[str, ...] | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    texts: tuple[str, ...] = ()

    def format_of(self, path: Path) -> str | None:
        """The format of one file, None where neither the ending nor ``format`` tells."""
        return self.format or ENDINGS.get(path.suffix.lower())


class Table:
    """One file: its column names, and its rows once.

    Attributes:
        path: The file.
        columns: Names in file order; of JSON lines the keys of the first row.
        unit: What a row's number counts: ``line`` or ``row``.
        fixed: Whether every row has the same columns; a JSON object may have others.
        first: The first line of a file that is taken to hold the texts alone, else empty.
        no_texts: Where it could have been, but was not: why, and what to do.

    Raises:
        UserError: the file can't be read, its format is not known, or it holds no rows.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.unit = "line"
        self.fixed = True
        found = layout.format_of(path)
        if found is None:
            hint = 'Name it: "format": "csv", "tsv", "jsonl" or "parquet".'
            message = f"the ending {path.suffix or 'of the file'} tells no format"
            raise UserError(Problem(str(path), message, hint, code="data.format-not-told"))
        if found == "parquet":
            self.unit = "row"
            self._source: _Delimited | _JsonLines | ParquetTable = ParquetTable(path)
        elif found == "jsonl":
            self.fixed = False
            self._source = _JsonLines(path, layout.encoding)
        else:
            self._source = _Delimited(path, layout, quoted=found == "csv")
        self.columns: tuple[str, ...] = self._source.columns
        delimited = self._source if isinstance(self._source, _Delimited) else None
        self.first, self.no_texts = (delimited.first, delimited.no_texts) if delimited else ("", "")

    def rows(self, wanted: Sequence[str], spare: Sequence[str] = ()) -> Iterator[Row]:
        """The rows of the file; a column that is not there has None in every row.

        Args:
            wanted: Columns whose cells are given, in this order.
            spare: Columns that a file without a header line may leave out.
        """
        if isinstance(self._source, _Delimited):
            return self._source.rows(wanted, spare)
        return map(partial(no_header, wanted), self._source.rows(wanted))

    def records(self, spare: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and all cells of each row by ``distinct`` column; rows that can't be taken pass."""
        if isinstance(self._source, _JsonLines):
            yield from self._source.objects()
            return
        for number, cells in self.rows(self.columns, spare):
            if not isinstance(cells, Bad):
                yield number, dict(zip(distinct(self.columns), cells, strict=True))


def distinct(columns: Sequence[str]) -> list[str]:
    """The columns' names; one that stood before (several may have none) has its place behind it."""
    return [
        f"{name}\0{place}" if name in columns[:place] else name
        for place, name in enumerate(columns)
    ]


class _Delimited:
    """CSV with quotes as RFC 4180 has them, or TSV, in which quotes are text."""

    def __init__(self, path: Path, layout: Layout, *, quoted: bool) -> None:
        csv.field_size_limit(LONGEST_LINE)
        self._lines = Lines(path, layout.encoding)
        self._delimiter = layout.delimiter or ("," if quoted else "\t")
        self._quoted = quoted
        self._reader: Iterator[list[str]] = map(self._split, self._lines)
        if quoted:
            self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        self._encoding = layout.encoding
        self._header = layout.columns is None
        self._rows, self.first, self.no_texts = self._fields(), "", ""
        if layout.columns is not None:
            self.columns = layout.columns
            return
        number, header = next(self._rows, (0, Bad("", "")))
        if not number:
            raise UserError(Problem(str(path), "the file holds no rows", code="data.no-rows"))
        if isinstance(header, Bad):
            place = f"{path}: line {number}"
            message = f"found {header.found}, expected {header.expected}"
            raise UserError(Problem(place, message, header.hint, code="data.malformed-row"))
        self.columns = tuple(name.strip() for name in header)
        if not quoted and texts_alone(path, self.columns, layout.texts):
            self.first, self.columns = self._delimiter.join(header), layout.texts
            self._rows = chain([(number, header)], self._rows)
        elif not quoted:
            self.no_texts = why_not_alone(path, self.columns, layout.texts)

    def rows(self, wanted: Sequence[str], spare: Sequence[str]) -> Iterator[Row]:
        columns = self.columns
        first = next(rows := self._rows, None)
        without = tuple(name for name in columns if name not in spare)
        if not self._header and first is not None and _width(first[1]) == len(without):
            columns = without
        at = places(wanted, columns)
        width = len(columns)
        expected = f"{width} fields ({', '.join(columns)})"
        for number, fields in chain([] if first is None else [first], rows):
            if isinstance(fields, Bad):
                yield Row(number, fields)
            elif len(fields) != width:
                yield Row(number, Bad(show(fields), expected, self._hint(fields)))
            elif repeats_header(fields, columns):
                yield Row(number, HEADER_AGAIN)
            else:
                yield Row(number, [None if place is None else fields[place] for place in at])

    def _fields(self) -> Iterator[tuple[int, list[str] | Bad]]:
        """(line in which the row begins, its fields or what is wrong); empty lines at the end pass."""
        empty: list[int] = []
        while True:
            begins = self._lines.number + 1
            try:
                fields: list[str] | Bad = next(self._reader)
            except StopIteration:
                return
            except Undecodable as error:
                begins, fields = self._lines.number, _not_text(error, self._encoding)
            except csv.Error as error:
                fields = csv_fault(str(error))
            if not fields:
                empty.append(begins)
                continue
            for line in empty:
                yield line, Bad("an empty line", "a row in every line")
            empty.clear()
            yield begins, fields

    def _split(self, line: str) -> list[str]:
        """The fields of a line without quoting; a lone \\r is text, as ``csv`` would not have it."""
        line = line.removesuffix("\n").removesuffix("\r")
        return line.split(self._delimiter) if line else []

    def _hint(self, fields: list[str]) -> str:
        if len(fields) > 1:
            return "A field that holds the delimiter stands in quotes." if self._quoted else ""
        others = [sign for sign in ",\t;|" if sign != self._delimiter and sign in fields[0]]
        return f'Set "delimiter": {json.dumps(others[0])}.' if others else ""


def _width(fields: list[str] | Bad) -> int:
    return -1 if isinstance(fields, Bad) else len(fields)


class _JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._lines = Lines(path, encoding)
        self._encoding = encoding
        self._first = next(self._objects(), None)
        if self._first is None:
            raise UserError(Problem(str(path), "the file holds no rows", code="data.no-rows"))
        number, first = self._first
        self.columns: tuple[str, ...] = ()
        if isinstance(first, dict):
            self.columns = tuple(str(name) for name in first)
        elif first.found.startswith("a list"):
            place = f"{path}: line {number}"
            message = f"found {first.found}, expected {first.expected}"
            raise UserError(Problem(place, message, first.hint, code="data.malformed-row"))

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        if self._first is not None:
            yield self._row(*self._first, wanted)
        for number, found in self._objects():
            yield self._row(number, found, wanted)

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line and object of each row, whatever keys it has."""
        for number, found in chain([self._first] if self._first else [], self._objects()):
            if not isinstance(found, Bad):
                yield number, found

    def _row(self, number: int, found: dict[str, Any] | Bad, wanted: Sequence[str]) -> Row:
        return Row(number, found if isinstance(found, Bad) else [found.get(n) for n in wanted])

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | Bad]]:
        empty: list[int] = []
        while True:
            try:
                line = next(self._lines)
            except StopIteration:
                return
            except Undecodable as error:
                yield self._lines.number, _not_text(error, self._encoding)
                continue
            if not line.strip():
                empty.append(self._lines.number)
                continue
            for number in empty:
                yield number, Bad("an empty line", "a JSON object in every line")
            empty.clear()
            yield self._lines.number, _json_object(line)


def _json_object(line: str) -> dict[str, Any] | Bad:
    expected = 'one JSON object, such as {"text": "hello", "label": "yes"}'
    try:
        value = parse_json(line, finite=False)
    except JsonFault as error:
        if line.lstrip().startswith("["):
            return Bad("a list that goes on over lines", expected, _FROM_LIST)
        return Bad(f"{shorten(line.strip())} ({error})", expected)
    if not isinstance(value, dict):
        return Bad(f"a {type(value).__name__}", expected, _FROM_LIST if value else "")
    if "\\u" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return Bad("half of a sign (a lone \\ud800 … \\udfff)", "whole signs")
    return value


_FROM_LIST = "One object a line, for example by: jq -c '.[]' old.json > new.jsonl"


def _not_text(error: Undecodable, encoding: str) -> Bad:
    hint = 'If it is text: set "encoding" to that of the file.' if encoding == "utf-8" else ""
    if error.gb18030:
        hint = 'Set "encoding": "gb18030".'
    if error.utf8:
        hint = 'The line is UTF-8 text: leave "encoding" out.'
    elif error.offset < 2 and error.shown.startswith(("ff fe", "fe ff")):
        hint = 'Set "encoding": "utf-16".'
    elif error.shown.startswith("8b") and error.offset == 1:
        hint = "This looks like a gzip file: unpack it first."
    found = f"bytes that are no {encoding} text ({error.shown}, offset {error.offset})"
    return Bad(found, f"{encoding} text", hint)
