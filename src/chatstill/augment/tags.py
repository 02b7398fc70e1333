"""Parts of speech, and the words of each by their frequency in the training texts."""

from __future__ import annotations

import importlib
import warnings
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from ..errors import Problem, UserError
from ..text.segment import EXTRA, WORDS, load_segmenter
from .words import spans

PLACE = "augmentation.tagger"
Tagged = list[tuple[int, str, str]]  # where a word begins, the word, its tag
Tagger = Callable[[str], Tagged]


def jieba_tagger() -> Tagger:
    """Words and tags of jieba.

    Raises:
        UserError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jieba
            from jieba.posseg import POSTokenizer
    except ImportError as error:
        message = "the segmenter jieba is not installed"
        raise UserError(
            Problem(PLACE, message, f"Install it: {EXTRA}", code="augment.jieba-not-installed")
        ) from error
    cutter = jieba.Tokenizer()  # with its own table, past the file in the shared temporary folder
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    tagger = POSTokenizer(cutter)

    def tag(text: str) -> Tagged:
        pairs = [(pair.word.strip(), pair.flag) for pair in tagger.cut(text)]
        return _placed(text, [pair for pair in pairs if pair[0]])

    return tag


def module_tagger(name: str) -> Tagger:
    """Words by Unicode's boundaries, and the tags that ``module:function`` gives for a list of them.

    The function gives a tag for each word, or (word, tag) pairs, as ``nltk:pos_tag`` does.

    Raises:
        UserError: there is no such function; while tagging, it fails or gives another number of tags.
    """
    module, _, attribute = name.partition(":")
    try:
        function: Any = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
    except Exception as error:  # whatever a user's module raises
        message = f"{name} cannot be imported ({type(error).__name__}: {error})"
        raise UserError(Problem(PLACE, message, code="augment.no-such-tagger")) from error
    segmenter = load_segmenter(WORDS, place=PLACE)

    def tag(text: str) -> Tagged:
        words = segmenter.cut(text)
        try:
            found = [one if isinstance(one, str) else str(one[1]) for one in function(words)]
        except Exception as error:
            message = f"{name} fails on {words[:8]} ({type(error).__name__}: {error})"
            raise UserError(Problem(PLACE, message, code="augment.tagger-fails")) from error
        if len(found) != len(words):
            message = f"{name} gives {len(found):,} tags for {len(words):,} words"
            raise UserError(Problem(PLACE, message, code="augment.tags-too-few"))
        return _placed(text, list(zip(words, found, strict=True)))

    return tag


def untagged() -> Tagger:
    """Words alone: none has another of its kind."""
    segmenter = load_segmenter(WORDS, place=PLACE)
    return lambda text: _placed(text, [(word, "") for word in segmenter.cut(text)])


def _placed(text: str, pairs: list[tuple[str, str]]) -> Tagged:
    tags = iter(pairs)
    found = []
    for start, word in spans(text, lambda _: [pair[0] for pair in pairs]):
        tag = next(tag for other, tag in tags if other == word)
        found.append((start, word, tag))
    return found


class WordsByTag:
    """Words of letters by their tag and frequency.

    Args:
        tagged: The words of each training text.
    """

    def __init__(self, tagged: Iterable[Tagged]) -> None:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for of_text in tagged:
            for _, word, tag in of_text:
                if tag and word.isalpha():
                    counts[tag][word.lower()] += 1
        self._words = {tag: sorted(of_tag) for tag, of_tag in counts.items()}
        self._sums = {
            tag: list(accumulate(counts[tag][word] for word in words))
            for tag, words in self._words.items()
        }

    def other(self, word: str, tag: str, uniform: float) -> str | None:
        """Another word of the tag, in lower case, each by its frequency; None where there is none.

        Args:
            word: Of the training texts.
            tag: Its part of speech.
            uniform: A number from 0, below 1.
        """
        words, sums = self._words.get(tag, []), self._sums.get(tag, [])
        if len(words) < 2 or not word.isalpha():
            return None
        at = bisect_right(words, word.lower()) - 1
        before = sums[at - 1] if at > 0 else 0
        own = sums[at] - before
        drawn = int(uniform * (sums[-1] - own))
        return words[bisect_right(sums, drawn if drawn < before else drawn + own)]
