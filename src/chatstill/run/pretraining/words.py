"""A network that reads whole words of a corpus: its words, its start, and figures of one in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...config.schema import RunConfig
from ...data.blocks import prepare_blocks
from ...data.kept import Kept
from ...data.splits import rows_folder
from ...disk.json_file import known_object
from ...disk.scratch import scratch_folder
from ...errors import Problem, UserError
from ...evaluate.masked import masked_scores
from ...evaluate.score_file import as_trained
from ...models.networks.elmo.language_model import MODEL_TYPE, BiLmForCausalLM
from ...models.networks.elmo.word_bytes import WordBytes
from ...models.student_spec import RowReading, StudentSpec
from ...readers.corpus_words import FIRST, LineEncoder, corpus_cutter, corpus_words, words_beyond
from ...tasks.corpus import Lines
from ...text.word_tokenizer import WordTokenizer
from ...train.device import device_of
from .networks import Networks
from .texts import content_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ...methods.base import Method
    from ...tasks.corpus_survey import Corpus


@dataclass(frozen=True)
class WordReading:
    """How a network of whole words reads its corpus.

    Attributes:
        encoder: Makes ids of lines.
        num_ids: All ids are below it; those below the size of the vocabulary are predicted.
        kept: The words, to be kept beside the prepared blocks.
        digest: sha256 of all words.
    """

    encoder: LineEncoder
    num_ids: int
    kept: Kept
    digest: str


def made_of_words(
    config: RunConfig, method_class: type[Method], knobs: Any, corpus: Corpus
) -> tuple[Networks, WordReading]:
    """A network of random weights for the words of a corpus, which are counted here or found again.

    Raises:
        UserError: a segmenter or dictionary that is faulty, or no frequent word.
    """
    block = method_class.block
    cutter = corpus_cutter(config, knobs.segmenter, knobs.user_dictionary, corpus.train, block)
    kept = Kept(rows_folder(config, Path(config.output_dir)))
    words = corpus_words(
        cutter,
        corpus.train,
        corpus.dev,
        min_count=knobs.min_count,
        max_words=knobs.max_words,
        place=f"{block}.min_count",
        kept=kept,
        source=f"{content_of(corpus.train)}-{corpus.train.extent()}-{content_of(corpus.dev)}"
        f"-{corpus.dev.extent()}",
    )
    all_words = [*words.vocabulary, *words.others]
    vocabulary = cutter.like(words.vocabulary)
    student, lines = method_class.build_student(knobs, None, _spec(config, vocabulary))
    _give_words(student, all_words)
    cut_by = f"'{cutter.cutter.name}'{' ' * bool(cutter.cutter.version)}{cutter.cutter.version}"
    notes = [
        *lines,
        f"it reads words as their bytes, cut by {cut_by}: {len(all_words) - len(FIRST):,} different ones, "
        f"{len(vocabulary) - len(FIRST):,} of them predicted, {words.share:.1%} of all in the training text",
    ]
    found = Networks(student, None, vocabulary, notes, "random")
    reading = WordReading(LineEncoder(cutter.like(all_words)), len(all_words), kept, words.digest)
    return found, reading


def is_of_words(folder: Path) -> bool:
    """Whether a folder holds such a network."""
    return known_object(folder / "config.json").get("model_type") == MODEL_TYPE


def scores_of_words(
    folder: Path, config: RunConfig, lines: Lines
) -> tuple[np.ndarray, list[Problem], bool, None]:
    """Scores of held-out text by such a network, warnings, that it predicts words, and no guess of them.

    Raises:
        UserError: files that cannot be read, or another segmenter than training had.
    """
    config = as_trained(folder, config)
    model, tokenizer = _loaded(folder)
    all_words = [*tokenizer.words, *words_beyond(tokenizer.words, tokenizer, lines)]
    _give_words(model, all_words)
    model = model.eval()
    torch.nn.Module.to(model, device_of(config))
    with scratch_folder() as cache:
        blocks = prepare_blocks(
            lines,
            LineEncoder(tokenizer.like(all_words)),
            cache,
            length=config.max_seq_length,
            vocabulary=len(all_words),
            source=lines.name,
        )
        scores = masked_scores(
            model,
            blocks,
            None,
            pad_token_id=model.config.pad_token_id,
            batch_size=config.per_gpu_eval_batch_size,
        )
    return scores, [], True, None


def _loaded(folder: Path) -> tuple[BiLmForCausalLM, WordTokenizer]:
    try:
        tokenizer: WordTokenizer = WordTokenizer.from_pretrained(folder)
        model: BiLmForCausalLM = BiLmForCausalLM.from_pretrained(folder)
    except UserError:
        raise
    except Exception as error:  # whatever the libraries raise of damaged files
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = f"the language model in {folder} cannot be read: {reason}"
        hint = "Copy the folder again, or train it anew."
        raise UserError(Problem("MODEL", message, hint, code="bilm.unreadable")) from error
    if model.config.vocab_size != len(tokenizer):
        message = (
            f"{folder}: the weights are those of {model.config.vocab_size:,} words, words.json lists "
            f"{len(tokenizer):,}"
        )
        raise UserError(
            Problem("MODEL", message, "Copy all its files again.", code="bilm.other-words")
        )
    return model, tokenizer


def _give_words(model: Any, words: list[str]) -> None:
    model.words = WordBytes(words)


def _spec(config: RunConfig, tokenizer: WordTokenizer) -> StudentSpec:
    """What a method that makes its network itself is told."""

    def load() -> PreTrainedModel:
        raise AssertionError("the method makes its network itself")

    length = config.max_seq_length
    reading = RowReading(tokenizer, length, None, None, "right", pairs=lambda: False)
    return StudentSpec(0, None, load, reading=reading, seed=config.seed)
