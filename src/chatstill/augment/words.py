"""The words of a raw text that may be replaced, where they stand, and the casing of what replaces them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKENS = re.compile(rf"(?:(?![{HAN}])[^\W_])+")
_ALL_HAN = re.compile(f"[{HAN}]+")
_ANY_HAN = re.compile(f"[{HAN}]")

Cut = Callable[[str], Iterable[str]]


class Word(NamedTuple):
    """A word by its place in the text: characters from ``start`` up to ``end``."""

    start: int
    end: int
    text: str
    kind: Literal["letters", "han"]


def has_han(text: str) -> bool:
    """Whether a text holds a Chinese character, simplified or traditional."""
    return _ANY_HAN.search(text) is not None


def is_han(text: str) -> bool:
    """Whether a text is Chinese characters alone."""
    return _ALL_HAN.fullmatch(text) is not None


@cache
def _script(sign: str) -> str:
    """The script of a letter, by its name in Unicode; kana are one script."""
    plain = unicodedata.normalize("NFKC", sign)[:1]
    name = unicodedata.name(plain, "").split(" ")[0].split("-")[0]
    return "KANA" if name in ("HIRAGANA", "KATAKANA") else name


def others(word: str, found: Iterable[str | None]) -> list[str]:
    """Each word of the same script once, whatever its casing, without the word itself.

    Args:
        word: The word that is to be replaced.
        found: Words, the best first; None for what is none.
    """
    scripts = set(map(_script, word))
    seen, kept = {word.casefold()}, []
    for candidate in found:
        if candidate is None or candidate.casefold() in seen:
            continue
        if set(map(_script, candidate)) <= scripts:
            seen.add(candidate.casefold())
            kept.append(candidate)
    return kept


@cache
def stop_words() -> frozenset[str]:
    """NLTK's English list."""
    text = files(__package__).joinpath("stop_words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def replaceable(text: str, cut: Cut | None) -> list[Word]:
    """The words that may be replaced, in the order of the text.

    Words of letters alone that are no stop words, and the Chinese words of a segmenter. Numbers, signs,
    emoji, and words whose letters carry marks of their own are left alone.

    Args:
        text: The text as it is.
        cut: The segmenter; None where the text has no Chinese.
    """
    found = list(_letters(text))
    if cut is not None and has_han(text):
        found += _chinese(text, cut)
    return sorted(found)


def _letters(text: str) -> Iterator[Word]:
    for match in _TOKENS.finditer(text):
        start, end = match.span()
        word = match.group()
        if not word.isalpha() or word.lower() in stop_words():
            continue
        if _is_mark(text, end) or _is_mark(text, start - 1):
            continue
        yield Word(start, end, word, "letters")


def _is_mark(text: str, at: int) -> bool:
    """Whether a combining mark stands there: the letters beside it are no whole word."""
    return 0 <= at < len(text) and unicodedata.category(text[at]).startswith("M")


def _chinese(text: str, cut: Cut) -> Iterator[Word]:
    for start, word in spans(text, cut):
        if is_han(word):
            yield Word(start, start + len(word), word, "han")


def spans(text: str, cut: Cut) -> Iterator[tuple[int, str]]:
    """Where each word of a segmenter begins; what it does not give back as it stood is passed over."""
    at = 0
    for word in cut(text):
        start = text.find(word, at)
        if start < 0:
            continue
        yield start, word
        at = start + len(word)


def cased_like(word: str, candidate: str) -> str:
    """A candidate in the casing of the word whose place it takes."""
    if len(word) > 1 and word.isupper():
        return candidate.upper()
    if word[:1].isupper() and word[1:] == word[1:].lower():
        return candidate[:1].upper() + candidate[1:].lower()
    return candidate.lower() if word == word.lower() else candidate


def put(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with other words at some places: (start, end, word) in rising order; all else stays."""
    parts, at = [], 0
    for start, end, word in changes:
        parts += [text[at:start], word]
        at = end
    return "".join([*parts, text[at:]])
