"""The words of a student: counted in the training texts once, kept, and read again by whoever asks next."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.kept import KIND, Kept
from ..disk.json_file import parse_json
from ..text.word_list import build_words, count_words
from ..text.word_tokenizer import WordTokenizer

if TYPE_CHECKING:
    from ..models.networks.base import WordsBlock
    from ..tasks.base import Example

FORMAT = "words of training texts 1"
log = logging.getLogger("chatstill")


@dataclass(frozen=True)
class WordList:
    """The words that a student reads, and what was seen when they were counted.

    Attributes:
        words: Special ones first; a word's place is its id.
        different: Different words of the training texts.
        share: Of all words of the training texts, those that are among ``words``.
        pairs: Whether rows have two texts.
    """

    words: list[str]
    different: int
    share: float
    pairs: bool

    @property
    def digest(self) -> str:
        """sha256 of the words in their order."""
        return hashlib.sha256(json.dumps(self.words).encode("ascii")).hexdigest()


def word_list(
    keys: WordsBlock,
    cutter: WordTokenizer,
    rows: Callable[[], Iterable[Example]],
    kept: Kept | None,
    source: Callable[[], str],
    place: str,
) -> WordList:
    """The words of the training texts, those that were kept where nothing has changed.

    Args:
        keys: The user's.
        cutter: Cuts texts; its own words do not matter.
        rows: Reads the training rows from the first, as they are prepared.
        kept: Where such lists are kept; None counts anew.
        source: Fingerprint of the rows.
        place: The key that says what is frequent enough.

    Raises:
        UserError: a faulty segmenter, or no word that is frequent enough.
    """
    if kept is None:
        return _counted(keys, cutter, rows, place)
    made_of = {
        "kept": FORMAT,
        "rows": source(),
        "cut by": cutter.identity(),
        "min_count": keys.min_count,
        "max_words": keys.max_words,
    }
    found = _read(kept.find(made_of))
    if found is None:
        found = _counted(keys, cutter, rows, place)
    text = json.dumps(found.words).encode("ascii")
    facts = {
        KIND: "words",
        "different": found.different,
        "share": found.share,
        "pairs": found.pairs,
        "digest": found.digest,
    }
    kept.keep(made_of, facts, lambda: {"words": np.frombuffer(text, np.uint8)})
    return found


def _read(found: tuple[dict[str, Any], dict[str, np.ndarray]] | None) -> WordList | None:
    if found is None:
        return None
    facts, arrays = found
    try:
        words = parse_json(arrays["words"].tobytes())
        read = WordList(words, facts["different"], facts["share"], facts["pairs"])
        return read if read.digest == facts["digest"] else None
    except (KeyError, ValueError, TypeError):  # not what this version writes
        return None


def _counted(
    keys: WordsBlock, cutter: WordTokenizer, rows: Callable[[], Iterable[Example]], place: str
) -> WordList:
    began = time.monotonic()
    pairs = False

    def texts() -> Iterator[str]:
        nonlocal pairs
        for row in rows():
            pairs = pairs or row.text_b is not None
            yield from texts_of(row)

    counts, different = count_words(texts(), cutter)
    words = build_words(counts, min_count=keys.min_count, max_words=keys.max_words, place=place)
    seconds = time.monotonic() - began
    rate = f"{different / max(seconds, 1e-9):,.0f} a second"
    name = cutter.cutter.name
    log.info("%s cut %s different texts in %.0f s (%s)", name, f"{different:,}", seconds, rate)
    known = sum(counts[word] for word in words)
    return WordList(words, len(counts), known / max(sum(counts.values()), 1), pairs)


def texts_of(row: Example) -> Iterator[str]:
    """Its texts in their order."""
    yield from row.context
    yield row.text_a
    if row.text_b is not None:
        yield row.text_b
