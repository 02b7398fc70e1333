"""JSON text to values, with the place of every key, and each usual slip named where it stands.

Slips whose meaning is plain (a trailing comma, a full-width quote, a comment, ``True``) are recorded and
read as they were meant, so that one report can name all of them together with the faults of the values.
"""

from typing import Any

from ..errors import Problem
from .cursor import WORD, Cursor, Unreadable
from .jsonscalars import OTHER_QUOTES, read_string, read_word
from .places import KeyPath, Places

__all__ = ["JsonText", "Unreadable"]

MAX_DEPTH = 40


class JsonText:
    """Reads one JSON text. After ``read``: ``places`` of all keys and items, ``problems`` found."""

    def __init__(self, text: str, name: str) -> None:
        self.cursor = Cursor(text, name)
        self.places: Places = {}

    @property
    def problems(self) -> list[Problem]:
        return self.cursor.problems

    def read(self) -> Any:
        """The value of the whole text.

        Raises:
            Unreadable: At a slip whose meaning is not plain; ``problems`` then ends with it.
        """
        here = self.cursor
        value = self._value((), 0)
        here.skip()
        if here.at < len(here.text):
            here.fail(
                here.at,
                f"unexpected {here.shown(here.at)} after the end of the JSON value.",
                code="json.more-behind-the-end",
            )
        return value

    def _value(self, path: KeyPath, depth: int) -> Any:
        here = self.cursor
        sign = here.peek()
        if depth > MAX_DEPTH:
            here.fail(
                here.at, f"more than {MAX_DEPTH} blocks inside each other.", code="json.too-deep"
            )
        if sign == "{":
            return self._object(path, depth)
        if sign == "[":
            return self._array(path, depth)
        if sign == '"' or sign in OTHER_QUOTES:
            return read_string(self.cursor)
        if sign == "":
            here.fail(
                here.at,
                "the file ends here, where a value was expected.",
                code="json.ends-before-a-value",
            )
        return read_word(self.cursor)

    def _object(self, path: KeyPath, depth: int) -> dict[str, Any]:
        here = self.cursor
        opened = here.at
        here.take()
        values: dict[str, Any] = {}
        while (sign := here.peek()) != "}":
            if sign == "":
                line = here.place(opened).line
                here.fail(
                    here.at,
                    "the file ends here.",
                    f"The '{{' of line {line} lacks its '}}'.",
                    code="json.ends-too-early",
                )
            start = here.at
            key = self._key(start)
            self._colon(key)
            if key in values:
                line = self.places[(*path, key)].line
                here.note(
                    start,
                    f"the key '{key}' stands twice.",
                    f"It is also in line {line}.",
                    code="json.key-twice",
                )
                self._value((*path, f"{key} (again)"), depth + 1)
            else:
                self.places[(*path, key)] = here.place(start)
                values[key] = self._value((*path, key), depth + 1)
            self._comma("}", f"after the value of '{key}'")
        here.take()
        return values

    def _array(self, path: KeyPath, depth: int) -> list[Any]:
        here = self.cursor
        opened = here.at
        here.take()
        items: list[Any] = []
        while (sign := here.peek()) != "]":
            if sign == "":
                line = here.place(opened).line
                here.fail(
                    here.at,
                    "the file ends here.",
                    f"The '[' of line {line} lacks its ']'.",
                    code="json.ends-too-early",
                )
            item = (*path, len(items))
            self.places[item] = here.place(here.at)
            items.append(self._value(item, depth + 1))
            self._comma("]", "between the items of the list")
        here.take()
        return items

    def _key(self, start: int) -> str:
        here = self.cursor
        sign = here.peek()
        if sign == '"' or sign in OTHER_QUOTES:
            return read_string(self.cursor)
        word = WORD.match(here.text, start)
        if not word:
            hint = "Two commas in a row?" if sign == "," else ""
            here.fail(
                start,
                f"a key in quotes was expected, found {here.shown(start)}.",
                hint,
                code="json.key-expected",
            )
        here.note(
            start,
            f"the key {word.group()} lacks its quotes.",
            f'Write "{word.group()}".',
            code="json.key-without-quotes",
        )
        here.at = word.end()
        return word.group()

    def _colon(self, key: str) -> None:
        here = self.cursor
        end = here.at
        sign = here.peek()
        if sign == ":":
            here.take()
        elif sign == "=":
            here.note(
                here.at,
                f"'=' after the key '{key}'.",
                "JSON takes ':' here.",
                code="json.equals-sign",
            )
            here.take()
        else:
            here.fail(
                end,
                f"a ':' was expected after the key '{key}', found {here.shown(here.at)}.",
                code="json.colon-expected",
            )

    def _comma(self, closing: str, where: str) -> None:
        """Moves over the comma before the next entry; a trailing or a missing one is recorded."""
        here = self.cursor
        end = here.at
        sign = here.peek()
        comma = here.at
        if sign == ",":
            here.take()
            if here.peek() == closing:
                here.note(
                    comma,
                    f"a comma before the closing '{closing}'.",
                    "Delete it.",
                    code="json.comma-before-the-end",
                )
        elif sign == '"' or sign in OTHER_QUOTES:
            if here.suspect is not None:
                here.fail_suspect(*here.suspect)
            here.note(
                end, f"a comma is missing {where}.", "Add ',' here.", code="json.comma-missing"
            )
        elif sign not in (closing, ""):
            wanted = f"a ',' or '{closing}' was expected {where}"
            here.fail(comma, f"{wanted}, found {here.shown(comma)}.", code="json.comma-expected")
