"""Tab-separated rows: lines end at \\n or \\r\\n only, fields at TAB only, quotes are text."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import Problem, UserError
from .bad_rows import BadRows, FirstStops

BLOCK = 1 << 20
LONGEST_LINE = 64 << 20
BOM = b"\xef\xbb\xbf"
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]")  # with signs of private use
UNREADABLE = "\udcff"  # stands for a line that is left out; no UTF-8 decodes to it


def read_rows(path: Path, bad: BadRows | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows of a UTF-8 file, streamed.

    Other line separators (U+2028, \\x0b, \\x85, a lone \\r) and NUL are text like any other
    character. One byte order mark at the start is dropped; the last line needs no line end; empty
    lines after the last row are passed over.

    Args:
        path: The file.
        bad: Takes lines that are no rows, and tells of them when asked to finish; None: the first one
            stops the reading.

    Yields:
        The line number from 1, and the line's fields (one for a line without TAB).

    Raises:
        UserError: the file can't be read, a line of more than 64 MiB; without ``bad`` also bytes that
            are no UTF-8 (with line and offset), an empty line between rows. Rows before the fault are
            yielded first.
    """
    bad = bad or FirstStops()
    line = empty = 0
    for text in _blocks(path, bad):
        if "\r\n" in text:
            text = text.replace("\r\n", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        for content in lines:
            line += 1
            if not content:
                empty = empty or line
                continue
            for number in range(empty, line) if empty else ():
                found = "an empty line between rows"
                bad.take(malformed(path, number, found, "a row in every line"))
            empty = 0
            if content == UNREADABLE:
                continue
            yield line, content.split("\t")


def malformed(path: Path, line: int, found: str, expected: str, hint: str = "") -> UserError:
    """The error for a row that can't be taken: file, line, what was found, what was expected."""
    return UserError(
        Problem(
            f"{path}: line {line}",
            f"found {found}, expected {expected}",
            hint,
            code="data.malformed-row",
        )
    )


def show(fields: Sequence[str]) -> str:
    """Fields for a message: ``2 fields ('how are you', 'fine')``, long ones shortened."""
    shown = [shorten(field) for field in fields[:6]]
    more = ", ..." if len(fields) > len(shown) else ""
    noun = "field" if len(fields) == 1 else "fields"
    return f"{len(fields)} {noun} ({', '.join(shown)}{more})"


def lacks_text(first: str, second: str | None = None) -> bool:
    """Whether a text of a row is empty, or nothing but blanks."""
    return not first.strip() or (second is not None and not second.strip())


def shorten(text: str, limit: int = 40) -> str:
    """The text in quotes, control characters escaped, cut after ``limit`` characters."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}..."


def _blocks(path: Path, bad: BadRows) -> Iterator[str]:
    """The file as pieces of about a megabyte that end with a line end (the last one may not)."""
    offset, first_line = 0, 1
    for chunk in whole_lines(path):
        if offset == 0 and chunk.startswith(BOM):
            chunk, offset = chunk[len(BOM) :], len(BOM)
        try:
            yield chunk.decode("utf-8")
        except UnicodeDecodeError:
            yield from _line_by_line(path, chunk, first_line, offset, bad)
        offset += len(chunk)
        first_line += chunk.count(b"\n")


def _line_by_line(path: Path, chunk: bytes, line: int, offset: int, bad: BadRows) -> Iterator[str]:
    """The lines of a piece that is not all UTF-8."""
    for number, raw in enumerate(io.BytesIO(chunk), start=line):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            bad.take(undecodable(path, number, offset + error.start, raw, error.start))
            text = UNREADABLE + "\n"
        yield text
        offset += len(raw)


def whole_lines(path: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Whole lines as bytes, many at a time.

    Args:
        path: The file.
        start: Offset of the first line.
        stop: Offset behind the last one; None reads to the end.

    Raises:
        UserError: the file can't be opened or read, or holds a line that is too long.
    """
    try:
        with open(path, "rb") as stream:
            parts: list[bytes] = []
            held = 0
            stream.seek(start)
            while block := stream.read(BLOCK if stop is None else min(BLOCK, stop - stream.tell())):
                cut = block.rfind(b"\n") + 1
                if cut:
                    yield b"".join((*parts, block[:cut]))
                    parts, held = [], 0
                parts.append(block[cut:])
                held += len(block) - cut
                if held > LONGEST_LINE:
                    message = (
                        f"a line is longer than {LONGEST_LINE >> 20} MiB, expected rows of text"
                    )
                    raise UserError(Problem(str(path), message, code="data.line-too-long"))
            if held:
                yield b"".join(parts)
    except OSError as error:
        raise UserError(
            Problem(
                str(path), f"can't be read: {error.strerror or error}", code="data.file-unreadable"
            )
        ) from None


def undecodable(path: Path, line: int, offset: int, raw: bytes, at: int) -> UserError:
    """The error for bytes that are no UTF-8, with the likeliest reason.

    Args:
        path: The file.
        line: From 1.
        offset: Of the first such byte in the file.
        raw: The line.
        at: Of that byte in it.
    """
    rest = raw[at:]
    shown = " ".join(f"{byte:02x}" for byte in rest[:4])
    encoding = "GB18030" if looks_gb18030(raw) else "ITS_ENCODING"
    hint = (
        f"If it is text, convert the file to UTF-8: iconv -f {encoding} -t UTF-8 old.txt > new.txt"
    )
    if offset == 0 and rest[:2] in (b"\xff\xfe", b"\xfe\xff"):
        hint = "This is UTF-16. Convert it: iconv -f UTF-16 -t UTF-8 old.txt > new.txt"
    elif offset == 1 and line == 1 and rest[:1] == b"\x8b":
        hint = "This looks like a gzip file: unpack it first."
    place = f"{path}: line {line}, byte offset {offset}"
    return UserError(
        Problem(place, f"found bytes that are no UTF-8 text ({shown})", hint, code="data.not-utf-8")
    )


def looks_gb18030(line: bytes) -> bool:
    """Whether bytes are likely text in GB18030: all decode, at least half of the letters into Chinese.

    Other encodings and bytes that are no text seldom do: their lines hold letters of ASCII, control
    characters, or pairs that GB18030 does not have.
    """
    try:
        text = line.strip().decode("gb18030")
    except UnicodeDecodeError:
        return False
    letters = [sign for sign in text if sign.isalpha()]
    chinese = sum(bool(HAN.match(sign)) for sign in letters)
    return chinese > 0 and 2 * chinese >= len(letters) and not CONTROL.search(text)
