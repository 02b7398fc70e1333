"""How a file of rows is laid out, told by its first rows: encoding, delimiter, header."""

import csv
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Problem, UserError
from ..preflight.survey import Thinning
from ..tasks.cells import Bad, cell_text
from ..tasks.messages import content_of
from ..tasks.tables import ENDINGS, Layout, Table
from ..tasks.tabular_labels import SEPARATOR
from .columns import Column

SAMPLE, READ = 2000, 200_000
ENCODINGS = ("utf-8", "gb18030")
Item = TypeVar("Item")


def layout_of(file: Path) -> Layout:
    """Encoding, delimiter and header of a file, by its first rows."""
    kind = ENDINGS.get(file.suffix.lower())
    if kind == "parquet":
        return Layout()
    encoding = _encoding(file)
    if kind == "jsonl":
        return Layout(encoding=encoding)
    with file.open(encoding=encoding, newline="") as stream:
        first = stream.readline().removeprefix("\ufeff").rstrip("\r\n")
    delimiter = None
    if kind is None or (
        kind == "csv" and first.count(",") < max(first.count(";"), first.count("\t"))
    ):
        delimiter = max(",;\t", key=first.count)
        kind = kind or ("tsv" if delimiter == "\t" else "csv")
    sign = delimiter or ("," if kind == "csv" else "\t")
    fields = next(csv.reader([first], delimiter=sign, quoting=0 if kind == "csv" else 3), [])
    shown = None if ENDINGS.get(file.suffix.lower()) == kind else kind
    plain = delimiter if delimiter and not (shown and sign in ",\t") else None
    numbered = tuple(f"column{n}" for n in range(1, len(fields) + 1))
    without = Layout(shown, numbered, plain, encoding)
    if _is_header(fields, sample(file, without)[1:]):
        return Layout(shown, None, plain, encoding)
    return without


def _encoding(file: Path) -> str:
    """The first encoding that takes the beginning of the file.

    Raises:
        UserError: none does.
    """
    with file.open("rb") as stream:
        start = stream.read(1 << 20)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = start[: start.rfind(b"\n") + 1] or start
    for encoding in ENCODINGS:
        try:
            start.decode(encoding)
            return encoding
        except UnicodeDecodeError:
            continue
    hint = f"Tried {' and '.join(ENCODINGS)}."
    raise UserError(
        Problem(str(file), "its encoding can't be told.", hint, code="draft.encoding-not-told")
    )


def _is_header(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Names stand in the first line: none is a number, none long, none comes back in its column."""
    held = [name for name in fields if name.strip()]
    if len(set(fields)) < len(fields) or not held or any(len(name) > 40 for name in fields):
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
