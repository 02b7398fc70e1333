"""How a run masks the tokens of its corpus: the rule of its keys, and the counts that the rule needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.masking import Masking
from ...data.piece_counts import piece_counts
from ...errors import Problem, UserError
from ...methods._masking import MaskingKeys
from ...models.masked_lm import predicts_text
from ...readers.columns import WordStarts
from ...tasks.base import Task
from ...tasks.corpus import CorpusTask
from ...tasks.selection import KEY
from ...text.vocabulary import num_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...data.blocks import Blocks
    from .job import CorpusJob


def masking_of(
    knobs: Any, tokenizer: PreTrainedTokenizerBase
) -> tuple[Masking | None, list[Problem]]:
    """The rule that a method's keys describe, and what of them does not fit the tokenizer.

    Args:
        knobs: Of any method; one without ``MaskingKeys`` masks as BERT does.
        tokenizer: With a mask token, but where nothing is masked.

    Returns:
        None where nothing is masked.
    """
    none = getattr(knobs, "masking", "bert") == "none"
    if none or tokenizer.mask_token_id is None:  # a decoder's; its method says what does not fit
        return None, []
    if not isinstance(knobs, MaskingKeys):
        return Masking.of(tokenizer, getattr(knobs, "masked_share", 0.15)), []
    masking = replace(Masking.of(tokenizer, knobs.masked_share), smoothing=knobs.exponent)
    if not knobs.whole_words:
        return masking, []
    starts = WordStarts(tokenizer).starts
    if (starts | masking.special).all():
        message = "no piece of the vocabulary is marked as the inside of a word, so every word is one piece"
        hint = (
            "Leave the key out: single pieces are drawn. Words of several pieces are told by WordPiece's ##, "
            "or by the mark of the blank in byte-level BPE and SentencePiece."
        )
        return masking, [Problem("whole_words", message, hint, code="masking.no-word-starts")]
    return replace(masking, starts=starts), []


def held_out_masking(job: CorpusJob) -> Masking | None:
    """That of held-out text, whatever the run trains with: figures of runs compare.

    None where nothing is masked.
    """
    return None if predicts_text(job.method.student) else Masking.of(job.tokenizer)


def task_of_network(task: Task, model: PreTrainedModel) -> Task:
    """The figures of a corpus as they are called of this network: of masked tokens, or of next ones.

    Raises:
        UserError: ``selection_metric`` is a figure of the other kind.
    """
    if not isinstance(task, CorpusTask):
        return task
    made = task.of_next_tokens() if predicts_text(model) else task
    if made.chosen_metric and made.chosen_metric != made.right:
        what = "the next token of each" if predicts_text(model) else "masked tokens"
        message = f"names {made.chosen_metric!r}, and this network predicts {what}"
        hint = f"Write {made.right!r}, or leave it out: the loss selects."
        raise UserError(Problem(KEY, message, hint, code="metric.of-another-network"))
    return made


def count_for_masking(job: CorpusJob, train: Blocks, cache: Path, user: Path | None) -> None:
    """Gives the rule of a job the counts of the training blocks, where it draws by them.

    Args:
        job: Its rule is replaced.
        train: The blocks.
        cache: Where they lie.
        user: The run folder, for which the counts are kept; None keeps nothing.
    """
    if job.masking is None or job.masking.smoothing is None:
        return
    counts = piece_counts(train, num_ids(job.tokenizer), cache, user)
    job.masking = replace(job.masking, counts=counts)
    job.method.run = replace(job.method.run, masking=job.masking)


def masking_rows(masking: Masking | None) -> list[tuple[str, str]]:
    """The rule in words, for the plan."""
    if masking is None:
        return [("masked", "nothing")]
    rows = [("masked", f"{masking.share:.3g} of each block's tokens")]
    if masking.smoothing is not None:
        power = f"by their count in the corpus to the power of -{masking.smoothing:g}"
        rows.append(("", f"rare pieces more often: {power}"))
    if masking.starts is not None:
        inside = (~masking.starts & ~masking.special).sum()
        rows.append(("", f"whole words: {inside:,} pieces of the vocabulary go on with a word"))
    return rows
