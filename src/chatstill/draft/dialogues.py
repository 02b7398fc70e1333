"""Files of dialogues as a ``data`` block: which columns hold the messages, the candidates and the choice."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Problem, UserError
from ..tasks.cells import Bad, cell_text
from ..tasks.messages import ANSWERS, FORMS, are_messages
from ..tasks.tables import Layout, Table
from .columns import is_identifier
from .layout import spread

MESSAGES = (
    "messages conversations conversation dialogue dialog history context prompt turns".split()
)
CANDIDATES = "candidates responses replies options choices answers completions".split()
PROMPTS = ["prompt", *MESSAGES, *"query question instruction input text".split()]
CHOSEN = "chosen answer correct gold best label target".split()
CHOSEN_REPLIES = [name for name in CHOSEN if name != "label"]
REJECTED = "rejected rejected_responses negatives".split()
LABELS = "label labels score relevance relevant correct is_correct match grade rating stars chosen".split()
ENOUGH = 50
ROLES, CONTENTS = ({form[place] for form in FORMS} for place in (0, 1))
_TURNS = "messages: the turns, oldest first; who says them is not read"
_EACH = "each is a row; those of a line are ranked"


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
        UserError: its lines hold messages and candidates, and nothing tells which of them is right;
            or replies with what they answer in them, or without it.
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
    pair = _preferred(columns, first)
    if pair is not None:
        found = _preferences(file, columns, pair, first)
        return None if found is None else found._replace(id=_identifier(columns, rows))
    text = _named(columns, MESSAGES, lambda name: _all(first, name, _is_messages)) or _first(
        columns, lambda name: _all(first, name, _is_messages)
    )
    others = [name for name in columns if name != text and name.casefold() not in REJECTED]
    several = _named(others, CANDIDATES, lambda name: _all(first, name, _is_list)) or (
        _first(others, lambda name: _all(first, name, _is_candidates)) if text else None
    )
    if text is None and several is None:
        return None
    talks = text is not None
    text = text or _named(columns, [*MESSAGES, "query", "question", "text"], lambda name: True)
    if text is None or several is None:
        return None  # messages and a label: a text of several turns
    keys = [("text", text, _TURNS), ("candidates", several, _EACH)]
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


def _preferred(columns: Sequence[str], first: list[dict[str, Any]]) -> tuple[str, str] | None:
    """The columns of the replies that were and were not chosen, where no column holds all candidates."""
    if _named(columns, CANDIDATES, lambda name: _all(first, name, _is_list)):
        return None
    rejected = _named(columns, REJECTED, lambda name: _all(first, name, _is_replies))
    chosen = _named(columns, CHOSEN_REPLIES, lambda name: _all(first, name, _is_replies))
    return None if rejected is None or chosen is None else (chosen, rejected)


def _preferences(
    file: Path, columns: Sequence[str], pair: tuple[str, str], first: list[dict[str, Any]]
) -> Dialogues | None:
    """The keys of preference data; None where no column can be what the replies answer.

    Raises:
        UserError: the replies are whole conversations, or stand alone.
    """
    chosen, rejected = pair
    if any(_is_conversation(row.get(name)) for row in first for name in pair):
        message = f"'{chosen}' and '{rejected}' hold whole conversations, expected one reply each."
        hint = (
            "Keep the messages before the reply in a column of their own: jq -c '.prompt = "
            f".{chosen}[:-1] | .{chosen} = .{chosen}[-1:] | .{rejected} = .{rejected}[-1:]' "
            f"{file.name} > new.jsonl"
        )
        raise UserError(Problem(str(file), message, hint, code="draft.whole-conversations"))
    others = [name for name in columns if name not in pair]
    talk = _named(others, PROMPTS, lambda name: _all(first, name, _is_messages)) or _first(
        others, lambda name: _all(first, name, _is_messages)
    )
    text = talk or _named(others, PROMPTS, lambda name: _all(first, name, _is_text))
    if text is None and (chosen, rejected) == ("chosen", "rejected"):
        message = f"no column holds what the replies answer. Columns: {', '.join(columns)}."
        hint = 'Call it "prompt": a text, or a list of messages. docs/data.md, Dialogues.'
        raise UserError(Problem(str(file), message, hint, code="draft.no-prompt"))
    if text is None:
        return None
    keys = [
        ("text", text, _TURNS if talk else "what the replies answer"),
        ("chosen", chosen, "the reply that was chosen"),
        ("rejected", rejected, "what was not chosen"),
    ]
    return Dialogues(keys, [])


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
    return are_messages(cell) and all(isinstance(i, dict) and ROLES & i.keys() for i in cell)


def _is_candidates(cell: Any) -> bool:
    """A list of objects with a content that is no list of messages."""
    return are_messages(cell) and all(isinstance(i, dict) and CONTENTS & i.keys() for i in cell)


def _is_conversation(cell: Any) -> bool:
    """Several messages, and not only the assistant's: those would be several replies."""
    return (
        isinstance(cell, list)
        and len(cell) > 1
        and _is_messages(cell)
        and any(
            str(item[k]).casefold() not in ANSWERS for item in cell for k in ROLES & item.keys()
        )
    )


def _is_text(cell: Any) -> bool:
    """A text, or turns."""
    turns = cell if isinstance(cell, list) else [cell]
    return bool(turns) and all(isinstance(turn, str) for turn in turns)


def _is_choice(cell: Any) -> bool:
    return isinstance(cell, int | float | str) and not isinstance(cell, bool)


def _is_replies(cell: Any) -> bool:
    return isinstance(cell, str | list | dict)
