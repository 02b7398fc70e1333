"""The reader of a network of the package, made before the network: its words, its tokenizer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.schema import RunConfig
from ..errors import Problem, UserError
from ..features.base import reads_sides
from ..features.capture import takes_token_types
from ..models.networks import network
from ..models.networks.base import Network, NetworkBlock, Start, WordsBlock
from ..text.casing import lower_cases
from ..text.segment import PIECES, SAMPLE, usual_segmenter

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ..tasks.base import Example

PLACE = "student_architectures.network"
log = logging.getLogger("chatstill")


@dataclass(frozen=True)
class FittedReader:
    """What a student of the package reads with, and what it is built of.

    Attributes:
        network: Which.
        block: The user's keys.
        tokenizer: Its own, or the teacher's.
        pairs: Whether rows have two texts.
        notes: Lines for the plan.
    """

    network: type[Network]
    block: NetworkBlock
    tokenizer: PreTrainedTokenizerBase
    pairs: bool
    notes: list[str]

    def config(self) -> PretrainedConfig:
        """The network's architecture."""
        return self.network.build_config(self.block, self.tokenizer, pairs=self.pairs)

    def fill(
        self,
        model: PreTrainedModel,
        teacher: PreTrainedModel,
        teacher_tokenizer: PreTrainedTokenizerBase,
        config: RunConfig,
    ) -> list[str]:
        """Gives a new network what it starts from; lines for the plan."""
        cache = Path(config.cache_dir) if config.cache_dir else None
        start = Start(self.tokenizer, teacher, teacher_tokenizer, cache, config.seed)
        return self.network.fill(model, self.block, start)


def fit_reader(
    config: RunConfig,
    rows: Callable[[], Iterable[Example]],
    teachers: PreTrainedTokenizerBase,
) -> FittedReader | None:
    """The reader of a student of the package; None for another student, and for one that has its own weights.

    The words are those of the training texts, counted anew at each start: the same on every process.

    Args:
        config: The run's.
        rows: Reads the training rows from the first, as they are prepared.
        teachers: The teacher's tokenizer.

    Raises:
        UserError: a segmenter that is missing or faulty, or no word that is frequent enough.
    """
    block = config.student_architectures
    ours = network(block.model_type) if block is not None else None
    if block is None or ours is None or block.model_name_or_path is not None:
        return None
    keys = ours.Block.model_validate(block.network or {})
    pairs = any(row.text_b is not None for row in rows())  # to the end where all have one text
    if not isinstance(keys, WordsBlock) or keys.segmenter == PIECES:
        return FittedReader(ours, keys, teachers, pairs, [])
    tokenizer, notes = _words(keys, config, rows, lower_cases(teachers))
    return FittedReader(ours, keys, tokenizer, pairs, notes)


def sides_problem(
    student: PreTrainedModel, teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Problem | None:
    """A student that parts texts by token types, where marking them would change what the teacher reads."""
    if not reads_sides(student) or not takes_token_types(teacher):
        return None
    if any(tokenizer("a", "b", return_token_type_ids=True)["token_type_ids"]):
        return None
    message = (
        "the teacher's tokenizer gives both texts the same token type and the teacher reads types, so the "
        "two texts cannot be told apart by the student alone"
    )
    return Problem(
        f"{PLACE}.segmenter",
        message,
        'Take another than "pieces", such as "words".',
        code="words.sides-not-told-apart",
    )


def _words(
    keys: WordsBlock, config: RunConfig, rows: Callable[[], Iterable[Example]], lower: bool
) -> tuple[Any, list[str]]:
    from ..text.word_list import build_words, count_words
    from ..text.word_tokenizer import SPECIAL, WordTokenizer

    name = keys.segmenter or usual_segmenter(islice(_texts(rows()), SAMPLE))
    how: dict[str, Any] = {
        "segmenter": name,
        "dictionary": _content(keys.user_dictionary),
        "do_lower_case": lower if config.do_lower_case is None else config.do_lower_case,
        "normalize": config.normalize,
    }
    began = time.monotonic()
    first = WordTokenizer(words=SPECIAL, place=f"{PLACE}.segmenter", **how)
    counts, texts = count_words(_texts(rows()), first)
    place = f"{PLACE}.min_count"
    words = build_words(counts, min_count=keys.min_count, max_words=keys.max_words, place=place)
    seconds = time.monotonic() - began
    rate = f"{texts / max(seconds, 1e-9):,.0f} a second"
    log.info("%s cut %s different texts in %.0f s (%s)", name, f"{texts:,}", seconds, rate)
    kept, read = sum(counts[word] for word in words), sum(counts.values())
    version = f" {first.cutter.version}" if first.cutter.version else ""
    chosen = "" if keys.segmenter else ", by the language of the training texts"
    notes = [
        f"the student reads words, cut by '{name}'{version}{chosen}: {len(words) - len(SPECIAL):,} of "
        f"{len(counts):,} different ones, {kept / max(read, 1):.1%} of all in the training texts"
    ]
    return first.like(words), notes


def _texts(rows: Iterable[Example]) -> Iterator[str]:
    for row in rows:
        yield from row.context
        yield row.text_a
        if row.text_b is not None:
            yield row.text_b


def _content(file: str | None) -> str:
    """A user dictionary's text.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    if file is None:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"{file} cannot be read: {reason}"
        raise UserError(
            Problem(f"{PLACE}.user_dictionary", message, code="words.dictionary-unreadable")
        ) from error
