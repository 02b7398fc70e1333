"""TF-IDF as a ranker: the cosine of a query and a reply, by scikit-learn's ``TfidfVectorizer``.

Its weights are those of the distinct replies that are ranked. Which words it counts goes by their script and
by what is installed, and is told: jieba's words or pairs of neighbouring characters where words have no
blanks between them, else words by Unicode's boundaries. Texts are lower-cased; words without a letter or a
digit are left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..text.segment import JIEBA, SAMPLE, WORDS, load_segmenter, usual_segmenter

CHUNK = 65_536  # rows that are multiplied at once
DIGITS = 12  # of a cosine: replies of equal words in another order are equal
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"


class Words(NamedTuple):
    """What TF-IDF counts: in words for people, and a function from a text to them."""

    title: str
    of: Callable[[str], list[str]]


class TfIdf(NamedTuple):
    """Cosines (N,) of each row's query and reply, from 0 to 1; what was counted, over how many replies."""

    scores: np.ndarray
    words: str
    replies: int


def tf_idf(queries: Sequence[str], replies: Sequence[str]) -> TfIdf:
    """Scores of N pairs. A text without any word, or without a word of the replies, has the cosine 0.

    Args:
        queries: (N,) the first text of each row.
        replies: (N,) the second.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    all_queries, query_of = _distinct(queries)
    all_replies, reply_of = _distinct(replies)
    words = words_for(all_replies)
    counted = [words.of(text) for text in all_replies]
    if not any(counted):
        return TfIdf(np.zeros(len(replies)), words.title, len(all_replies))
    vectorizer = TfidfVectorizer(analyzer=_unchanged)
    documents = vectorizer.fit_transform(counted)
    asked = vectorizer.transform([words.of(text) for text in all_queries])
    scores = np.zeros(len(replies))
    for start in range(0, len(replies), CHUNK):
        rows = slice(start, start + CHUNK)
        products = asked[query_of[rows]].multiply(documents[reply_of[rows]])
        scores[rows] = np.asarray(products.sum(axis=1)).reshape(-1)
    return TfIdf(np.round(scores, DIGITS), words.title, len(all_replies))


def words_for(texts: Sequence[str]) -> Words:
    """The words of texts by their script; the first texts decide."""
    if usual_segmenter(texts) == JIEBA and importlib.util.find_spec(JIEBA) is not None:
        segmenter = load_segmenter(JIEBA)
        return Words(f"words by jieba {segmenter.version}", _spoken(segmenter.cut))
    if not _without_blanks(texts):
        return Words("words by Unicode boundaries", _spoken(load_segmenter(WORDS).cut))
    lacking = " (jieba is not installed)" if usual_segmenter(texts) == JIEBA else ""
    return Words(f"pairs of neighbouring characters{lacking}", character_pairs)


def kinds_for(texts: Sequence[str]) -> list[Words]:
    """What a linear model may count: words, and where no blanks stand between them characters too.

    On Chinese news titles characters tell classes far better than words (`linear_model` tries both).
    """
    if not _without_blanks(texts):
        return [words_for(texts)]
    characters = Words("characters", characters_of)
    cuts = usual_segmenter(texts) == JIEBA and importlib.util.find_spec(JIEBA) is not None
    return [words_for(texts), characters] if cuts else [characters]


def characters_of(text: str) -> list[str]:
    """All but white space, lower-cased."""
    return [sign for sign in text.lower() if not sign.isspace()]


def character_pairs(text: str) -> list[str]:
    """Pairs of neighbouring letters and digits; one that stands alone is there by itself."""
    import regex

    runs = regex.findall(r"[\p{L}\p{M}\p{N}]+", text.lower())
    return [run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))]


def _spoken(cut: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    def words(text: str) -> list[str]:
        return [word for word in cut(text.lower()) if any(sign.isalnum() for sign in word)]

    return words


def _without_blanks(texts: Sequence[str]) -> bool:
    """Whether most letters are of scripts that set no blanks between words."""
    import regex

    text = "".join(islice(texts, SAMPLE))
    letters = sum(sign.isalpha() for sign in text)
    return 2 * len(regex.findall(UNSPACED, text)) > letters


def _distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Different texts in the order of their first row, and the number of each row's (N,)."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(text, len(numbers)) for text in texts]
    return list(numbers), np.array(rows, dtype=np.int64)


def _unchanged(words: list[str]) -> list[str]:
    return words
