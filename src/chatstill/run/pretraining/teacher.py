"""Does the teacher know the language of a corpus: masked tokens that it finds, against a guess."""

from __future__ import annotations

import math
from itertools import chain, islice
from typing import TYPE_CHECKING

from ...data.blocks import Blocks, blocks_of
from ...errors import Problem
from ...evaluate.masked import best_guess, masked_scores
from ...tasks.corpus import RIGHT
from .masking import held_out_masking
from .networks import PRETRAINED

if TYPE_CHECKING:
    from ...methods.base import Method
    from .job import CorpusJob

BLOCKS = 64  # of the held-out text; some 1,200 masked tokens where they are full
BEYOND_CHANCE = 1.645  # standard deviations: one in twenty by chance


def reads_head(method: Method) -> bool:
    """Whether a term reads the teacher's masked-LM head."""
    return any(method.needs(phase)["teacher"].vocabulary for phase in method.phases())


def check_masked(job: CorpusJob) -> tuple[str, list[Problem]]:
    """A row of the plan, and a finding where the teacher is no better than a guess.

    The guess is the piece that stands behind most of the masked positions. Nothing is asked where no term
    reads the teacher's masked-LM head, and nothing of one that is still to be trained.
    """
    teacher = job.method.teacher
    if teacher is None or not job.teacher_is_trained or not reads_head(job.method):
        return "", []
    lots = blocks_of(job.corpus.dev, job.encoder, job.config.max_seq_length)
    some = list(islice(chain.from_iterable(blocks for _, blocks in lots), BLOCKS))
    blocks = Blocks.in_memory(some, job.encoder.padding_side)
    masking = held_out_masking(job)
    scores = masked_scores(teacher, blocks, masking, pad_token_id=job.pad_token_id)
    guess = best_guess(blocks, masking, pad_token_id=job.pad_token_id)
    if guess is None:
        return "", []
    right, (piece, commonest, number) = scores[:, RIGHT].sum(), guess
    guessed = commonest / number
    name = job.tokenizer.convert_ids_to_tokens(piece)
    what = "next-token" if masking is None else "masked"
    text = (
        f"{what} accuracy {right / number:.3f} on {number:,} held-out tokens "
        f"(always '{name}': {guessed:.3f})"
    )
    spread = math.sqrt(number * guessed * (1 - guessed))
    if right - commonest > BEYOND_CHANCE * spread:
        return text, []
    message = f"the teacher is not clearly better than a guess: {text}"
    hint = (
        "Check that it was trained on this language with this tokenizer. "
        '"allow_weak_teacher": true goes on all the same.'
    )
    allowed = job.config.allow_weak_teacher
    problem = Problem(
        PRETRAINED,
        message,
        hint,
        "warning" if allowed else "error",
        code="corpus.teacher-no-better-than-a-guess",
    )
    return text, [problem]
