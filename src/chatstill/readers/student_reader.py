"""When a student reads other tokens than its teacher, and which terms allow that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..config.schema import RunConfig
from ..config.weights import TOKENIZER_FILES
from ..errors import Problem, UserError
from ..methods.base import Method
from ..models.embeddings import embedding_table
from ..text.tokenizers import resolve_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLACE = "student_architectures"
PROBES = ("Good Cat, don't!", "ÀÉÎ äöü Straße", "中文字，ＡＢＣ。", "１２３ a_b-c")


def student_tokenizer(
    config: RunConfig,
    teachers: PreTrainedTokenizerBase,
    student: PreTrainedModel,
    teacher: PreTrainedModel,
) -> PreTrainedTokenizerBase:
    """The tokenizer that is named for the student or lies with its weights; the teacher's else.

    A student that starts as the pre-trained model's layers has its embeddings, and so reads its
    tokens. One of the same vocabulary that cuts texts alike is the teacher's.

    Raises:
        UserError: it cannot be loaded, or the student starts as the teacher's own embeddings.
    """
    block = config.student_architectures
    if block is None:
        return teachers
    named, weights = block.tokenizer_name_or_path, block.model_name_or_path
    beside, start = block.config_file, config.pretrained_architectures
    if named is None and weights is None and block.copy_from == "pretrained" and start is not None:
        named, weights = start.tokenizer_name_or_path, start.model_name_or_path
        beside = start.config_file
    if named is None and not _brings_one(weights):
        return teachers
    students = resolve_tokenizer(
        named,
        weights,
        beside,
        config.do_lower_case,
        config.cache_dir,
        config.normalize,
    )
    if students.get_vocab() == teachers.get_vocab() and _cut_alike(students, teachers):
        return teachers
    if weights is None and _same_embeddings(student, teacher):
        message = "names another tokenizer, but the student starts as the teacher's embeddings"
        hint = 'Give the student weights of its own, or random ones: "copy_from": "none".'
        raise UserError(
            Problem(
                f"{PLACE}.tokenizer_name_or_path",
                message,
                hint,
                code="tokenizer.another-than-the-start",
            )
        )
    return students


def token_problems(
    method: Method, students: PreTrainedTokenizerBase, teachers: PreTrainedTokenizerBase
) -> list[Problem]:
    """Terms that compare token by token need one tokenizer; logits, [CLS] and vectors do not."""
    needs = [method.needs(phase)["teacher"] for phase in method.phases()]
    if not any(need.hidden_states or need.attention for need in needs):
        return []
    message = (
        f"the student's tokenizer ({len(students):,} entries) is not the teacher's ({len(teachers):,}), "
        "and hidden states and attention scores are compared token by token"
    )
    hint = "Take those terms out (weight 0), or give the student the teacher's vocabulary."
    return [Problem(PLACE, message, hint, code="tokenizer.not-the-teachers")]


def _cut_alike(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers of one vocabulary lower, strip and part texts in the same way."""
    words = [word for word in one.get_vocab() if word.isalpha()][:200]
    texts = [*PROBES, " ".join(words), " ".join(words).upper(), " ".join(words).title()]
    return one(texts)["input_ids"] == other(texts)["input_ids"]


def _brings_one(weights: str | None) -> bool:
    """Whether a tokenizer lies with the weights; a name on the hub is taken to have one."""
    if weights is None:
        return False
    place = Path(weights)
    if not place.exists():
        return True
    folder = place if place.is_dir() else place.parent
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def _same_embeddings(student: PreTrainedModel, teacher: PreTrainedModel) -> bool:
    """Whether both show a table and it is the same; a network of a user's own may show none."""
    mine, theirs = embedding_table(student), embedding_table(teacher)
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return False
    return torch.equal(mine, theirs)
