"""Files of inverse document frequencies: a word and a number a line."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import Problem, UserError

TOLD = 5  # faults that are listed


def read_idf(path: Path, place: str) -> dict[str, float]:
    """Word -> number. A TAB parts the two, else a line's only space, as in jieba's ``idf.txt``.

    Args:
        path: UTF-8, with or without a byte order mark.
        place: The key that names it, for messages.

    Raises:
        UserError: it cannot be read, or lines are faulty: all of them are counted, the first ones named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"{path} cannot be read: {reason}"
        raise UserError(Problem(place, message, code="words.idf-unreadable")) from error
    found: dict[str, float] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        word, value, fault = _entry(line.rstrip("\r"))
        if not fault and found.get(word, value) != value:
            fault = f"'{word}' has another number above"
        if fault:
            faults.append(f"line {number}: {fault}")
        found[word] = value
    if faults:
        more = f"; {len(faults) - TOLD:,} more" if len(faults) > TOLD else ""
        message = f"{path}, {'; '.join(faults[:TOLD])}{more}"
        hint = "A line is a word, one space or TAB, and a number above 0."
        raise UserError(Problem(place, message, hint, code="words.idf-lines"))
    if not found:
        raise UserError(Problem(place, f"{path} holds no line", code="words.idf-empty"))
    return found


def _entry(line: str) -> tuple[str, float, str]:
    """(word, number, what is wrong)."""
    word, parted, written = line.partition("\t" if "\t" in line else " ")
    word = word.strip()
    if not parted or not word:
        return "", 0.0, f"{line[:40]!r} is no word and number"
    try:
        value = float(written)
    except ValueError:
        return word, 0.0, f"{written[:40]!r} is no number"
    if not (math.isfinite(value) and value > 0):
        return word, 0.0, f"{written[:40]!r} is no number above 0"
    return word, value, ""
