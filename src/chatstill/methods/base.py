"""The contract of a method: what is trained, in which phases, and the terms of its loss.

Importing this room costs no torch: configurations are checked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from ..errors import Problem
from ..features.base import Features, Needs, QueryKeyValue
from ..models.student_spec import StudentSpec
from ..tasks.base import Objective
from ._context import Context, Data, Phase

__all__ = [
    "Context",
    "Data",
    "Features",
    "Method",
    "MethodConfig",
    "Needs",
    "Phase",
    "QueryKeyValue",
    "RunValues",
    "StudentSpec",
    "by_loss",
]

# A learning rate is about what AdamW moves a weight by in a step; weights are around 0.01, and float32 holds
# 7 digits of them.
SLOWEST, FASTEST = 1e-9, 1.0

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ..data.masking import Masking
    from ..losses import Term
    from ..terms.spec import TermSpec

    RowsOf = Callable[[], Iterator[Mapping[str, Tensor]]]


class MethodConfig(BaseModel):
    """Base of a method's knobs. Unknown keys are errors; ``note`` is a comment in any block.

    Class attributes:
        later: Knobs that earlier runs did not have: at their defaults no part of a run's fingerprint.
    """

    later: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(extra="forbid", frozen=True)
    note: Any = None

    def deciding(self) -> dict[str, Any]:
        """Knobs that decide the weights, as JSON has them."""
        fields = type(self).model_fields
        unset = {key for key in self.later if getattr(self, key) == fields[key].default}
        return self.model_dump(mode="json", exclude={"note", *unset})


class Method:
    """Base class. A method file holds one subclass named ``Method`` and its ``Config``.

    Class attributes:
        Config: pydantic model of the knobs; nobody else reads them.
        block: Key of the configuration file that holds them.
        level: ``task``: rows with labels and a classifier; ``pretraining``: a corpus and a head over the
            vocabulary. Of a method that knows both, ``level_of`` says which.
        top_level: Knobs that may also stand at the top of the file.
        needs_teacher: Whether a run without a teacher makes no sense.
        needs_labels: Whether every training row must have a label.
        same_shape: Whether the student's layers must be of the teacher's shape.
        overridden_by: Knob of a method file -> the knob of the user's file that puts it out of force.
        unused_parameters: Whether a step may leave trained parameters without a gradient (DDP has to
            look for them). It counts as zero: moments and weight decay move them on.
        reads_words: Of the level ``pretraining``: whether it makes its network itself, for whole words of its
            corpus. ``segmenter``, ``user_dictionary``, ``min_count`` and ``max_words`` are knobs of it;
            ``build_student`` gets a tokenizer of the words that are predicted, the network's ``words`` are
            those of all ids.
        makes_tokens: Whether ``forward`` reads tokens that may be in no row of the data (masks, swaps):
            all word embeddings are trained then, not only those of the rows.
        alone: Of a method that alone makes its student: the knobs with which that learns from gold labels
            alone, for ``compare_alone``. Empty: the terms of gold labels train such a student.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    block: ClassVar[str] = ""
    level: ClassVar[str] = "task"
    top_level: ClassVar[tuple[str, ...]] = ()
    needs_teacher: ClassVar[bool] = True
    needs_labels: bool = True
    same_shape: ClassVar[bool] = False
    unused_parameters: ClassVar[bool] = False
    reads_words: ClassVar[bool] = False
    makes_tokens: bool = False
    overridden_by: ClassVar[Mapping[str, str]] = {}
    alone: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        config: MethodConfig,
        student: PreTrainedModel,
        teacher: PreTrainedModel | None,
        *,
        objective: Objective,
        run: RunValues,
    ) -> None:
        self.config = config
        self.student = student
        self.teacher = teacher
        self.objective = objective
        self.run = run

    @classmethod
    def default_depth(cls, config: MethodConfig, teacher_layers: int) -> int:
        """Layers of a student whose depth the configuration does not say: half the teacher's."""
        return teacher_layers // 2

    @classmethod
    def build_student(
        cls, config: MethodConfig, teacher: PreTrainedModel | None, spec: StudentSpec
    ) -> tuple[PreTrainedModel, list[str]]:
        """The network to be trained, and lines for the plan; default: what ``student_architectures`` says."""
        return spec.build() if spec.build is not None else (spec.load(), [])

    @classmethod
    def level_of(cls, config: MethodConfig) -> str:
        """The level of a run with these knobs."""
        return cls.level

    @classmethod
    def draws_tokens(cls, config: MethodConfig) -> bool:
        """Whether a run with these knobs draws tokens, so that no row is read twice alike."""
        return cls.makes_tokens

    @classmethod
    def all_labelled(cls, config: MethodConfig) -> bool:
        """Whether every training row must have a label under these knobs."""
        return cls.needs_labels

    @classmethod
    def skips_unlabelled(cls, config: MethodConfig) -> bool:
        """Whether training rows without a label are left out under these knobs, where all must have one."""
        return False

    @classmethod
    def data_of(cls, config: MethodConfig) -> tuple[Data, ...]:
        """The kinds of rows that its phases learn from under these knobs: values of ``Phase.data``."""
        return ("train",)

    @classmethod
    def pretrained_by(cls, config: MethodConfig) -> str:
        """The key by which the network of ``pretrained_architectures`` teaches a phase; empty: none does."""
        return ""

    @classmethod
    def files(cls, config: MethodConfig, plugins: Sequence[str]) -> Mapping[str, str]:
        """Files that the knobs name, by knob: their content is part of the run's fingerprint."""
        return {}

    @property
    def trains_outputs(self) -> bool:
        """Whether the kept network's classifier is trained: else the run's figure is its loss on dev."""
        return True

    @property
    def label_terms(self) -> tuple[str, ...]:
        """Names of the terms that gold labels alone give a value."""
        return ()

    @property
    def specs(self) -> Sequence[TermSpec]:
        """Terms between features of the two networks; most methods have none."""
        return ()

    def problems(self) -> list[Problem]:
        """What of the knobs does not fit the two networks; asked once, before anything is trained."""
        return []

    def doubts(self) -> list[Problem]:
        """Warnings about extreme knobs; told with the plan, and again where numbers are not finite."""
        return []

    def phases(self) -> list[Phase]:
        """The training phases, in order; a phase with 0 epochs and no max_steps is left out."""
        raise NotImplementedError

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        """What is read of ``student`` and ``teacher`` in this phase."""
        return {"student": Needs(logits=True), "teacher": Needs()}

    def prepare(self, rows: RowsOf, folder: Path, device: torch.device) -> None:
        """Called once before training: ``rows`` passes over the student's batches; ``folder`` stays.

        They are those of ``train``, or of the first phase where no phase learns from ``train``.
        """

    def begin(self, phase: Phase) -> nn.Module:
        """The module that holds exactly what takes part in training: student plus projections.

        Parameters with ``requires_grad`` are trained, clipped and saved in checkpoints; others are not.
        """
        raise NotImplementedError

    def contributes(self, ctx: Context) -> bool:
        """Whether this micro-batch can give a gradient; if not, all are zero and no pass is made.

        Must depend on ``ctx`` alone and be equal on all processes.
        """
        return True

    def prepare_batch(self, batch: dict[str, Tensor], ctx: Context) -> dict[str, Tensor]:
        """The batch as both networks read it, before terms are counted: tokens masked, for one.

        What is drawn for a row comes from ``ctx.row_generator``.
        """
        return batch

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        """Count of each term for one local micro-batch, known before the forward pass."""
        raise NotImplementedError

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        """Default: the module on the student's view, and what ``needs`` says of it."""
        from ..models.reading import read_features

        needs = self.needs(self.phases()[ctx.phase])["student"]
        return read_features(cast("PreTrainedModel", module), batch, needs)

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        """The loss of one local micro-batch, by named term.

        Args:
            batch: The rows, on the device.
            student: What ``forward`` gave.
            teacher: What ``needs`` asks of the teacher, without a graph; None if that is nothing.
            ctx: Where training stands.
        """
        raise NotImplementedError

    def gauges(self, ctx: Context) -> dict[str, float]:
        """Numbers worth showing beside the loss, such as Theseus' replacing rate."""
        return {}

    def plan(self, phase: Phase, num_steps: int) -> tuple[list[tuple[str, str]], list[str]]:
        """Rows (label, value) and warnings about a phase, for the printed plan."""
        return [], []

    def ended_early(self, ctx: Context) -> list[str]:
        """Warnings about a kept network whose weights are those after ``ctx.step`` steps of a phase, and
        that is trained no further."""
        return []

    def teacher_of(self, phase: Phase) -> PreTrainedModel | None:
        """The network that teaches a phase; the teacher, unless ``pretrained_by`` asks for another."""
        return self.teacher

    def kept(self) -> PreTrainedModel:
        """The network that is evaluated and shipped; callable at any step, no side effect."""
        return self.student


@dataclass(frozen=True)
class RunValues:
    """The run's own values that a method may need.

    Attributes:
        positive: The output of the class that counts.
        masking: How tokens of a corpus are masked; None on a task.
        pretrained: The network of ``pretrained_architectures``, where ``pretrained_by`` asks for it.
    """

    num_train_epochs: float
    learning_rate: float
    max_steps: int = -1
    seed: int = 42
    positive: int = 1
    masking: Masking | None = None
    pretrained: PreTrainedModel | None = None


def by_loss(method: Method, phase: Phase) -> bool:
    """Whether the method's own loss on dev tells a phase's best weights, not a metric of the task."""
    if phase.selected_by:
        return phase.selected_by == "loss"
    return phase.data != "train" or not method.trains_outputs
