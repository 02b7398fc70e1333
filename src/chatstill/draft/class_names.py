"""Names of classes that a file beside the rows lists."""

from contextlib import suppress
from pathlib import Path

CLASS_FILES = ("class.txt", "classes.txt", "labels.txt")


def class_names(file: Path, highest: int, encoding: str) -> str | list[str] | None:
    """A file of class names beside the rows, if it has one for each number up to the highest.

    The names themselves, where the file is UTF-8 beside rows in another encoding, in which it would be read.
    """
    for path in map(file.with_name, CLASS_FILES):
        if path.is_file():
            data = path.read_bytes()
            for known in ("utf-8-sig", encoding):
                with suppress(UnicodeDecodeError):
                    lines = [line for line in data.decode(known).splitlines() if line.strip()]
                    if highest < len(lines):
                        same = known == encoding or encoding == "utf-8" or data.isascii()
                        return str(path) if same else lines
                    break
    return None
