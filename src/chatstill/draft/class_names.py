"""Names of classes that a file beside the rows lists."""

from contextlib import suppress
from pathlib import Path

CLASS_FILES = ("class.txt", "classes.txt", "labels.txt")


def class_names(file: Path, highest: int, encoding: str) -> str | list[str] | None:
    """A file of class names beside the rows, if it has one for each number up to the highest.

    The names themselves where the file would be read otherwise: it is read in the encoding of the rows.
    """
    for path in map(file.with_name, CLASS_FILES):
        if path.is_file():
            data = path.read_bytes()
            as_rows = _lines(data, encoding)
            lines = _lines(data, "utf-8-sig") or as_rows
            if highest < len(lines):
                return str(path) if lines == as_rows else lines
    return None


def _lines(data: bytes, encoding: str) -> list[str]:
    """The lines that are not empty; none where the bytes are in another encoding."""
    with suppress(UnicodeDecodeError):
        text = data.decode(encoding).removeprefix("\ufeff")
        return [line for line in text.split("\n") if line.strip()]
    return []
