"""How a file of rows is laid out, told by its first rows: encoding, delimiter, header."""

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

from ..errors import Problem, UserError
from ..preflight.survey import Thinning
from ..tasks.cells import Bad, cell_text
from ..tasks.messages import content_of
from ..tasks.tables import ENDINGS, Layout, Table
from ..tasks.tabular_labels import SEPARATOR
from .columns import Column, is_usual
from .encoding import encoding_of

SAMPLE, READ = 2000, 200_000
LINES = 100  # of a quoted text in the first row; behind them the quote is no quote
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
Item = TypeVar("Item")


def layout_of(file: Path) -> Layout:
    """Encoding, delimiter and header of a file, by its first rows."""
    kind = ENDINGS.get(file.suffix.lower())
    if kind == "parquet":
        return Layout()
    encoding = encoding_of(file)
    if kind == "jsonl":
        return Layout(encoding=encoding)
    # Bytes that are no text are told with their line where the rows are read.
    with file.open(encoding=encoding, newline="", errors="replace") as stream:
        first = _first_row(stream, quoted=kind == "csv")
    if re.fullmatch("sep=.", first.strip(), re.IGNORECASE):
        message = f"line 1 is {first.strip()!r}, which Excel writes for itself"
        raise UserError(
            Problem(str(file), message, "Remove this line.", code="draft.first-line-of-excel")
        )
    delimiter = None
    bare = _QUOTED.sub("", first) if kind == "csv" else first
    if kind is None or (kind == "csv" and bare.count(",") < max(bare.count(";"), bare.count("\t"))):
        delimiter = max(",;\t", key=bare.count)
        kind = kind or ("tsv" if delimiter == "\t" else "csv")
    sign = delimiter or ("," if kind == "csv" else "\t")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if kind == "csv" else csv.QUOTE_NONE
    fields = next(csv.reader(first.splitlines(True), delimiter=sign, quoting=quoting), [])
    shown = None if ENDINGS.get(file.suffix.lower()) == kind else kind
    plain = delimiter if delimiter and not (shown and sign in ",\t") else None
    numbered = tuple(f"column{n}" for n in range(1, len(fields) + 1))
    without = Layout(shown, numbered, plain, encoding)
    if _is_header(fields, sample(file, without)[1:]):
        return Layout(shown, None, plain, encoding)
    return without


def _first_row(stream: TextIO, *, quoted: bool) -> str:
    """The first line, or the lines of a first row whose quoted text goes on over several."""
    line = stream.readline().removeprefix("\ufeff")
    row = line
    for more in islice(stream, LINES) if quoted else ():
        if not row.count('"') % 2:
            return row.rstrip("\r\n")
        row += more
    whole = row if not row.count('"') % 2 else line
    return whole.rstrip("\r\n")


def _is_header(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Names stand in the first line: none is a number, none long, none comes back in its column."""
    held = [name for name in fields if name.strip()]
    twice = len(set(fields)) < len(fields) and sum(map(is_usual, set(held))) < 2
    if twice or not held or any(len(name) > 40 for name in fields):
        return False
    columns = [Column.of("", [row[n] for row in rows]) for n in range(len(fields))]
    if any(Column.of("", [name]).numeric for name in held):
        return False
    pairs = list(zip(fields, columns, strict=True))
    # pandas leaves the column of its row numbers without a name
    if any(not name.strip() and not column.numeric for name, column in pairs):
        return False
    return not any(name.strip() in column.values for name, column in pairs if name.strip())


def sample(file: Path, layout: Layout) -> list[list[str]]:
    """The cells of rows spread over the file, as text; malformed rows are passed over."""
    table = Table(file, layout)
    found = [
        [_as_text(cell) for cell in row.cells]
        for row in spread(table.rows(table.columns))
        if not isinstance(row.cells, Bad)
    ]
    if not found:
        kinds = ", ".join(sorted(ENDINGS))
        hint = f"Tables are files of rows: {kinds}. Or name the folder of a built-in task's files."
        raise UserError(
            Problem(
                str(file),
                "no row of it can be read as one of a table.",
                hint,
                code="draft.no-table",
            )
        )
    return found


def _as_text(cell: Any) -> str:
    """A cell as text; of a list of turns, messages or labels, its items with commas between them."""
    items = cell if isinstance(cell, list) else [cell]
    return SEPARATOR.join(_item_text(item) for item in items)


def _item_text(item: Any) -> str:
    found = content_of(item) if isinstance(item, dict) else cell_text(item)
    return found if isinstance(found, str) else ""


def spread(rows: Iterable[Item]) -> list[Item]:
    """Some 2,000 rows or a few more, evenly over the first 200,000."""
    thinned = Thinning(SAMPLE)
    for row in islice(rows, READ):
        if thinned.wants():
            thinned.keep(row)
    return thinned.kept
