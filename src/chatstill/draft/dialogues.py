"""Files of dialogues as a ``data`` block: which columns hold the messages, the candidates and the choice."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Problem, UserError
from ..tasks.cells import Bad, cell_text
from ..tasks.messages import FORMS, are_messages
from ..tasks.tables import Layout, Table
from .columns import is_identifier
from .layout import spread

MESSAGES = (
    "messages conversations conversation dialogue dialog history context prompt turns".split()
)
CANDIDATES = "candidates responses replies options choices answers completions".split()
CHOSEN = "chosen answer correct gold best label target".split()
REJECTED = "rejected rejected_responses negatives".split()
LABELS = "label labels score relevance relevant correct is_correct match grade chosen".split()
ENOUGH = 50
CONTENTS = {content for _, content in FORMS}


class Dialogues(NamedTuple):
    """What a file of dialogues holds.

    Attributes:
        keys: Key, value and comment of each key of the block that names a column.
        labels: Of the rows, by their text; empty where one candidate is chosen.
        id: The column of what a line is called; empty if there is none.
    """

    keys: list[tuple[str, Any, str]]
    labels: list[str]
    id: str = ""


def dialogues_in(file: Path, layout: Layout, kind: str | None) -> Dialogues | None:
    """The dialogues of a file of JSON lines or Parquet; None where its lines are none.

    Raises:
        UserError: its lines hold messages and candidates, and nothing tells which of them is right.
    """
    if kind not in ("jsonl", "parquet"):
        return None
    table = Table(file, layout)
    columns = table.columns
    rows = [
        dict(zip(columns, row.cells, strict=True))
        for row in spread(table.rows(columns))
        if not isinstance(row.cells, Bad)
    ]
    first = rows[:ENOUGH]
    text = _named(columns, MESSAGES, lambda name: _all(first, name, _is_messages)) or _first(
        columns, lambda name: _all(first, name, _is_messages)
    )
    rejected = _named(columns, REJECTED, lambda name: _all(first, name, _is_replies))
    others = [name for name in columns if name not in (text, rejected)]
    several = _named(others, CANDIDATES, lambda name: _all(first, name, _is_list)) or (
        _first(others, lambda name: _all(first, name, _is_candidates)) if text else None
    )
    if text is None and several is None:
        return None
    talks = text is not None
    text = text or _named(columns, [*MESSAGES, "query", "question", "text"], lambda name: True)
    if text is None or (several is None and rejected is None):
        return None  # messages and a label: a text of several turns
    keys = [("text", text, "messages: the turns, oldest first; who says them is not read")]
    if several is None:
        found = _preferences(keys, others, str(rejected), first)
    else:
        keys.append(("candidates", several, "each is a row; those of a line are ranked"))
        found = _labelled(keys, columns, several, first, rows)
        if found is None and talks:
            listed = ", ".join(columns)
            message = f"nothing tells which of '{several}' is right. Columns: {listed}."
            hint = 'Give each candidate a "label", or the line a "chosen": docs/data.md, Dialogues.'
            raise UserError(Problem(str(file), message, hint, code="draft.right-reply-not-told"))
    return None if found is None else found._replace(id=_identifier(columns, rows))


def _identifier(columns: Sequence[str], rows: list[dict[str, Any]]) -> str:
    """The column of the lines' identifiers, if there is one."""
    for name in columns:
        if is_identifier(name, [(cell_text(row[name]) or "").strip() for row in rows]):
            return name
    return ""


def _labelled(
    keys: list[tuple[str, Any, str]],
    columns: Sequence[str],
    several: str,
    first: list[dict[str, Any]],
    rows: list[dict[str, Any]],
) -> Dialogues | None:
    """With the key of the label in each candidate, or with the column of the one chosen."""
    items = [item for row in first for item in row[several] or ()]
    inner = list(dict.fromkeys(k for item in items if isinstance(item, dict) for k in item))
    label = _named([k for k in inner if k not in CONTENTS], LABELS, lambda name: True)
    if label is not None:
        found = [i.get(label) for row in rows for i in row[several] or () if isinstance(i, dict)]
        keys.append(("label", label, "of each candidate"))
        return Dialogues(keys, [cell_text(cell) or "" for cell in found])
    others = [name for name in columns if name not in (several, keys[0][1])]
    beside = _named(others, LABELS, lambda name: _all(first, name, _is_list))
    if beside is not None:
        found = [cell for row in rows for cell in row[beside] or ()]
        keys.append(("label", beside, "a list, one label for each candidate"))
        return Dialogues(keys, [cell_text(cell) or "" for cell in found])
    chosen = _named(others, CHOSEN, lambda name: _all(first, name, _is_choice))
    if chosen is None:
        return None
    keys.append(("chosen", chosen, "the candidate that is right: its number from 0, or its text"))
    return Dialogues(keys, [])


def _preferences(
    keys: list[tuple[str, Any, str]],
    others: Sequence[str],
    rejected: str,
    first: list[dict[str, Any]],
) -> Dialogues | None:
    chosen = _named(others, CHOSEN, lambda name: _all(first, name, _is_replies))
    if chosen is None:
        return None
    keys.append(("chosen", chosen, "the reply that was chosen"))
    return Dialogues([*keys, ("rejected", rejected, "what was not chosen")], [])


def _all(rows: Iterable[dict[str, Any]], name: str, test: Any) -> bool:
    held = [row[name] for row in rows if row.get(name) is not None]
    return bool(held) and all(map(test, held))


def _named(columns: Iterable[str], known: Sequence[str], test: Any) -> str | None:
    """The column that is called so and passes a test; the earlier name goes first."""
    found = [name for name in columns if name.casefold() in known and test(name)]
    return min(found, key=lambda name: known.index(name.casefold()), default=None)


def _first(columns: Iterable[str], test: Any) -> str | None:
    return next(filter(test, columns), None)


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list)


def _is_messages(cell: Any) -> bool:
    """A list of objects that name who speaks."""
    roles = {role for role, _ in FORMS}
    return are_messages(cell) and all(isinstance(i, dict) and roles & i.keys() for i in cell)


def _is_candidates(cell: Any) -> bool:
    """A list of objects with a content that is no list of messages."""
    return are_messages(cell) and all(isinstance(i, dict) and CONTENTS & i.keys() for i in cell)


def _is_choice(cell: Any) -> bool:
    return isinstance(cell, int | float | str) and not isinstance(cell, bool)


def _is_replies(cell: Any) -> bool:
    return isinstance(cell, str | list | dict)
