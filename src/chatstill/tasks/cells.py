"""Rows and cells of a table, whatever kind of file they come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Problem


@dataclass(frozen=True)
class Bad:
    """A row that can't be taken: what was found, what was expected, what to do, and where in the row."""

    found: str
    expected: str
    hint: str = ""
    place: str = ""

    def problem(self, where: str) -> Problem:
        """The error for a row that stands at ``where``."""
        place = f"{where}, {self.place}" if self.place else where
        return Problem(
            place,
            f"found {self.found}, expected {self.expected}",
            self.hint,
            code="data.malformed-row",
        )


class Row(NamedTuple):
    """The number of a row (``Table.unit``, from 1) and its cells in the order asked, or what is wrong."""

    number: int
    cells: Sequence[Any] | Bad


def repeats_header(cells: Sequence[Any], names: Sequence[str]) -> bool:
    """Whether a row holds the names of its columns: a header line that stands between rows.

    One cell alone may well be called like its column.
    """
    return 1 < len(cells) == len(names) and all(
        isinstance(cell, str) and cell.strip().casefold() == name.casefold()
        for cell, name in zip(cells, names, strict=False)
    )


HEADER_AGAIN = Bad(
    "the header line again, between rows",
    "a row",
    "Files that are put together keep the first header alone; or name them by a pattern, such as "
    '"parts/*.csv".',
)


def no_header(names: Sequence[str], row: Row) -> Row:
    """The row, or what is wrong where it holds the names of its columns."""
    header = not isinstance(row.cells, Bad) and repeats_header(row.cells, names)
    return Row(row.number, HEADER_AGAIN) if header else row


def kind_of(cell: Any) -> str:
    """What a cell of JSON is, in words."""
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "a list"))
    named = next((words for kind, words in kinds if isinstance(cell, kind)), "an object")
    return "no value" if cell is None else named


def cell_text(cell: Any) -> str | None:
    """A cell as text. Whole numbers have no point; None means that there is no value."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, Decimal) and cell.is_finite():
        return str(int(cell)) if cell == cell.to_integral_value() else f"{cell.normalize():f}"
    return str(cell) if isinstance(cell, int) else None


_CR = "new-line character"
_FAULTS = {  # how the library tells a fault, and how we do
    "unexpected end of data": 'a quote " that is never closed',
    "expected after": 'text behind a closing quote "',
    _CR: "a carriage return (CR) without a line feed (LF)",
}
_QUOTES = 'A quote inside a quoted field is doubled: "". Files without quoting: "format": "tsv".'
_LINE_ENDS = "Save it with line ends of LF or CR LF; inside a field a CR stands in quotes."


def csv_fault(reason: str) -> Bad:
    """A row that the library ``csv`` can't read, by what it says."""
    unknown = f"a row that is no CSV ({reason})"
    found = next((told for part, told in _FAULTS.items() if part in reason), unknown)
    hint = _LINE_ENDS if found is _FAULTS[_CR] else _QUOTES
    return Bad(found, "fields in quotes or without any", hint)


def texts_alone(path: Path, header: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether a file holds nothing but texts: .txt, a field for each, and a first line that names none.

    Args:
        path: The file.
        header: Fields of its first line.
        texts: Names of the columns of texts.
    """
    plain = path.suffix.lower() == ".txt" and len(header) == len(texts)
    return plain and not any(_near(name, texts) for name in header)


def _near(name: str, texts: Sequence[str]) -> list[str]:
    return get_close_matches(name, texts, 1, 0.5)


def why_not_alone(path: Path, header: Sequence[str], texts: Sequence[str]) -> str:
    """What to do where the first line of a .txt file was meant as texts and `texts_alone` took it for names.

    Args:
        path: The file.
        header: Fields of its first line.
        texts: Names of the columns of texts; none where a file has to name its columns.
    """
    if path.suffix.lower() != ".txt" or not texts or set(header) & set(texts):
        return ""
    shape = " TAB ".join(texts)
    if len(header) != len(texts):
        last = "" if header[-1] else ", the last one empty"
        found = f"{len(header)} field{'' if len(header) == 1 else 's'}{last}"
        return f"A file without column names has {shape} in each line: its first line has {found}."
    name, near = next((one, close[0]) for one in header if (close := _near(one, texts)))
    return (
        f"If the first line is a text: {name!r} was taken for a column, as it is close to {near!r}; put a "
        f"line with the column names, {shape}, above it."
    )


def places(wanted: Sequence[str], columns: Sequence[str]) -> list[int | None]:
    """Where each of the columns stands; of one that is wanted as often as it is there each in turn."""
    found: list[int | None] = []
    for at, name in enumerate(wanted):
        there = [place for place, column in enumerate(columns) if column == name]
        turn = wanted[:at].count(name)
        found.append(there[turn if turn < len(there) else 0] if there else None)
    return found
