"""A place in a JSON text that moves forward, and the list of slips found on the way."""

import re
from bisect import bisect_right
from typing import NoReturn

from ..errors import Problem
from .places import Place

WORD = re.compile(r"[^\s,:;{}\[\]\"“”，：；｛｝［］=]+")
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_OTHER_COMMENT = re.compile(r"#[^\r\n]*")
_FULL_WIDTH = {"，": ",", "：": ":", "｛": "{", "｝": "}", "［": "[", "］": "]", "、": ","}
_ODD_SPACES = "\u3000\u00a0\u200b\u200c\u200d\u2060\ufeff\v\f"


class Unreadable(Exception):
    """The text can't be read beyond this point; the problem is already recorded."""


class Cursor:
    """Where the reading stands.

    Attributes:
        text: The whole text.
        at: Offset of the next sign.
        problems: Slips found so far.
        suspect: A text with a lone full-width quote, to which a later fault is due: offset and quote.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.problems: list[Problem] = []
        self.suspect: tuple[int, str] | None = None
        self._line_starts = [0, *(end.end() for end in re.finditer(r"\r\n?|\n", text))]

    def place(self, offset: int) -> Place:
        """Line and column (both from 1) of a character."""
        line = bisect_right(self._line_starts, offset)
        column = offset - self._line_starts[line - 1] + 1
        where = f"{self.name}: line {line}, column {column}"
        return Place(origin=f"{self.name}:{line}", where=where, line=line, column=column)

    def note(self, offset: int, message: str, hint: str = "", *, code: str) -> None:
        """Records a slip; reading goes on."""
        self.problems.append(Problem(self.place(offset).where, message, hint, code=code))

    def fail(self, offset: int, message: str, hint: str = "", *, code: str) -> NoReturn:
        """Records a slip whose meaning is not plain, and ends the reading."""
        if self.suspect is not None:
            self.fail_suspect(*self.suspect)
        self.note(offset, message, hint, code=code)
        raise Unreadable

    def fail_suspect(self, offset: int, quote: str) -> NoReturn:
        """Ends the reading at a text with a lone full-width quote."""
        message = (
            f"the text that begins here holds a full-width quote {quote} and has no proper end."
        )
        hint = 'JSON takes the straight quote " only: switch the input method and type it again.'
        self.note(offset, message, hint, code="json.full-width-quote-without-end")
        raise Unreadable

    def shown(self, offset: int) -> str:
        """What stands at an offset, for a message."""
        if offset >= len(self.text):
            return "end of the file"
        found = WORD.match(self.text, offset)
        return f"'{(found.group() if found else self.text[offset])[:40]}'"

    def skip(self) -> None:
        """Moves over white space and comments; other comments and odd spaces are recorded."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            comment = _COMMENT.match(self.text, self.at)
            other = _OTHER_COMMENT.match(self.text, self.at)
            if comment:
                self.at = comment.end()
            elif other:
                self.note(
                    self.at,
                    "'#' begins no comment here.",
                    "Write // in its place.",
                    code="json.hash-comment",
                )
                self.at = other.end()
            elif self.text.startswith("/*", self.at):
                self.fail(
                    self.at,
                    "the comment that begins here has no end.",
                    "It ends with */.",
                    code="json.comment-without-end",
                )
            elif self.at < len(self.text) and self.text[self.at] in _ODD_SPACES:
                code = f"U+{ord(self.text[self.at]):04X}"
                self.note(
                    self.at,
                    f"an unusual space ({code}) stands here.",
                    "Type a plain space.",
                    code="json.odd-space",
                )
                while self.at < len(self.text) and self.text[self.at] in _ODD_SPACES:
                    self.at += 1
            else:
                return

    def peek(self) -> str:
        """The next sign; a full-width one is recorded and read as its plain form."""
        self.skip()
        sign = self.text[self.at : self.at + 1]
        return _FULL_WIDTH.get(sign, sign)

    def take(self) -> None:
        """Moves over one sign; a full-width one is recorded."""
        sign = self.text[self.at]
        if sign in _FULL_WIDTH:
            plain = _FULL_WIDTH[sign]
            self.note(
                self.at,
                f"full-width '{sign}'.",
                f"Type a plain '{plain}' in its place.",
                code="json.full-width-sign",
            )
        self.at += 1
        self.suspect = None
