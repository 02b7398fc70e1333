"""The single values of a JSON text: texts, numbers, true, false, null, and what people write for them."""

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from .cursor import WORD, Cursor

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
OTHER_QUOTES = {**dict.fromkeys("“”„‟＂", '“”„‟＂"'), **dict.fromkeys("‘’＇`", "‘’＇`'")}
OTHER_QUOTES |= {"'": "'‘’＇", "«": "»", "「": "」", "『": "』"}
_CONSTANTS = {"true": True, "false": False, "null": None}


def read_string(cursor: Cursor) -> str:
    """The string that starts at the cursor, also in quotes of another kind, which is noted."""
    start = cursor.at
    opening = cursor.text[start]
    if opening != '"':
        return _oddly_quoted(cursor, start, OTHER_QUOTES[opening])
    try:
        text, cursor.at = scanstring(cursor.text, start + 1, True)
    except JSONDecodeError as error:
        text = _faulty_string(cursor, start, error)
    quotes = [sign for sign in text if sign in "“”„‟＂"]
    paired = text.count("“") == text.count("”") and text.count("＂") % 2 == 0
    cursor.suspect = (start, quotes[0]) if quotes and not paired else None
    return _checked(cursor, start, text)


def _checked(cursor: Cursor, start: int, text: str) -> str:
    if "\x00" in text or any(0xD800 <= ord(sign) < 0xE000 for sign in text):
        cursor.note(
            start,
            "this text holds a character that no file can hold (\\u0000 or \\ud…).",
            code="json.impossible-character",
        )
        return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
    return text


def _faulty_string(cursor: Cursor, start: int, error: JSONDecodeError) -> str:
    """A text with a lone backslash is read as it stands; one without its end is the end."""
    if "escape" not in error.msg:
        hint = 'Close it with " on the same line; inside a text a line break is written \\n.'
        line_end = re.compile(r"[\r\n]|\Z").search(cursor.text, start)
        assert line_end is not None
        curly = re.search("[“”„‟＂]", cursor.text[start : line_end.end()])
        cursor.suspect = (start, curly.group()) if curly else None
        cursor.fail(
            start, "the text that begins here is not closed.", hint, code="json.text-not-closed"
        )
    end = re.compile(r'"(?=\s*[,:}\]])|[\r\n]|\Z').search(cursor.text, start + 1)
    assert end is not None
    cursor.note(
        start,
        "a single backslash stands in this text.",
        "Write paths with / (or each backslash twice: \\\\).",
        code="json.backslash",
    )
    cursor.at = end.end()
    return cursor.text[start + 1 : end.start()]


def _oddly_quoted(cursor: Cursor, start: int, closing: str) -> str:
    end = re.compile(f"[{re.escape(closing)}\r\n]|\\Z").search(cursor.text, start + 1)
    assert end is not None
    opening = cursor.text[start]
    kind = "single quote" if opening == "'" else "full-width quote"
    cursor.note(
        start,
        f"{kind} {opening}.",
        'JSON takes the straight double quote " only.',
        code="json.odd-quotes",
    )
    if end.group() in ("", "\r", "\n"):
        cursor.fail(
            start,
            "the text that begins here is not closed.",
            'Close it with ".',
            code="json.text-not-closed",
        )
    cursor.at = end.end()
    return _checked(cursor, start, cursor.text[start + 1 : end.start()])


def read_word(cursor: Cursor) -> Any:
    """A number, true, false, null, or a word that should not be there."""
    start = cursor.at
    word = WORD.match(cursor.text, start)
    if not word:
        cursor.fail(
            start, f"a value was expected, found {cursor.shown(start)}.", code="json.value-expected"
        )
    cursor.at = word.end()
    text = word.group()
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.fullmatch(text):
        return _number(cursor, start, text)
    return _no_value(cursor, start, text)


def _number(cursor: Cursor, start: int, text: str) -> int | float:
    number = float(text)
    if number in (float("inf"), float("-inf")) or len(text) > 400:
        cursor.note(start, f"the number {text[:20]}… is too large.", code="json.number-too-large")
        return 0
    return number if re.search("[.eE]", text) else int(text)


def _no_value(cursor: Cursor, start: int, text: str) -> Any:
    lower = text.lower()
    if lower.lstrip("+-") in ("nan", "inf", "infinity"):
        cursor.note(
            start, f"{text} is not a value of JSON.", "Write a number.", code="json.no-value"
        )
        return None
    if lower in (*_CONSTANTS, "none"):
        plain = "null" if lower == "none" else lower
        cursor.note(
            start, f"{text} is not JSON.", f"Write {plain}.", code="json.other-languages-word"
        )
        return _CONSTANTS[plain]
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        cursor.note(
            start,
            f"{text[:40]} lacks its quotes.",
            f'Text stands in quotes: "{text[:40]}".',
            code="json.text-without-quotes",
        )
        return text
    if abs(number) == float("inf"):
        cursor.note(start, f"the number {text[:20]}… is too large.", code="json.number-too-large")
        return 0
    cursor.note(
        start,
        f"{text[:40]} is not a number of JSON.",
        f"Write {number:g}.",
        code="json.number-otherwise-written",
    )
    return int(number) if number.is_integer() else number
