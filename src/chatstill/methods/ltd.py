"""LTD-BERT: the student's sentence vectors approximate the teacher's, on texts; then it learns the task.

Sentence representation approximation (Wu et al. 2020, arXiv 2004.03097) does the first without a task; here
both phases are one run. The terms are those of ``matches``: those of ``vector`` make the first phase, all
others the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..errors import Problem
from ..terms.spec import TermSpec, needs_of
from ._matches import Config as MatchesConfig
from .base import Data, MethodConfig, Phase
from .matches import Matches

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VECTORS, TASK = "vectors", "task"
PRETRAINED = "pretrained"


class Config(MatchesConfig):
    """The block ``distillation`` of LTD-BERT: that of ``matches``, and keys of the first phase.

    Attributes:
        vector_data: What it learns from: ``texts`` of the task and its transfer set, each by itself, or the
            ``corpus`` of the data folder.
        vector_epochs: Passes over them; left out: ``num_train_epochs``. 0 leaves the phase out.
        vector_rate: Its learning rate; left out: the run's.
        task_epochs: Passes over the task's rows in the second phase; left out: ``num_train_epochs``. 0 leaves
            it out: the student has vectors then, and a classifier of no training.
        vectors_of: Whose vectors the first phase is taught by: the ``teacher``'s, or those of the
            ``pretrained`` network of ``pretrained_architectures``.
        keep_vector_term: Whether the terms of ``vector`` count in the second phase too.
    """

    vector_data: Literal["texts", "corpus"] = "texts"
    vector_epochs: float | None = Field(default=None, ge=0, le=100_000, allow_inf_nan=False)
    vector_rate: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    task_epochs: float | None = Field(default=None, ge=0, le=100_000, allow_inf_nan=False)
    vectors_of: Literal["teacher", "pretrained"] = "teacher"
    keep_vector_term: bool = False

    later: ClassVar[tuple[str, ...]] = (*MatchesConfig.later, "task_epochs", "vectors_of")

    @model_validator(mode="after")
    def _a_phase_is_left(self) -> Self:
        if self.vector_epochs == 0 == self.task_epochs:
            raise ValueError("'vector_epochs' and 'task_epochs' are both 0: no phase is left")
        if self.vectors_of == PRETRAINED and self.vector_epochs == 0:
            raise ValueError("'vectors_of' has no effect: 'vector_epochs' is 0")
        if self.vectors_of == PRETRAINED and self.keep_vector_term:
            raise ValueError(
                "'keep_vector_term' would go on with other vectors, the teacher's: leave it out, or "
                "'vectors_of'"
            )
        return self


LtdConfig = Config  # inside the class, Config is its own attribute


class Ltd(Matches):
    """Two phases: vectors, on texts by themselves; then the task."""

    Config = Config
    top_level: ClassVar[tuple[str, ...]] = Config.old_keys()
    config: LtdConfig

    @classmethod
    def data_of(cls, config: MethodConfig) -> tuple[Data, ...]:
        assert isinstance(config, LtdConfig)
        kinds: list[Data] = [config.vector_data] if config.vector_epochs != 0 else []
        return (*kinds, "train") if config.task_epochs != 0 else tuple(kinds)

    @classmethod
    def all_labelled(cls, config: MethodConfig) -> bool:
        """Where the second phase learns from gold labels alone; the first one reads all texts."""
        assert isinstance(config, LtdConfig)
        rows = config.rows().values()
        taught = [row for row in rows if row.feature != "vector" or config.keep_vector_term]
        return config.task_epochs != 0 and all(row.loss == "hard" for row in taught)

    @classmethod
    def skips_unlabelled(cls, config: MethodConfig) -> bool:
        """Their texts teach the first phase, and nothing the second one."""
        return cls.all_labelled(config)

    @classmethod
    def pretrained_by(cls, config: MethodConfig) -> str:
        assert isinstance(config, LtdConfig)
        return f"{cls.block}.vectors_of" if config.vectors_of == PRETRAINED else ""

    def teacher_of(self, phase: Phase) -> PreTrainedModel | None:
        by_it = self.config.vectors_of == PRETRAINED and phase.name == VECTORS
        return self.run.pretrained if by_it else self.teacher

    @property
    def trains_outputs(self) -> bool:
        return super().trains_outputs and self.config.task_epochs != 0

    @property
    def label_terms(self) -> tuple[str, ...]:
        return super().label_terms if self.config.task_epochs != 0 else ()

    def problems(self) -> list[Problem]:
        """Terms that leave a phase without any."""
        problems = super().problems()
        place = "distillation.terms"
        if self.config.vector_epochs != 0 and not self._of(VECTORS):
            message = "no term of vectors has a weight above 0, and the first phase learns from them alone"
            hint = 'Give the term "vector" a weight, or leave the phase out: "vector_epochs": 0.'
            problems.append(Problem(place, message, hint, code="ltd.no-vector-term"))
        if self.config.task_epochs != 0 and not needs_of(self._of(TASK), 0).logits:
            message = "no term reads logits, so the second phase would train no classifier"
            hint = (
                'Give the term "hard" a weight above 0, or leave the phase out: "task_epochs": 0.'
            )
            problems.append(Problem(place, message, hint, code="ltd.no-task-term"))
        return problems

    def phases(self) -> list[Phase]:
        run, config = self.run, self.config
        epochs = {VECTORS: config.vector_epochs, TASK: config.task_epochs}
        passes = {
            name: run.num_train_epochs if one is None else one for name, one in epochs.items()
        }
        first = Phase(
            VECTORS,
            passes[VECTORS],
            config.vector_rate or run.learning_rate,
            max_steps=run.max_steps,
            train="student without its classifier",
            data=config.vector_data,
            selected_by="loss",
        )
        then = Phase(
            TASK, passes[TASK], run.learning_rate, max_steps=run.max_steps, train="student"
        )
        return [phase for phase in (first, then) if epochs[phase.name] != 0]

    def terms_of(self, phase: Phase) -> list[TermSpec]:
        return self._of(phase.name)

    def _of(self, name: str) -> list[TermSpec]:
        both = self.config.keep_vector_term and name == TASK
        return [
            spec
            for spec in self.specs
            if (spec.row.feature == "vector") == (name == VECTORS) or both
        ]
