"""Kinds of characters that a tokenizer may stumble over, counted over many texts at once.

None of the kinds needs a table of its own:

- ``emoji``: symbols, skin tones and flag letters of U+1F000-1FAFF, the older symbols that are drawn in
  colour by default, and U+FE0F, which turns the character before it into one.
- ``full_width``: letters, digits and blanks of East Asian width F, such as Ａ, ７ and U+3000; the signs of
  Chinese sentences (，！) belong there and are not counted. ``full_width_alphanumeric``: the letters and
  digits, which NFKC makes plain ones.
- ``traditional``: in Big5 and not in GB2312, by Python's codecs. Characters that both scripts share but
  GB2312 left out (some of names) count as well; those that GB2312 holds for their own sake (乾, 著) do not.
- ``zero_width``: nothing is drawn: U+200B-200F, U+2060-2064, U+FEFF, U+00AD, U+180E.
- ``control``: Unicode category Cc without TAB and line ends, such as NUL.
- ``replacement``: U+FFFD, what a wrong decoding leaves behind.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

KINDS = (
    "emoji",
    "full_width",
    "full_width_alphanumeric",
    "traditional",
    "zero_width",
    "control",
    "replacement",
)
_ZERO_WIDTH = (*range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF, 0xAD, 0x180E)
_COLOURED = (  # first and last of each run
    "231A-231B 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653 267F 2693 26A1 26AA-26AB 26BD-26BE "
    "26C4-26C5 26CE 26D4 26EA 26F2-26F3 26F5 26FA 26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757 "
    "2795-2797 27B0 27BF 2B1B-2B1C 2B50 2B55 FE0F"
)


def kinds_of(character: str) -> set[str]:
    """The kinds that one character belongs to."""
    bits = int(_table()[ord(character)])
    return {name for number, name in enumerate(KINDS) if bits >> number & 1}


class CharacterCounter:
    """How many characters, and how many rows, hold each kind.

    Attributes:
        num_characters: In all rows.
        characters: (len(KINDS),) characters of each kind.
        rows: (len(KINDS),) rows with at least one.
    """

    def __init__(self) -> None:
        self.num_characters = 0
        self.characters = np.zeros(len(KINDS), np.int64)
        self.rows = np.zeros(len(KINDS), np.int64)

    def add(self, rows: Sequence[str]) -> None:
        """Counts further rows."""
        text = "".join(rows)
        if not text:
            return
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        flags = _table()[codes]  # (characters,)
        lengths = np.array([len(row) for row in rows if row])
        by_row = np.bitwise_or.reduceat(flags, np.cumsum(lengths) - lengths)
        self.num_characters += len(codes)
        self.characters += _by_kind(flags)
        self.rows += _by_kind(by_row)


def _by_kind(flags: np.ndarray) -> np.ndarray:
    """How often each bit is set (len(KINDS),)."""
    counts = np.bincount(flags, minlength=1 << len(KINDS))
    values = np.arange(len(counts))
    return np.array([counts[values >> bit & 1 == 1].sum() for bit in range(len(KINDS))])


@cache
def _table() -> np.ndarray:
    """(0x110000,) uint8: the kinds of every code point as bits."""
    table = np.zeros(0x110000, np.uint8)

    def mark(kind: str, codes: Sequence[int]) -> None:
        table[np.array(codes, np.int64)] |= np.uint8(1 << KINDS.index(kind))

    coloured = [_run(part) for part in _COLOURED.split()]
    symbols = [c for c in range(0x1F000, 0x1FB00) if unicodedata.category(chr(c)) in ("So", "Sk")]
    mark("emoji", [*symbols, *(code for codes in coloured for code in codes)])
    full = [c for c in range(0x3000, 0x10000) if unicodedata.east_asian_width(chr(c)) == "F"]
    mark("full_width", [c for c in full if chr(c).isalnum() or chr(c).isspace()])
    mark("full_width_alphanumeric", [c for c in full if chr(c).isalnum()])
    mark("traditional", [c for c in range(0x4E00, 0xA000) if _is_traditional(chr(c))])
    mark("zero_width", _ZERO_WIDTH)
    control = [*range(0x20), *range(0x7F, 0xA0)]
    mark("control", [code for code in control if chr(code) not in "\t\r\n"])
    mark("replacement", [0xFFFD])
    return table


def _run(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)


def _is_traditional(character: str) -> bool:
    return _holds("big5", character) and not _holds("gb2312", character)


def _holds(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
