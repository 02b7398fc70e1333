"""What the values of a column are: language, or identifiers, names, times, addresses and numbers."""

import re
from collections import Counter
from collections.abc import Sequence

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SIGN = re.compile(f"[{_CJK}]")
_WORD = re.compile(f"[^\\W\\d_{_CJK}]+(?:['’][^\\W\\d_]+)?")
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_TIME = re.compile(
    r"\d{1,4}([-/.年月])\d{1,2}([-/.月日])?\d{0,4}日?([ T]?\d{1,2}[:时点]\d{1,2}.*)?|\d{1,2}:\d{2}(:\d{2})?.*"
)
_PLACE = re.compile(r"(https?://|www\.)\S+|\S+@\S+\.\w+|(/|[A-Za-z]:\\|\./)\S+")
ONE_SHAPE = 0.9  # share of the values that have the same shape
SIGNS_A_WORD = 1.5  # Chinese characters to a word
LANGUAGE = 2.5  # words that one value in four has at least, where a column holds language
MOST_WORDS_OF_A_LABEL = 6.0


def words_in(value: str) -> float:
    """Words of a value; of Chinese, Japanese and Korean text its signs count two thirds each."""
    return len(_WORD.findall(value)) + len(_SIGN.findall(value)) / SIGNS_A_WORD


def shape_of(value: str) -> str:
    """A value with runs of letters as ``a`` and runs of digits as ``9``: ``R036-B01`` is ``a9-a9``."""
    return _DIGITS.sub("9", _LETTERS.sub("a", value.strip()))


def is_technical(values: Sequence[str]) -> bool:
    """Whether nearly all values are times, addresses of the net, paths, or codes with digits in one word."""
    if not values:
        return False
    coded = sum(
        bool(_TIME.fullmatch(value) or _PLACE.fullmatch(value) or _is_code(value))
        for value in values
    )
    return coded >= ONE_SHAPE * len(values)


def _is_code(value: str) -> bool:
    """One word with digits or underscores in it, such as ``R0B1C2D3E4`` or ``user_17``; no sentence sign."""
    plain = not re.search(r"\s", value) and bool(re.search(r"[\d_]", value))
    return plain and len(_SIGN.findall(value)) <= 2 and words_in(value) <= 4


def has_one_shape(values: Sequence[str]) -> bool:
    """Whether nearly all values look alike: names, codes, numbers with a unit."""
    if len(values) < 2:
        return False
    count = Counter(shape_of(value) for value in values).most_common(1)[0][1]
    return count >= ONE_SHAPE * len(values)


def is_language(values: Sequence[str]) -> bool:
    """Whether the distinct values of a column are language: several words each, of more than one shape.

    A quarter of the values has ``LANGUAGE`` words at least. Names of people and things are shorter, and
    of about one length.

    Args:
        values: Distinct ones, no empty ones.
    """
    if not values or is_technical(values):
        return False
    counts = sorted(map(words_in, values))
    upper = counts[(3 * (len(counts) - 1) + 3) // 4]
    if upper < LANGUAGE:
        return False
    spread = counts[-1] >= 1.5 * max(counts[0], 0.5) or upper >= 2 * LANGUAGE
    # Names of two words are alike (``Ann Lee``), and so are Chinese names of three signs.
    return spread or not has_one_shape(values) or len(values) <= 3


def mean_words(values: Counter[str]) -> float:
    """Words of a cell, on average."""
    total = sum(values.values())
    return sum(words_in(value) * count for value, count in values.items()) / max(total, 1)
