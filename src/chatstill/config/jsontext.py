"""JSON text to values, with the place of every key, and each usual slip named where it stands.

Slips whose meaning is plain (a trailing comma, a full-width quote, a comment, ``True``) are recorded and
read as they were meant, so that one report can name all of them together with the faults of the values.
"""

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from ..errors import Problem
from .places import KeyPath, Place, Places

MAX_DEPTH = 40
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^\s,:;{}\[\]\"“”，：；｛｝［］=]+")
_COMMENT = re.compile(r"//[^\r\n]*|#[^\r\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_OTHER_QUOTES = {**dict.fromkeys("“”„‟＂", '“”„‟＂"'), **dict.fromkeys("‘’＇`", "‘’＇`'")}
_OTHER_QUOTES |= {"'": "'‘’＇", "«": "»", "「": "」", "『": "』"}
_FULL_WIDTH = {"，": ",", "：": ":", "｛": "{", "｝": "}", "［": "[", "］": "]", "、": ","}
_CONSTANTS = {"true": True, "false": False, "null": None}
_ODD_SPACES = "\u3000\u00a0\u200b\u200c\u200d\u2060\ufeff\v\f"


class Unreadable(Exception):
    """The text can't be read beyond this point; the problem is already recorded."""


class JsonText:
    """Reads one JSON text. After ``read``: ``places`` of all keys and items, ``problems`` found."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.places: Places = {}
        self.problems: list[Problem] = []
        self._suspect: tuple[int, str] | None = None
        self._line_starts = [0, *(end.end() for end in re.finditer(r"\r\n?|\n", text))]

    def read(self) -> Any:
        """The value of the whole text.

        Raises:
            Unreadable: At a slip whose meaning is not plain; ``problems`` then ends with it.
        """
        value = self._value((), 0)
        self._skip()
        if self.at < len(self.text):
            self._fail(
                self.at, f"unexpected {self._shown(self.at)} after the end of the JSON value."
            )
        return value

    def place(self, offset: int) -> Place:
        """Line and column (both from 1) of a character."""
        line = bisect_right(self._line_starts, offset)
        column = offset - self._line_starts[line - 1] + 1
        where = f"{self.name}: line {line}, column {column}"
        return Place(origin=f"{self.name}:{line}", where=where, line=line, column=column)

    def _note(self, offset: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.place(offset).where, message, hint))

    def _fail(self, offset: int, message: str, hint: str = "") -> NoReturn:
        if self._suspect is not None:
            offset, quote = self._suspect
            message = (
                f"the text that begins here holds a full-width quote {quote} and has no proper end."
            )
            hint = (
                'JSON takes the straight quote " only: switch the input method and type it again.'
            )
        self._note(offset, message, hint)
        raise Unreadable

    def _shown(self, offset: int) -> str:
        if offset >= len(self.text):
            return "end of the file"
        found = _WORD.match(self.text, offset)
        return f"'{(found.group() if found else self.text[offset])[:40]}'"

    def _skip(self) -> None:
        """Moves over white space, and over comments and odd spaces, which are recorded."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            comment = _COMMENT.match(self.text, self.at)
            if comment:
                self._note(
                    self.at,
                    "JSON has no comments.",
                    'Delete it, or keep it as a key: "note": "…" is a comment in any block.',
                )
                self.at = comment.end()
            elif self.at < len(self.text) and self.text[self.at] in _ODD_SPACES:
                code = f"U+{ord(self.text[self.at]):04X}"
                self._note(
                    self.at, f"an unusual space ({code}) stands here.", "Type a plain space."
                )
                while self.at < len(self.text) and self.text[self.at] in _ODD_SPACES:
                    self.at += 1
            else:
                return

    def _peek(self) -> str:
        """The next sign; a full-width one is recorded and read as its plain form."""
        self._skip()
        sign = self.text[self.at : self.at + 1]
        return _FULL_WIDTH.get(sign, sign)

    def _take(self) -> None:
        sign = self.text[self.at]
        if sign in _FULL_WIDTH:
            plain = _FULL_WIDTH[sign]
            self._note(self.at, f"full-width '{sign}'.", f"Type a plain '{plain}' in its place.")
        self.at += 1
        self._suspect = None

    def _value(self, path: KeyPath, depth: int) -> Any:
        sign = self._peek()
        if depth > MAX_DEPTH:
            self._fail(self.at, f"more than {MAX_DEPTH} blocks inside each other.")
        if sign == "{":
            return self._object(path, depth)
        if sign == "[":
            return self._array(path, depth)
        if sign == '"' or sign in _OTHER_QUOTES:
            return self._string()
        if sign == "":
            self._fail(self.at, "the file ends here, where a value was expected.")
        return self._bare()

    def _object(self, path: KeyPath, depth: int) -> dict[str, Any]:
        opened = self.at
        self._take()
        values: dict[str, Any] = {}
        while (sign := self._peek()) != "}":
            if sign == "":
                line = self.place(opened).line
                self._fail(
                    self.at, "the file ends here.", f"The '{{' of line {line} lacks its '}}'."
                )
            start = self.at
            key = self._key(start)
            self._colon(key)
            if key in values:
                line = self.places[(*path, key)].line
                self._note(start, f"the key '{key}' stands twice.", f"It is also in line {line}.")
                self._value((*path, f"{key} (again)"), depth + 1)
            else:
                self.places[(*path, key)] = self.place(start)
                values[key] = self._value((*path, key), depth + 1)
            self._comma("}", f"after the value of '{key}'")
        self._take()
        return values

    def _array(self, path: KeyPath, depth: int) -> list[Any]:
        opened = self.at
        self._take()
        items: list[Any] = []
        while (sign := self._peek()) != "]":
            if sign == "":
                line = self.place(opened).line
                self._fail(self.at, "the file ends here.", f"The '[' of line {line} lacks its ']'.")
            item = (*path, len(items))
            self.places[item] = self.place(self.at)
            items.append(self._value(item, depth + 1))
            self._comma("]", "between the items of the list")
        self._take()
        return items

    def _key(self, start: int) -> str:
        sign = self._peek()
        if sign == '"' or sign in _OTHER_QUOTES:
            return self._string()
        word = _WORD.match(self.text, start)
        if not word:
            hint = "Two commas in a row?" if sign == "," else ""
            self._fail(start, f"a key in quotes was expected, found {self._shown(start)}.", hint)
        self._note(start, f"the key {word.group()} lacks its quotes.", f'Write "{word.group()}".')
        self.at = word.end()
        return word.group()

    def _colon(self, key: str) -> None:
        end = self.at
        sign = self._peek()
        if sign == ":":
            self._take()
        elif sign == "=":
            self._note(self.at, f"'=' after the key '{key}'.", "JSON takes ':' here.")
            self._take()
        else:
            self._fail(
                end, f"a ':' was expected after the key '{key}', found {self._shown(self.at)}."
            )

    def _comma(self, closing: str, where: str) -> None:
        """Moves over the comma before the next entry; a trailing or a missing one is recorded."""
        end = self.at
        sign = self._peek()
        comma = self.at
        if sign == ",":
            self._take()
            if self._peek() == closing:
                self._note(comma, f"a comma before the closing '{closing}'.", "Delete it.")
        elif sign == '"' or sign in _OTHER_QUOTES:
            if self._suspect is not None:
                self._fail(comma, "")
            self._note(end, f"a comma is missing {where}.", "Add ',' here.")
        elif sign not in (closing, ""):
            wanted = f"a ',' or '{closing}' was expected {where}"
            self._fail(comma, f"{wanted}, found {self._shown(comma)}.")

    def _string(self) -> str:
        start = self.at
        opening = self.text[start]
        if opening != '"':
            return self._oddly_quoted(start, _OTHER_QUOTES[opening])
        try:
            text, self.at = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            text = self._faulty_string(start, error)
        quotes = [sign for sign in text if sign in "“”„‟＂"]
        paired = text.count("“") == text.count("”") and text.count("＂") % 2 == 0
        self._suspect = (start, quotes[0]) if quotes and not paired else None
        return self._checked(start, text)

    def _checked(self, start: int, text: str) -> str:
        if "\x00" in text or any(0xD800 <= ord(sign) < 0xE000 for sign in text):
            self._note(
                start, "this text holds a character that no file can hold (\\u0000 or \\ud…)."
            )
            return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
        return text

    def _faulty_string(self, start: int, error: JSONDecodeError) -> str:
        """A text with a lone backslash is read as it stands; one without its end is the end."""
        if "escape" not in error.msg:
            hint = 'Close it with " on the same line; inside a text a line break is written \\n.'
            line_end = re.compile(r"[\r\n]|\Z").search(self.text, start)
            assert line_end is not None
            curly = re.search("[“”„‟＂]", self.text[start : line_end.end()])
            self._suspect = (start, curly.group()) if curly else None
            self._fail(start, "the text that begins here is not closed.", hint)
        end = re.compile(r'"(?=\s*[,:}\]])|[\r\n]|\Z').search(self.text, start + 1)
        assert end is not None
        self._note(
            start,
            "a single backslash stands in this text.",
            "Write paths with / (or each backslash twice: \\\\).",
        )
        self.at = end.end()
        return self.text[start + 1 : end.start()]

    def _oddly_quoted(self, start: int, closing: str) -> str:
        end = re.compile(f"[{re.escape(closing)}\r\n]|\\Z").search(self.text, start + 1)
        assert end is not None
        opening = self.text[start]
        kind = "single quote" if opening == "'" else "full-width quote"
        self._note(start, f"{kind} {opening}.", 'JSON takes the straight double quote " only.')
        if end.group() in ("", "\r", "\n"):
            self._fail(start, "the text that begins here is not closed.", 'Close it with ".')
        self.at = end.end()
        return self._checked(start, self.text[start + 1 : end.start()])

    def _bare(self) -> Any:
        """A number, true, false, null, or a word that should not be there."""
        start = self.at
        word = _WORD.match(self.text, start)
        if not word:
            self._fail(start, f"a value was expected, found {self._shown(start)}.")
        self.at = word.end()
        text = word.group()
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _NUMBER.fullmatch(text):
            return self._number(start, text)
        return self._no_value(start, text)

    def _number(self, start: int, text: str) -> int | float:
        number = float(text)
        if number in (float("inf"), float("-inf")) or len(text) > 400:
            self._note(start, f"the number {text[:20]}… is too large.")
            return 0
        return number if re.search("[.eE]", text) else int(text)

    def _no_value(self, start: int, text: str) -> Any:
        lower = text.lower()
        if lower.lstrip("+-") in ("nan", "inf", "infinity"):
            self._note(start, f"{text} is not a value of JSON.", "Write a number.")
            return None
        if lower in (*_CONSTANTS, "none"):
            plain = "null" if lower == "none" else lower
            self._note(start, f"{text} is not JSON.", f"Write {plain}.")
            return _CONSTANTS[plain]
        try:
            number = float(text.replace("_", ""))
        except ValueError:
            self._note(
                start, f"{text[:40]} lacks its quotes.", f'Text stands in quotes: "{text[:40]}".'
            )
            return text
        if abs(number) == float("inf"):
            self._note(start, f"the number {text[:20]}… is too large.")
            return 0
        self._note(start, f"{text[:40]} is not a number of JSON.", f"Write {number:g}.")
        return int(number) if number.is_integer() else number
