"""One pass over a file: counts, lengths, characters, unknown words, and what repeats.

Nothing grows with the file but 32 bytes a row (hashes of its texts and label, its line number). Tokens
are counted at the end, on all rows of a small file and on blocks spread over a large one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.encoded import Lengths
from ..data.preparing import chunked
from ..errors import Problem
from ..tasks.base import Example, Rows
from ..text.characters import CharacterCounter
from ..text.tally import Tally, tally

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

TOKEN_BLOCKS = 16  # of up to 2048 rows: at most twice as many are counted
SAMPLE_ROWS = 2048
MOST_WORDS = 20_000
LONGEST = 1 << 16  # lengths above count as this one in medians; the longest itself is exact


class Thinning:
    """Every item of a short stream; every second, fourth, ... of a longer one, ``limit`` at least.

    Needs no length beforehand: when twice ``limit`` are kept, every second goes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: list[Any] = []
        self._stride, self._seen = 1, 0

    def wants(self) -> bool:
        """Whether the next item is one to keep; call once for each."""
        number, self._seen = self._seen, self._seen + 1
        return number % self._stride == 0

    def keep(self, item: Any) -> None:
        """Keeps an item that ``wants`` asked for."""
        self.kept.append(item)
        if len(self.kept) == 2 * self.limit:
            del self.kept[1::2]
            self._stride *= 2

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self._stride == 1


class Histogram:
    """Lengths, for their median and the like."""

    def __init__(self) -> None:
        self.counts = np.zeros(LONGEST + 1, np.int64)
        self.longest = 0

    def add(self, lengths: np.ndarray) -> None:
        if len(lengths):
            self.counts += np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)
            self.longest = max(self.longest, int(lengths.max()))

    def quantile(self, share: float) -> int:
        """The smallest length that at least this share of them do not exceed; 0 without any."""
        total = int(self.counts.sum())
        if not total:
            return 0
        return int(np.searchsorted(np.cumsum(self.counts), share * total - 1e-9))

    def summary(self) -> dict[str, int]:
        return {
            "median": self.quantile(0.5),
            "percentile_95": self.quantile(0.95),
            "longest": self.longest,
        }


class Tokens:
    """Tokens of the rows that were tokenised.

    Attributes:
        rows: How many.
        text_a, text_b: Tokens of each text.
        row: Tokens of a row with special tokens, uncut.
        cut: Rows that the lengths of the run cut.
        cut_a, cut_b: First and second texts that a length of their own cuts; None without such a length.
        second: Rows with a second text.
        total: Tokens without special ones; ``unknown`` of them are the unknown token.
        unknown_rows: Rows with at least one.
        words: What became unknown; rare words of large files may have been dropped.
    """

    def __init__(self) -> None:
        self.rows = self.cut = self.total = self.unknown = self.unknown_rows = 0
        self.text_a, self.text_b, self.row = Histogram(), Histogram(), Histogram()
        self.cut_a: int | None = None
        self.cut_b: int | None = None
        self.second = 0
        self.words: Counter[str] = Counter()

    def add(
        self,
        found: Tally,
        pairs: np.ndarray,
        lengths: Lengths,
        specials: np.ndarray,
        turns: np.ndarray,
    ) -> None:
        """Further rows: their first texts, then the second ones of the rows in ``pairs`` (bool).

        ``specials`` (rows,) are the tokens that are put around the texts and between them; ``turns``
        (rows,) of these stand inside the first text, and count for its length.
        """
        num = len(pairs)
        first, second = found.lengths[:num], np.zeros(num, np.int64)
        second[pairs] = found.lengths[num:]
        unknown = found.unknown[:num].copy()
        unknown[pairs] += found.unknown[num:]
        whole = first + second + specials
        cut = whole > lengths.max_seq_length
        if lengths.max_query_length is not None:
            longer = first + turns > lengths.max_query_length
            self.cut_a = (self.cut_a or 0) + int(longer.sum())
            cut |= longer
        if lengths.max_reply_length is not None:
            longer = second > lengths.max_reply_length
            self.cut_b = (self.cut_b or 0) + int(longer.sum())
            cut |= longer
        self.second += int(pairs.sum())
        self.text_a.add(first)
        self.text_b.add(second[pairs])
        self.row.add(whole)
        self.rows += num
        self.cut += int(cut.sum())
        self.total += int(first.sum() + second.sum())
        self.unknown += int(unknown.sum())
        self.unknown_rows += int((unknown > 0).sum())
        self.words.update(found.words)
        if len(self.words) > 2 * MOST_WORDS:
            self.words = Counter(dict(self.words.most_common(MOST_WORDS)))


class Survey:
    """What one pass over the rows of a split found.

    Attributes:
        num_rows: Rows.
        unlabelled: Rows without a label.
        label_values: How often each label stands in the file, by its text.
        warnings: What reading noticed.
        groups: (num_rows,) number of each row's group, None where rows are not ranked.
        sample: At least ``SAMPLE_ROWS`` rows spread over the file, or all of fewer.
        characters, text_a, text_b: Kinds of characters, and lengths in characters.
        tokens: Of all rows, or of the ``token_sample`` if that is true.
        pairs, queries, labels: (num_rows,) int64 hashes of texts, first texts and labels.
        lines: (num_rows,) line numbers.
    """

    def __init__(self) -> None:
        self.num_rows = self.unlabelled = 0
        self.label_values: Counter[str] = Counter()
        self.warnings: list[Problem] = []
        self.groups: np.ndarray | None = None
        self.sample: list[Example] = []
        self.characters = CharacterCounter()
        self.text_a, self.text_b = Histogram(), Histogram()
        self.tokens = Tokens()
        self.token_sample = False
        self._pairs, self._queries = array("q"), array("q")
        self._labels, self._lines = array("q"), array("q")

    pairs = property(lambda self: np.frombuffer(self._pairs, np.int64))
    queries = property(lambda self: np.frombuffer(self._queries, np.int64))
    labels = property(lambda self: np.frombuffer(self._labels, np.int64))
    lines = property(lambda self: np.frombuffer(self._lines, np.int64))

    def add(self, chunk: Sequence[Example]) -> None:
        """Everything of further rows but their tokens."""
        firsts, seconds = [row.first_text for row in chunk], [row.text_b for row in chunk]
        labels = [row.label for row in chunk]
        self.num_rows += len(chunk)
        self.unlabelled += labels.count(None)
        self._pairs.extend(map(hash, zip(firsts, seconds, strict=True)))
        self._queries.extend(map(hash, firsts))
        self._labels.extend(map(label_key, labels))
        self._lines.extend([row.line for row in chunk])
        both = zip(firsts, seconds, strict=True)
        self.characters.add([first + (second or "") for first, second in both])
        self.text_a.add(np.fromiter(map(len, firsts), np.int64, len(firsts)))
        present = [second for second in seconds if second is not None]
        self.text_b.add(np.fromiter(map(len, present), np.int64, len(present)))


NO_LABEL = -7_046_029_254_386_353_131


def label_key(label: Any) -> int:
    """A number for a label; ``NO_LABEL`` for none."""
    if label is None:
        return NO_LABEL
    return hash(tuple(label) if isinstance(label, Iterable) else (label,))


def survey(rows: Rows, tokenizer: Tokenizer, lengths: Lengths, *, with_groups: bool) -> Survey:
    """Reads a whole file: a malformed row is found before anything is trained.

    Args:
        rows: The file's.
        tokenizer: Counts tokens and names unknown words.
        lengths: What the run cuts rows to.
        with_groups: Whether the groups of the rows are wanted.

    Raises:
        UserError: with file, line and what was found.
    """
    result = Survey()
    specials = np.array([tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True)])
    numbers: dict[int, int] = {}
    groups = array("i")
    sample, blocks = Thinning(SAMPLE_ROWS), Thinning(TOKEN_BLOCKS)
    for chunk in chunked(rows):
        result.add(chunk)
        if with_groups:
            names = [hash(row.group) for row in chunk]
            groups.extend([numbers.setdefault(name, len(numbers)) for name in names])
        for row in chunk:
            if sample.wants():
                sample.keep(row)
        if blocks.wants():
            blocks.keep(chunk)
    for block in blocks.kept:
        found, pairs, turns = _count(tokenizer, block)
        around = specials[pairs.astype(np.int64)]
        result.tokens.add(found, pairs, lengths, around + turns, turns)
    result.token_sample = not blocks.whole
    result.sample = sample.kept
    result.groups = np.frombuffer(groups, np.int32) if with_groups else None
    result.label_values, result.warnings = rows.label_values, list(rows.warnings)
    return result


def _count(tokenizer: Tokenizer, chunk: Sequence[Example]) -> tuple[Tally, np.ndarray, np.ndarray]:
    """Tokens, which rows have two texts, and how many turns each row has before them."""
    pairs = np.array([row.text_b is not None for row in chunk])
    texts = [row.first_text for row in chunk]
    texts += [row.text_b for row in chunk if row.text_b is not None]
    turns = np.array([len(row.context) for row in chunk])  # a separator stands after each
    return tally(tokenizer, texts), pairs, turns
