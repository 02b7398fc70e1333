"""The words of a corpus, counted once and kept: those that are predicted, all that are read; lines as ids."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.kept import KIND, Kept
from ..disk.json_file import parse_json
from ..text.segment import SAMPLE, usual_segmenter
from ..text.tokenizers import tokenizer_fingerprint
from ..text.word_list import build_words
from ..text.word_tokenizer import SPECIAL, WordTokenizer
from .fit import dictionary_of

if TYPE_CHECKING:
    from ..config.schema import RunConfig
    from ..tasks.corpus import Lines

FORMAT = "words of a corpus 1"
BOUNDARIES = ("<S>", "</S>")
FIRST = (*SPECIAL, *BOUNDARIES)
BEGIN_ID, END_ID = FIRST.index("<S>"), FIRST.index("</S>")


@dataclass(frozen=True)
class CorpusWords:
    """The words of a corpus.

    Attributes:
        vocabulary: Those that are predicted, special ones and boundaries first; a word's place is its id.
        others: The rest of train and dev, which is read alone; their ids follow.
        share: Of all words of the training text, those in the vocabulary.
    """

    vocabulary: list[str]
    others: list[str]
    share: float

    @property
    def digest(self) -> str:
        """sha256 of all words in their order."""
        parts = json.dumps([self.vocabulary, self.others]).encode("ascii")
        return hashlib.sha256(parts).hexdigest()


class LineEncoder:
    """A line as the ids of its words between those of its begin and end (``data.blocks.BlockEncoder``).

    Args:
        tokenizer: Knows all words of the text, the boundaries among them.
    """

    padding_side = "right"
    joint = ""
    around: tuple[list[int], list[int]] = ([], [])

    def __init__(self, tokenizer: WordTokenizer) -> None:
        self.tokenizer = tokenizer

    def ids_of(self, texts: list[str]) -> list[list[int]]:
        """Ids of lines; nothing of a line without a word."""
        found = self.tokenizer.ids_of_all(texts)
        return [[BEGIN_ID, *ids, END_ID] if ids else [] for ids in found]

    def identity(self) -> dict[str, Any]:
        """Words and segmenter by content."""
        return {"lines": FORMAT, "tokenizer": tokenizer_fingerprint(self.tokenizer)}


def corpus_cutter(
    config: RunConfig, segmenter: str | None, dictionary: str | None, text: Lines, block: str
) -> WordTokenizer:
    """A tokenizer that cuts as the keys say; its own words do not matter.

    Args:
        config: The run's.
        segmenter: Its name; None goes by the language of the first lines.
        dictionary: File of a user dictionary.
        text: Its first lines are looked at.
        block: Of the keys, for messages.

    Raises:
        UserError: a segmenter that is missing or faulty, or a dictionary that cannot be read.
    """
    lines = chain.from_iterable(some for _, some in text.read(text.start))
    return WordTokenizer(
        words=SPECIAL,
        place=f"{block}.segmenter",
        segmenter=segmenter or usual_segmenter(islice(lines, SAMPLE)),
        dictionary=dictionary_of(dictionary, f"{block}.user_dictionary"),
        do_lower_case=bool(config.do_lower_case),
        normalize=config.normalize,
    )


def corpus_words(
    cutter: WordTokenizer,
    train: Lines,
    dev: Lines,
    *,
    min_count: int,
    max_words: int,
    place: str,
    kept: Kept,
    source: str,
) -> CorpusWords:
    """The words of a corpus, those that were kept where nothing has changed. All are held in memory.

    Args:
        cutter: Cuts lines.
        train: Its frequent words are the vocabulary.
        dev: Its words are read too.
        min_count: How often a word of the vocabulary stands in train at least.
        max_words: How many words that are at most, special ones and boundaries not counted.
        place: The key that says what is frequent enough.
        kept: Where such lists are kept.
        source: Fingerprint of both texts.

    Raises:
        UserError: a faulty segmenter, or no word that is frequent enough.
    """
    made_of = {
        "kept": FORMAT,
        "rows": source,
        "cut by": cutter.identity(),
        "min_count": min_count,
        "max_words": max_words,
    }
    found = _read(kept.find(made_of))
    if found is None:
        counts = _counted(train, cutter)
        for word in BOUNDARIES:  # they are what they are called, wherever they stand
            counts.pop(word, None)
        words = build_words(counts, min_count=min_count, max_words=max_words, place=place)
        vocabulary = [*FIRST, *words[len(SPECIAL) :]]
        known = sum(counts[word] for word in vocabulary[len(FIRST) :])
        others = further_words(vocabulary, [counts, _counted(dev, cutter)])
        found = CorpusWords(vocabulary, others, known / max(counts.total(), 1))
    text = json.dumps([found.vocabulary, found.others]).encode("ascii")
    facts = {KIND: "words", "share": found.share, "digest": found.digest}
    kept.keep(made_of, facts, lambda: {"words": np.frombuffer(text, np.uint8)})
    return found


def words_beyond(vocabulary: Sequence[str], cutter: WordTokenizer, text: Lines) -> list[str]:
    """The words of a text that a vocabulary lacks."""
    return further_words(vocabulary, [_counted(text, cutter)])


def further_words(vocabulary: Sequence[str], counts: Sequence[Counter[str]]) -> list[str]:
    """Words that a vocabulary lacks, by falling count, then by the word itself."""
    known = frozenset(vocabulary)
    total: Counter[str] = Counter()
    for each in counts:
        total.update({word: count for word, count in each.items() if word not in known})
    return sorted(total, key=lambda word: (-total[word], word))


def _counted(text: Lines, cutter: WordTokenizer) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, some in text.read(text.start):
        for words in cutter.cut_all(filter(None, some)):
            counts.update(words)
    return counts


def _read(found: tuple[dict[str, Any], dict[str, np.ndarray]] | None) -> CorpusWords | None:
    if found is None:
        return None
    facts, arrays = found
    try:
        vocabulary, others = parse_json(arrays["words"].tobytes())
        read = CorpusWords(vocabulary, others, facts["share"])
        return read if read.digest == facts["digest"] else None
    except (KeyError, ValueError, TypeError):  # not what this version writes
        return None
