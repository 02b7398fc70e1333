"""The reader of a network of the package, made before the network: its words, its tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.schema import RunConfig
from ..data.encoded import Lengths
from ..errors import Problem, UserError
from ..features.base import reads_sides
from ..features.capture import takes_token_types
from ..models.networks import network
from ..models.networks.base import Network, NetworkBlock, SegmentedBlock, Start, WordsBlock
from ..text.casing import lower_cases
from ..text.segment import PIECES, SAMPLE, usual_segmenter
from ..text.token_types import gives_types
from .columns import TokenWeights
from .layout import separator_of
from .word_lists import WordList, texts_of, word_list
from .word_pieces import RowEncoder

if TYPE_CHECKING:
    import numpy as np
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ..data.kept import Kept
    from ..tasks.base import Example
    from ..text.word_tokenizer import WordTokenizer

PLACE = "student_architectures.network"
LONG = 512  # ids are asked of the encoder alone, which cuts none


@dataclass(frozen=True)
class FittedReader:
    """What a student of the package reads with, and what it is built of.

    Attributes:
        network: Which.
        block: The user's keys.
        tokenizer: Its own, or the teacher's.
        pairs: Whether rows have two texts.
        notes: Lines for the plan.
        kept: What was made before, and is to be kept.
        digest: sha256 of its words; empty where it has none of its own.
        rarity: See ``Start``.
        separator: Of the teacher's pieces, what parts the two texts of rows without token types; None where
            the network's config has it of the tokenizer.
    """

    network: type[Network]
    block: NetworkBlock
    tokenizer: PreTrainedTokenizerBase
    pairs: bool
    notes: list[str]
    kept: Kept | None = None
    digest: str = ""
    rarity: Callable[[], np.ndarray] | None = None
    separator: int | None = None

    def config(self, teacher: PretrainedConfig | None) -> PretrainedConfig:
        """The network's architecture, for this teacher."""
        config = self.network.build_config(self.block, self.tokenizer, pairs=self.pairs)
        if self.separator is not None:
            config.sep_token_id = self.separator
        if teacher is not None:
            self.network.suit(config, teacher)
        return config

    def fill(
        self,
        model: PreTrainedModel,
        teacher: PreTrainedModel | None,
        teacher_tokenizer: PreTrainedTokenizerBase | None,
        config: RunConfig,
    ) -> list[str]:
        """Gives a new network what it starts from; lines for the plan."""
        cache = Path(config.cache_dir) if config.cache_dir else None
        start = Start(
            self.tokenizer, teacher, teacher_tokenizer, cache, config.seed, self.kept, self.rarity
        )
        return self.network.fill(model, self.block, start)


def fit_reader(
    config: RunConfig,
    rows: Callable[[], Iterable[Example]],
    teachers: PreTrainedTokenizerBase | None,
    kept: Kept | None = None,
    source: Callable[[], str] = str,
) -> FittedReader | None:
    """The reader of a student of the package; None for another student, and for one that has its own weights.

    The words are those of the training texts, counted once and then kept: the same on every process.

    Args:
        config: The run's.
        rows: Reads the training rows from the first, as they are prepared.
        teachers: The teacher's tokenizer, or that of the pre-trained model; None where there is none.
        kept: What was made before, and is to be kept; None makes all anew.
        source: Fingerprint of the training rows.

    Raises:
        UserError: a segmenter that is missing or faulty, no word that is frequent enough, or pieces of which
            nothing parts the texts of a pair.
    """
    block = config.student_architectures
    ours = network(block.model_type) if block is not None else None
    if block is None or ours is None or block.model_name_or_path is not None:
        return None
    keys = ours.Block.model_validate(block.network or {})
    if ours.reads_bytes:
        assert isinstance(keys, SegmentedBlock)
        cutter, pairs = _cutter(keys, config, rows, lower=False), _pairs(rows)
        notes = [f"the student reads the bytes of words, cut by {_cut_by(keys, cutter)}"]
        return FittedReader(ours, keys, cutter, pairs, notes, kept)
    if not isinstance(keys, WordsBlock) or keys.segmenter == PIECES:
        if teachers is None:
            raise UserError(_no_pieces())
        rarity = partial(_rarity, teachers, rows)
        pairs, separator = _pairs(rows), None
        if pairs and isinstance(keys, WordsBlock) and reads_sides(ours.classes()[1]):
            separator = _parted_by(teachers)
        return FittedReader(
            ours, keys, teachers, pairs, [], kept, rarity=rarity, separator=separator
        )
    cutter = _cutter(keys, config, rows, teachers is None or lower_cases(teachers))
    found = word_list(keys, cutter, rows, kept, source, f"{PLACE}.min_count")
    notes, tokenizer = [_note(keys, cutter, found)], cutter.like(found.words)
    rarity = partial(_rarity, tokenizer, rows)
    return FittedReader(ours, keys, tokenizer, found.pairs, notes, kept, found.digest, rarity)


def _rarity(
    tokenizer: PreTrainedTokenizerBase, rows: Callable[[], Iterable[Example]]
) -> np.ndarray:
    encoder = RowEncoder(tokenizer, Lengths(LONG))
    return TokenWeights.fit(rows(), encoder.ids_of, tokenizer).table


def _no_pieces() -> Problem:
    message = (
        "the network reads pieces of a tokenizer, and neither a teacher nor a tokenizer is named"
    )
    hint = 'Name it: "tokenizer_name_or_path", or cut words: "segmenter": "words".'
    return Problem(f"{PLACE}.segmenter", message, hint, code="words.no-tokenizer-of-pieces")


def _parted_by(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The separator of pairs; None where types alone part them.

    Raises:
        UserError: neither does. Rows could be marked here, but not by the tokenizer that is saved: outside
            the package the student would read both texts as one.
    """
    separator = separator_of(tokenizer, RowEncoder(tokenizer, Lengths(LONG)).ids_of)
    if separator is not None or gives_types(tokenizer):
        return separator
    message = (
        "the teacher's tokenizer gives both texts the same token type and puts no separator between them, "
        "so the student could not tell the two texts apart"
    )
    raise UserError(
        Problem(
            f"{PLACE}.segmenter",
            message,
            'Take another than "pieces", such as "words".',
            code="words.no-separator",
        )
    )


def sides_problem(
    student: PreTrainedModel, teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Problem | None:
    """A student that parts texts by token types, where marking them would change what the teacher reads."""
    if not reads_sides(student) or not takes_token_types(teacher):
        return None
    if gives_types(tokenizer):
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


def _pairs(rows: Callable[[], Iterable[Example]]) -> bool:
    """Whether rows have two texts; read to the end where all have one."""
    return any(row.text_b is not None for row in rows())


def _cutter(
    keys: SegmentedBlock, config: RunConfig, rows: Callable[[], Iterable[Example]], lower: bool
) -> WordTokenizer:
    """A tokenizer that cuts as the student's will, without its words; of bytes it is the student's."""
    from ..text.byte_tokenizer import ByteTokenizer
    from ..text.word_tokenizer import SPECIAL, WordTokenizer

    texts = (text for row in rows() for text in texts_of(row))
    kind = WordTokenizer if isinstance(keys, WordsBlock) else ByteTokenizer
    return kind(
        words=SPECIAL,
        place=f"{PLACE}.segmenter",
        segmenter=keys.segmenter or usual_segmenter(islice(texts, SAMPLE)),
        dictionary=dictionary_of(keys.user_dictionary, f"{PLACE}.user_dictionary"),
        do_lower_case=lower if config.do_lower_case is None else config.do_lower_case,
        normalize=config.normalize,
    )


def _note(keys: WordsBlock, cutter: WordTokenizer, found: WordList) -> str:
    from ..text.word_tokenizer import SPECIAL

    return (
        f"the student reads words, cut by {_cut_by(keys, cutter)}: "
        f"{len(found.words) - len(SPECIAL):,} of {found.different:,} different ones, {found.share:.1%} of "
        "all in the training texts"
    )


def _cut_by(keys: SegmentedBlock, cutter: WordTokenizer) -> str:
    """What cuts words, and why where the file does not say it."""
    version = f" {cutter.cutter.version}" if cutter.cutter.version else ""
    chosen = "" if keys.segmenter else ", by the language of the training texts"
    return f"'{cutter.cutter.name}'{version}{chosen}"


def dictionary_of(file: str | None, place: str) -> str:
    """A user dictionary's text.

    Args:
        file: It; None: no text.
        place: The key that names it.

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
        raise UserError(Problem(place, message, code="words.dictionary-unreadable")) from error
