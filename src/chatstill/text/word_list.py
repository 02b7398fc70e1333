"""The words of a tokenizer: counted in texts, and chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..errors import Problem, UserError
from .word_tokenizer import SPECIAL, WordTokenizer

SAY_EVERY = 10_000


def count_words(
    texts: Iterable[str],
    tokenizer: WordTokenizer,
    progress: Callable[[int], None] | None = None,
) -> tuple[Counter[str], int]:
    """How often each word stands in texts, and how many different texts there are: each is cut once.

    Args:
        texts: Of the training rows; one that stands there twice counts twice.
        tokenizer: Cuts them; its list of words does not matter.
        progress: Called with the number of different texts now and then.

    Raises:
        UserError: the segmenter is faulty.
    """
    counts: Counter[str] = Counter()
    different = Counter(texts)
    times = iter(different.values())
    for number, words in enumerate(tokenizer.cut_all(different), 1):
        often = next(times)
        for word in words:
            counts[word] += often
        if progress is not None and number % SAY_EVERY == 0:
            progress(number)
    return counts, len(different)


def build_words(counts: Counter[str], *, min_count: int, max_words: int, place: str) -> list[str]:
    """Special words, then the most frequent ones: by falling count, then by the word itself.

    Args:
        counts: How often each word stands in the training texts.
        min_count: How often it stands there at least.
        max_words: How many are kept at most, without the special ones.
        place: The key that says what is frequent enough.

    Raises:
        UserError: no word is frequent enough.
    """
    usual = {word: count for word, count in counts.items() if word not in SPECIAL}
    kept = [(word, count) for word, count in usual.items() if count >= min_count]
    if not kept or max_words < 1:
        most = max(usual.values(), default=0)
        message = f"no word stands {min_count:,} times in the training texts"
        detail = f" (the most frequent of {len(usual):,}: {most:,} times)" if most else ": no words"
        raise UserError(
            Problem(
                place, message + detail, "Lower min_count." if most else "", code="words.none-left"
            )
        )
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    return [*SPECIAL, *(word for word, _ in kept[:max_words])]
