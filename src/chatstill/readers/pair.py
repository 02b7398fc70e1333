"""How the two networks of a run read its rows: each by its own tokenizer, or both by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

import numpy as np

from ..data.blocks import Blocks
from ..data.class_weights import RowWeights
from ..data.encoded import Lengths
from ..data.views import View, occurring
from ..errors import Problem, UserError
from ..features.base import given_by, reads_sides
from ..features.capture import OF_ROWS, TEACHERS, takes_token_types
from ..models.label_columns import LabelMatch
from .columns import TokenColumn, TokenWeights
from .reader import Reader, reader_for
from .word_pieces import RowEncoder
from .word_weights import WeighingEncoder, WordWeights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..methods.base import Method
    from ..tasks.base import Example
    from ..text.word_tokenizer import WordTokenizer

CHARACTERS = "weighted_characters"


@dataclass(frozen=True)
class PairReader:
    """How student and teacher read rows.

    Attributes:
        student, teacher: The networks; no teacher where one is fine-tuned.
        tokenizer: The student's, and the teacher's unless it has one of its own.
        teacher_tokenizer: The teacher's own; None where both share one.
        match: Columns of the task's labels in the networks' outputs.
        lengths: What rows are cut to.
        weights: How much rows count by their class; None where all count alike.
        computed: What else is prepared of each token, by role.
        word_weights: What the student's words weigh, for the teacher's pieces; None where nothing asks.
    """

    student: PreTrainedModel
    teacher: PreTrainedModel | None
    tokenizer: PreTrainedTokenizerBase
    teacher_tokenizer: PreTrainedTokenizerBase | None
    match: LabelMatch
    lengths: Lengths
    weights: RowWeights | None = None
    computed: Mapping[str, Sequence[TokenColumn]] = field(default_factory=dict)
    word_weights: WordWeights | None = None

    def of(self, model: PreTrainedModel) -> Reader:
        """How one network reads rows of a view."""
        return reader_for(model, self._tokenizer_of(model), self.match)

    def encoder(self, model: PreTrainedModel) -> RowEncoder:
        """How one network makes ids of a row."""
        tokenizer = self._tokenizer_of(model)
        sides = tokenizer is self.tokenizer and reads_sides(self.student)
        role = "student" if tokenizer is self.tokenizer else "teacher"
        computed = self.computed.get(role, ())
        if role == "teacher" and self.word_weights is not None:
            return WeighingEncoder(tokenizer, self.lengths, self.word_weights, computed=computed)
        return RowEncoder(tokenizer, self.lengths, mark_sides=sides, computed=computed)

    @property
    def encoders(self) -> list[RowEncoder]:
        """The student's, and the teacher's where it has a tokenizer of its own."""
        found = [self.encoder(self.student)]
        if self.teacher is not None and self.teacher_tokenizer is not None:
            found.append(self.encoder(self.teacher))
        return found

    @cached_property
    def of_teacher(self) -> Reader:
        """How the teacher reads rows of a view."""
        assert self.teacher is not None
        return self.of(self.teacher)

    @cached_property
    def of_both(self) -> Reader:
        """How rows are read for both networks: with token types if either takes them."""
        student = self.of(self.student)
        if self.teacher_tokenizer is not None:
            return student
        either = student.with_token_types or (
            self.teacher is not None and takes_token_types(self.teacher)
        )
        return replace(student, with_token_types=either)

    def batch(self, view: View | Blocks, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Rows as both networks read them; a teacher with a tokenizer of its own gets its own view."""
        batch = self.of_both.batch_of(view, rows)
        if view.teacher is not None:
            theirs = self.of_teacher.batch_of(view.teacher, rows)
            batch |= {f"{TEACHERS}{k}": theirs[k] for k in theirs.keys() - set(OF_ROWS)}
        if self.weights is not None and isinstance(view, View):
            batch["row_weights"] = self.weights.of(view, rows)
        return batch

    def tokens(self, view: View | Blocks) -> np.ndarray:
        """Ids of all tokens that the student can be given in rows of a view, padding among them."""
        # Some networks pad further themselves, by the id of their config.
        further = getattr(self.student.config, "pad_token_id", None)
        padding = {self.of_both.pad_token_id}
        if isinstance(further, int) and further >= 0:
            padding.add(further)
        return np.union1d(occurring(view.ids), sorted(padding))

    def _tokenizer_of(self, model: PreTrainedModel) -> PreTrainedTokenizerBase:
        theirs = self.teacher_tokenizer if model is self.teacher else None
        return self.tokenizer if theirs is None else theirs


def with_columns(
    reader: PairReader, method: Method, rows: Callable[[], Iterable[Example]]
) -> PairReader:
    """The same with what the method's phases read of each token.

    Args:
        reader: Without.
        method: What is trained.
        rows: Reads the training rows, from the first.
    """
    needs = [method.needs(phase) for phase in method.phases()]
    networks = {"student": reader.student, "teacher": reader.teacher}
    weighted = [
        role
        for role, model in networks.items()
        if model is not None
        and not given_by(model)
        and any(role in of and of[role].pooling.startswith("weighted") for of in needs)
    ]
    by_words = next((of["teacher"].pooling for of in needs if of["teacher"].pooling), "")
    if (found := _of_words(reader, by_words)) is not None:
        return replace(reader, word_weights=found)
    if reader.teacher_tokenizer is None and weighted:
        weighted = ["student"]  # one view for both
    computed = {}
    of_student = _word_table(reader) if reader.teacher_tokenizer is None else None
    for role in weighted:
        encoder = reader.encoders[0 if role == "student" else -1]
        fitted = partial(TokenWeights.fit, rows(), encoder.ids_of, encoder.tokenizer)
        computed[role] = [fitted() if of_student is None else TokenWeights(of_student)]
    return replace(reader, computed=computed)


def _of_words(reader: PairReader, pooling: str) -> WordWeights | None:
    """What the words of a student that weighs them weigh, where its teacher's vectors are to be weighted.

    Raises:
        UserError: weights by character of a student that weighs no words.
    """
    table, own = _word_table(reader), reader.teacher_tokenizer is not None
    if table is not None and own and pooling in ("weighted", CHARACTERS):
        words = cast("WordTokenizer", reader.tokenizer)
        return WordWeights(words, table, "characters" if pooling == CHARACTERS else "even")
    if pooling == CHARACTERS and table is not None:
        message = f"'{CHARACTERS}' shares the weights of words, and this student reads the teacher's pieces"
        hint = 'Take "weighted", or cut words: "segmenter": "words" in network.'
        raise UserError(Problem("pooling", message, hint, code="words.weights-of-pieces"))
    if pooling == CHARACTERS:
        message = (
            f"'{CHARACTERS}' shares the weights of a student's words, and this student weighs none"
        )
        hint = 'Take "weighted", or a student that weighs words ("model_type": "ltd").'
        raise UserError(Problem("pooling", message, hint, code="words.no-weights-of-words"))
    return None


def _word_table(reader: PairReader) -> np.ndarray | None:
    """(V,) what each id of the student weighs; None for a student that weighs none."""
    weights = getattr(reader.student, "word_weights", None)
    return None if weights is None else weights.detach().float().cpu().numpy()
