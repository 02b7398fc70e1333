"""The lines of a file of word vectors, GloVe's format or word2vec's, plain or gzip, each of them checked."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import Problem, UserError

MOST_LINE = 1 << 22  # bytes
FIRST = 1000  # lines that tell the width of a file without a header
SAY_EVERY = 10_000
AGAIN = "Fetch the file again."
HINT = "A line is a word and its numbers, as GloVe's and word2vec's text files have them."


class VectorLines:
    """(word, vector) of each line; a word that is no UTF-8 is None.

    Args:
        path: The file.
        place: The key that names it.
        progress: Called with the number of lines now and then.

    Attributes:
        width: Numbers of a vector; known from the first line on.
        header: Whether a first line tells rows and width.
        notes: What is worth knowing of the file; complete after the last line.

    Raises:
        UserError: the file cannot be read, is cut off, or a line is of another width; with its number.
    """

    def __init__(self, path: Path, place: str, progress: Callable[[int], None] | None) -> None:
        self.path, self.place, self.progress = path, place, progress
        self.width = self.promised = 0
        self.header = False
        self.notes: list[str] = []
        self._ended = True

    def __iter__(self) -> Iterator[tuple[str | None, np.ndarray]]:
        rows = odd = 0
        try:
            for number, line in self._with_width():
                word, vector = self._row(line, number)
                rows += 1
                odd += word is None
                yield word, vector
                if self.progress is not None and number % SAY_EVERY == 0:
                    self.progress(number)
        except (EOFError, zlib.error) as error:
            reason = f"the compressed data end before their time, after {rows:,} vectors"
            raise self._problem(
                f"is cut off or damaged: {reason}", AGAIN, code="vectors.damaged"
            ) from error
        except OSError as error:
            raise self._problem(
                f"cannot be read: {error.strerror or error}", code="vectors.unreadable"
            ) from error
        self._check_end(rows)
        if odd:
            self.notes.append(f"{self.path}: {odd:,} words are no UTF-8 and are passed over")

    def _check_end(self, rows: int) -> None:
        if not rows:
            raise self._problem("holds no vectors", HINT, code="vectors.empty")
        if rows < self.promised:
            message = f"is cut off: its first line says {self.promised:,} words, {rows:,} are there"
            raise self._problem(message, AGAIN, code="vectors.cut-off")
        if self.header and rows > self.promised:
            said = f"its first line says {self.promised:,} words, {rows:,} are there"
            self.notes.append(f"{self.path}: {said}; all are read")
        if not self._ended:
            said = "its last line has no end; if the file is cut off there, that vector is wrong"
            self.notes.append(f"{self.path}: {said}")

    def _with_width(self) -> Iterator[tuple[int, bytes]]:
        """Numbered lines that are not empty, without the header; the width is known from the first on."""
        lines = _lines(self.path)
        first = next(lines, None)
        head: list[tuple[int, bytes]] = []
        if first is not None:
            self.promised, self.width = _header(first[1])
            self.header = self.width > 0
            head = [] if self.header else [first]
        if not self.header:
            head += islice(lines, FIRST)
            self.width = _usual_width([line for _, line in head])
        for number, line in chain(head, lines):
            self._ended = line.endswith(b"\n")
            if line.strip(b" \r\n"):
                yield number, line

    def _row(self, line: bytes, number: int) -> tuple[str | None, np.ndarray]:
        """The word of a line and its numbers."""
        text = line.rstrip(b" \r\n")
        parts = text.rsplit(b" ", self.width)
        if len(parts) != self.width + 1:
            raise self._wrong_width(text.count(b" "), line, number)
        try:
            values = np.array(list(map(float, parts[1:])), np.float64)
        except ValueError:
            raise self._fault(
                f"its last {self.width} fields are not all numbers",
                line,
                number,
                code="vectors.not-numbers",
            ) from None
        if not (np.abs(values) <= np.finfo(np.float32).max).all():
            raise self._fault(
                f"its last {self.width} fields are not all finite numbers",
                line,
                number,
                code="vectors.not-finite",
            )
        before = parts[0].split(b" ")[1:]
        if before and all(map(_is_number, before)):  # a longer line, no word with blanks
            raise self._wrong_width(text.count(b" "), line, number)
        return _text(parts[0]), values.astype(np.float32)

    def _wrong_width(self, fields: int, line: bytes, number: int) -> UserError:
        return self._fault(
            f"{fields:,} numbers, expected {self.width:,}", line, number, code="vectors.other-count"
        )

    def _fault(self, what: str, line: bytes, number: int, *, code: str) -> UserError:
        if len(line) > MOST_LINE:
            return self._problem(
                f"line {number:,} does not end: is it a text file?",
                HINT,
                code="vectors.line-without-end",
            )
        if not line.endswith(b"\n"):
            message = f"line {number:,}: {what}; it is the last and has no end, the file is cut off"
            return self._problem(message, AGAIN, code="vectors.last-line-cut-off")
        return self._problem(f"line {number:,}: {what}", HINT, code=code)

    def _problem(self, message: str, hint: str = "", *, code: str) -> UserError:
        between = ", " if message.startswith("line") else " "
        return UserError(Problem(self.place, f"{self.path}{between}{message}", hint, code=code))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines, from 1, with their ends; only a line feed ends one."""
    with open(path, "rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        file: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=plain)) if packed else plain
        number = 0
        while line := file.readline(MOST_LINE + 1):
            number += 1
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if len(line) > MOST_LINE:
                return


def _header(line: bytes) -> tuple[int, int]:
    """(rows, width) of a first line of two whole numbers; (0, 0) where there is none."""
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() and len(part) < 12 for part in parts):
        return int(parts[0]), int(parts[1])
    return 0, 0


def _usual_width(lines: Sequence[bytes]) -> int:
    """How many numbers most of the first lines have; among equals, the first line's."""
    counts = [line.rstrip(b" \r\n").count(b" ") for line in lines if line.strip(b" \r\n")]
    return max(counts, key=counts.count) if any(counts) else 1


def _text(word: bytes) -> str | None:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
