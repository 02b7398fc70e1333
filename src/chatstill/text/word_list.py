"""The words of a tokenizer: counted in texts, and chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..errors import Problem, UserError
from .word_tokenizer import SPECIAL, WordTokenizer


def count_words(texts: Iterable[str], tokenizer: WordTokenizer) -> tuple[Counter[str], int]:
    """How often each word stands in texts, and how many different texts there are: each is cut once."""
    counts: Counter[str] = Counter()
    different = Counter(texts)
    found = tokenizer.cut_all(list(different))
    for times, words in zip(different.values(), found, strict=True):
        for word in words:
            counts[word] += times
    return counts, len(different)


def build_words(counts: Counter[str], *, min_count: int, max_words: int, place: str) -> list[str]:
    """Special words, then the most frequent ones: by falling count, then by the word itself.

    Raises:
        UserError: no word is frequent enough.
    """
    kept = [(word, count) for word, count in counts.items() if count >= min_count]
    kept = [(word, count) for word, count in kept if word not in SPECIAL]
    if not kept:
        most = max(counts.values(), default=0)
        message = f"no word stands {min_count:,} times in the training texts"
        detail = (
            f" (the most frequent of {len(counts):,}: {most:,} times)"
            if most
            else ": they are empty"
        )
        raise UserError(Problem(place, message + detail, "Lower min_count."))
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    return [*SPECIAL, *(word for word, _ in kept[:max_words])]
