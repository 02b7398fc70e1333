"""Which column of a table is a text, the label or a group: by its cells first, by its name second."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LABEL_NAMES = (
    "label labels class category target score gold y intent topic sentiment quality rating".split()
)
GROUP_NAMES = "group group_id qid query_id question_id".split()
SECOND_NAMES = (
    "text_b text_pair sentence2 question2 reply response answer hypothesis second".split()
)
FIRST_NAMES = (
    "text_a text sentence sentence1 query question question1 premise content title".split()
)
MOST_CLASSES = 200
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Column:
    """What the cells of a column look like.

    Attributes:
        name: Its name.
        values: How often each cell stands there.
        length: Mean number of characters.
        numeric: Whether all cells are numbers.
        whole: Whether all are whole numbers.
        filled: Number of cells that hold something.
    """

    name: str
    values: Counter[str]
    length: float
    numeric: bool
    whole: bool
    filled: int

    @classmethod
    def of(cls, name: str, cells: Sequence[str]) -> "Column":
        """From the cells of a sample."""
        held = [cell.strip() for cell in cells if cell.strip()]
        numeric = bool(held) and all(_NUMBER.fullmatch(cell) for cell in held)
        whole = numeric and all(float(cell).is_integer() for cell in held)
        length = sum(map(len, held)) / max(len(held), 1)
        return cls(name, Counter(held), length, numeric, whole, len(held))

    @property
    def few(self) -> bool:
        """Whether values repeat as those of a label do."""
        return 1 < len(self.values) <= max(2, min(MOST_CLASSES, self.filled // 3))

    @property
    def is_text(self) -> bool:
        """Whether it holds language: no numbers, hardly a value twice, or long ones, or named so."""
        # A query stands in the row of each of its replies.
        named = self.name.casefold() in (*FIRST_NAMES, *SECOND_NAMES)
        varied = not self.few or self.length > 40 or named
        return not self.numeric and bool(self.filled) and varied


@dataclass(frozen=True)
class Roles:
    """What the columns are; the second text and the group may be missing."""

    text: str
    text_pair: str | None
    label: str
    group: str | None


def roles_of(columns: Sequence[Column]) -> Roles | str:
    """What each column is, or in words why it can't be told."""
    label = _label(columns)
    if label is None:
        return "no column looks like a label: one whose values repeat, or that is called label"
    rest = [column for column in columns if column is not label]
    texts = [column for column in rest if column.is_text]
    if not texts:
        return f"no column beside '{label.name}' looks like text"
    named = sorted(texts, key=lambda column: _order(column.name, columns.index(column)))
    first = named[0]
    second = next((c for c in named[1:] if _is_second(c, first)), None)
    group = next((c for c in rest if c.name.casefold() in GROUP_NAMES and c.few), None)
    name = group.name if group is not None and second is not None else None
    return Roles(first.name, second.name if second is not None else None, label.name, name)


def _label(columns: Sequence[Column]) -> Column | None:
    def order(column: Column) -> tuple[bool, int, int]:
        known = column.name.casefold() in LABEL_NAMES
        place = LABEL_NAMES.index(column.name.casefold()) if known else 0
        return not known, place, len(column.values)

    candidates = [c for c in columns if c.filled and (c.few or c.name.casefold() in LABEL_NAMES)]
    candidates = [c for c in candidates if not (c.is_text and c.length > 40)]
    scores = [c for c in columns if c.numeric and not c.whole]
    return min(candidates or scores, key=order, default=None)


def _order(name: str, place: int) -> tuple[int, int]:
    plain = name.casefold()
    return (0 if plain in FIRST_NAMES else 2 if plain in SECOND_NAMES else 1), place


def _is_second(column: Column, first: Column) -> bool:
    """A second text is named so, or is about as long as the first one."""
    return column.name.casefold() in SECOND_NAMES or column.length * 4 > first.length
