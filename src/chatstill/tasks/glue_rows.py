"""What is noticed while a GLUE file is read: its header, and rows that look odd."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import Problem
from .cells import HEADER_AGAIN, repeats_header
from .glue import Layout
from .reading import malformed

LONGEST_NAME = 40  # of a column


@dataclass
class Noticed:
    """Lines of a file that are left out or look odd."""

    short: list[int] = field(default_factory=list)
    unlabelled: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)

    def problems(self, path: Path, *, dropped: bool) -> list[Problem]:
        """One warning for each kind."""
        short = "they are left out" if dropped else "missing texts count as empty"
        kinds = (
            (self.short, f"lack columns; {short}"),
            (self.unlabelled, "have no label that was agreed on; they are left out"),
            (self.empty, "have an empty text; they are kept"),
        )
        found = [(f"rows that {what}: {len(lines):,}", lines[0]) for lines, what in kinds if lines]
        return [
            Problem(
                str(path),
                f"{text} (the first in line {line})",
                severity="warning",
                code="data.rows-noticed",
            )
            for text, line in found
        ]


def refuse_header(path: Path, line: int, fields: list[str], layout: Layout) -> None:
    """A header between rows is no row.

    Raises:
        UserError: the fields are the names of the columns.
    """
    if len(fields[0]) <= LONGEST_NAME and repeats_header(fields, layout.columns[: len(fields)]):
        raise malformed(path, line, HEADER_AGAIN.found, HEADER_AGAIN.expected, HEADER_AGAIN.hint)


def with_header(layouts: tuple[Layout, ...], names: tuple[str, ...]) -> Layout | None:
    """The layout of a header: one of the table's, else one whose texts and label it names."""
    with_header = [layout for layout in layouts if layout.header]
    for layout in with_header:
        if names == layout.columns:
            return layout
    for layout in with_header:
        if all(names.count(name) == 1 for name in layout.needed):
            text_b = None if layout.text_b is None else names.index(layout.columns[layout.text_b])
            label = None if layout.label is None else names.index(layout.columns[layout.label])
            text_a = names.index(layout.columns[layout.text_a])
            return replace(layout, columns=names, text_a=text_a, text_b=text_b, label=label)
    return None
