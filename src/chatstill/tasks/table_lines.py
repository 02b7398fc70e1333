"""Lines of a text file in any encoding, streamed; one that cannot be decoded does not end the file."""

import codecs
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from ..errors import Problem, UserError
from .reading import LONGEST_LINE, looks_gb18030, shorten

BOM = "\ufeff"


class Undecodable(Exception):
    """Bytes of one line that are no text in the encoding; reading can go on after it.

    Attributes:
        shown: The first of them.
        offset: Of these, in the file.
        utf8: Whether the line is UTF-8 text.
        gb18030: Whether it is likely text in GB18030.
    """

    def __init__(self, shown: str, offset: int, utf8: bool, gb18030: bool) -> None:
        super().__init__(shown)
        self.shown = shown
        self.offset = offset
        self.utf8 = utf8
        self.gb18030 = gb18030


SEEN = 1 << 20  # bytes from the start that judge an encoding
ENOUGH = 4  # signs beyond ASCII: so many are hardly UTF-8 by chance


def check_encoding(path: Path, encoding: str) -> None:
    """Bytes that are UTF-8 text are not read as something else, which most encodings would do.

    Only the beginning is looked at. ASCII says nothing, and so do one or two signs.

    Raises:
        UserError: the file's signs beyond ASCII are UTF-8, with both readings of the first such line.
    """
    if codecs.lookup(encoding).name in ("utf-8", "ascii") or "\n".encode(encoding) != b"\n":
        return
    try:
        with open(path, "rb") as stream:
            start = stream.read(SEEN)
            whole = not stream.read(1)
    except OSError:
        return  # said by what reads the rows
    start = start if whole else start[: start.rfind(b"\n") + 1]
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError:
        return
    if sum(sign > "\x7f" for sign in text) < ENOUGH and not _is_odd(start, encoding):
        return
    number, line = next(
        (n, one) for n, one in enumerate(start.split(b"\n"), 1) if any(b > 127 for b in one)
    )
    as_utf8 = shorten(line.decode("utf-8").strip())
    other = shorten(line.decode(encoding, errors="replace").strip())
    message = f'is UTF-8 text: {as_utf8} there; read as "encoding": "{encoding}" it is {other}'
    raise UserError(
        Problem(
            f"{path}: line {number}",
            message,
            'Leave "encoding" out.',
            code="data.encoding-contradicted",
        )
    )


def _is_odd(start: bytes, encoding: str) -> bool:
    """Whether bytes beyond ASCII are no text at all in an encoding."""
    try:
        start.decode(encoding)
    except UnicodeDecodeError:
        return any(byte > 127 for byte in start)
    return False


class Lines(Iterator[str]):
    """The lines of a file with their ends; ``number`` is that of the last one, from 1.

    Lines end at \\n; a lone \\r and other separators are text. A byte order mark at the start is
    dropped. Encodings whose line end is not the byte \\n (UTF-16) are decoded as a whole stream: there
    a fault ends the file.

    Raises:
        Undecodable: while iterating, for one line; the next call goes on.
        UserError: the file can't be read, or a line is longer than 64 MiB.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.number = 0
        self._encoding = encoding
        self._offset = 0
        check_encoding(path, encoding)
        try:
            self._stream = open(path, "rb")
        except OSError as error:
            raise _unreadable(path, error) from None
        self._text: TextIOWrapper | None = None
        if "\n".encode(codecs.lookup(encoding).name) != b"\n":
            self._text = TextIOWrapper(self._stream, encoding, newline="\n")

    def __next__(self) -> str:
        line = self._decoded() if self._text is None else self._from_stream(self._text)
        if not line:
            self.close()
            raise StopIteration
        if self.number == 1:
            line = line.removeprefix(BOM)
        return line

    def close(self) -> None:
        """Closes the file."""
        (self._text or self._stream).close()

    def _decoded(self) -> str:
        if self._stream.closed:
            return ""
        try:
            line = self._stream.readline(LONGEST_LINE + 1)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if len(line) > LONGEST_LINE:
            raise _too_long(self.path, self.number + 1)
        self.number += bool(line)
        start, self._offset = self._offset, self._offset + len(line)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            shown = " ".join(f"{byte:02x}" for byte in line[error.start : error.start + 4])
            likely = looks_gb18030(line)
            raise Undecodable(shown, start + error.start, _is_utf8(line), likely) from None

    def _from_stream(self, text: TextIOWrapper) -> str:
        if text.closed:
            return ""
        try:
            line = text.readline(LONGEST_LINE)
        except UnicodeError as error:
            place = f"{self.path}: after line {self.number}"
            message = f"found bytes that are no {self._encoding} text"
            raise UserError(
                Problem(place, message, str(error), code="data.not-the-encoding")
            ) from None
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if len(line) == LONGEST_LINE:
            raise _too_long(self.path, self.number + 1)
        self.number += bool(line)
        return line


def _is_utf8(line: bytes) -> bool:
    try:
        return bool(line.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        Problem(str(path), f"can't be read: {error.strerror or error}", code="data.file-unreadable")
    )


def _too_long(path: Path, line: int) -> UserError:
    message = f"a line is longer than {LONGEST_LINE >> 20} MiB, expected rows of text"
    return UserError(Problem(f"{path}: line {line}", message, code="data.line-too-long"))
