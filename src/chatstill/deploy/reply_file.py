"""Files of replies, of names to remove, and of queries: a line each, UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import Problem, UserError
from ..tasks.reading import shorten
from ..tasks.table_lines import Lines, Undecodable

MOST_TOLD = 20


class Reply(NamedTuple):
    """A reply, and the name that its file gives it."""

    id: str | None
    text: str


class ReplyFile(NamedTuple):
    """What a file holds, in its order, and what the user should know of it."""

    replies: list[Reply]
    named: bool
    warnings: list[Problem]


def read_replies(path: Path) -> ReplyFile:
    """Replies, one a line: ``reply``, or ``id TAB reply`` where the first line has a TAB.

    Equal replies without ids count once. Blank lines are passed over and told of.

    Raises:
        UserError: everything that is wrong with its lines; a file without a reply.
    """
    lines = _Reading(path)
    named: bool | None = None
    first = 0
    replies: list[Reply] = []
    seen: dict[str, tuple[int, str]] = {}
    for number, text in lines:
        fields = text.split("\t")
        if named is None:
            named, first = len(fields) > 1, number
        if problem := _malformed(lines.place(number), fields, named, first):
            lines.problems.append(problem)
            continue
        name = fields[0].strip() if named else None
        reply = fields[-1].strip()
        known = seen.setdefault(name if name is not None else reply, (number, reply))
        if known[0] != number:
            if known[1] != reply:
                message = f"the id {shorten(name or '')} has another reply on line {known[0]}"
                lines.problems.append(Problem(lines.place(number), message, code="index.id-twice"))
            continue
        replies.append(Reply(name, reply))
    return ReplyFile(replies, bool(named), lines.finish(len(replies), "reply"))


def read_names(path: Path, named: bool) -> list[str]:
    """What is to be removed from an index, one a line: ids, or replies where these have no ids.

    Raises:
        UserError: everything that is wrong with its lines; an empty file.
    """
    lines = _Reading(path)
    found: dict[str, int] = {}
    for number, text in lines:
        if "\t" in text:
            message = f"has a TAB, expected {'one id a line' if named else 'one reply a line'}"
            lines.problems.append(Problem(lines.place(number), message, code="index.tab-in-name"))
            continue
        found.setdefault(text.strip(), number)
    lines.finish(len(found), "id" if named else "reply")
    return list(found)


def read_queries(path: Path) -> list[str]:
    """Queries, one a line; equal ones stay.

    Raises:
        UserError: everything that is wrong with its lines; an empty line, since lines are counted.
    """
    lines = _Reading(path, blank=False)
    found = []
    for number, text in lines:
        if "\t" in text:
            message = "has a TAB, expected one query a line"
            lines.problems.append(Problem(lines.place(number), message, code="rank.tab-in-query"))
            continue
        found.append(text.strip())
    lines.finish(len(found), "query")
    return found


def _malformed(place: str, fields: list[str], named: bool, first: int) -> Problem | None:
    """What is wrong with a line's fields."""
    if named and len(fields) == 1:
        message = f"has no TAB, and line {first} has one: expected id TAB reply"
        return Problem(place, message, code="index.no-id")
    if not named and len(fields) > 1:
        message = f"has a TAB, and line {first} has none: expected a reply"
        return Problem(place, message, code="index.tab-in-plain-reply")
    if len(fields) > 2:
        message = f"has {len(fields) - 1} TABs, expected id TAB reply"
        return Problem(place, message, code="index.tab-in-reply")
    if named and not fields[0].strip():
        return Problem(place, "has an empty id, expected id TAB reply", code="index.empty-id")
    if not fields[-1].strip():
        return Problem(place, "has an empty reply, expected id TAB reply", code="index.empty-reply")
    return None


class _Reading:
    """The lines of a file that are not blank, and what is wrong with others."""

    def __init__(self, path: Path, *, blank: bool = True) -> None:
        self.path, self._passes_blank = path, blank
        self.problems: list[Problem] = []
        self._blank: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, str]]:
        lines = Lines(self.path, "utf-8")
        while True:
            try:
                text = next(lines).rstrip("\r\n")
            except StopIteration:
                return
            except Undecodable as fault:
                found = f"bytes {fault.shown} at offset {fault.offset} are no UTF-8"
                place, hint = self.place(lines.number), "Write the file as UTF-8: iconv -t UTF-8."
                if fault.shown.startswith(("ff fe", "fe ff")) and lines.number == 1:
                    hint = "It is UTF-16: iconv -f UTF-16 -t UTF-8 makes UTF-8 of it."
                    raise UserError(Problem(place, found, hint, code="index.utf-16")) from None
                self.problems.append(Problem(place, found, hint, code="index.not-utf-8"))
                continue
            if text.strip():
                yield lines.number, text
            elif self._passes_blank:
                self._blank.append(lines.number)
            else:
                place = self.place(lines.number)
                message = "is empty, expected a query"
                self.problems.append(Problem(place, message, code="rank.empty-query-line"))

    def place(self, line: int) -> str:
        """A line in messages."""
        return f"{self.path}: line {line}"

    def finish(self, count: int, noun: str) -> list[Problem]:
        """Warnings.

        Raises:
            UserError: lines that are wrong; nothing at all.
        """
        if self.problems:
            left = len(self.problems) - MOST_TOLD
            told = self.problems[:MOST_TOLD]
            if left > 0:
                more = Problem(
                    str(self.path), f"{left:,} more lines are wrong", code="index.more-lines"
                )
                told.append(more)
            raise UserError(told)
        if not count:
            message = f"has no {noun}: expected one a line"
            raise UserError(Problem(str(self.path), message, code="index.empty-file"))
        if not self._blank:
            return []
        number = len(self._blank)
        lines = "1 blank line was" if number == 1 else f"{number:,} blank lines were"
        message = f"{lines} passed over, the first is line {self._blank[0]}"
        return [Problem(str(self.path), message, severity="warning", code="index.blank-lines")]
