"""BERT-of-Theseus: progressive module replacing (Xu et al., EMNLP 2020, arXiv 2002.02925, section 3).

The teacher's layers are split into modules (predecessors); each gets a successor of fewer layers. In
every forward pass each module is replaced by its successor with probability p, and only the task's own
loss trains the successors: no distillation term, no temperature. p follows a schedule (section 3.3); at
p = 1 the successors alone are the student. As in the authors' code, a successor that a step does not draw
has a gradient of zero, so Adam's moments move it on (``train.gradients.fill_absent``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from ..errors import Problem, Said, UserError
from .base import (
    FASTEST,
    SLOWEST,
    Context,
    Features,
    Method,
    MethodConfig,
    Needs,
    Phase,
    StudentSpec,
)

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ..losses import Term


class Config(MethodConfig):
    """The block ``theseus_scheduler``.

    Attributes:
        replacing_rate: Probability of a replacement at the first step: ``b`` of the linear schedule, or
            the constant rate.
        scheduler_type: ``linear`` or ``constant``; ``"None"``, ``"none"`` and null are the constant one.
        scheduler_linear_k: Slope per optimizer step, or ``auto``: rate 1 at half of the phase.
        steps_for_replacing: Constant schedule only: from this step on the rate is 1; 0 = never.
        successor_num_train_epochs: Second phase, successors alone; default 0 after a linear schedule, 1
            after a constant one.
        successor_learning_rate: Its learning rate; default: the run's.
        successor_init: Where the successors start: the teacher's ``first`` layers, layers spaced
            ``evenly`` over it, or the ``pretrained`` weights of ``student_architectures``.
        grouping: Per module its teacher layers (0-based) or how many it replaces; default: equal groups in
            order.
        train: ``successors`` only (the paper), or ``all``: also embeddings and head.
        predecessor_dropout: Dropout inside the frozen predecessors (on in the authors' code).
    """

    replacing_rate: float = Field(default=0.3, gt=0, le=1)
    scheduler_type: Literal["linear", "constant"] = "linear"
    scheduler_linear_k: float | Literal["auto"] = "auto"
    steps_for_replacing: int = Field(default=0, ge=0)
    successor_num_train_epochs: float | None = Field(default=None, ge=0)
    successor_learning_rate: float | None = Field(default=None, gt=0)
    successor_init: Literal["first", "evenly", "pretrained"] = "first"
    grouping: tuple[int, ...] | tuple[tuple[int, ...], ...] | None = None
    train: Literal["successors", "all"] = "successors"
    predecessor_dropout: bool = True

    @field_validator("scheduler_type", mode="before")
    @classmethod
    def _constant_has_many_names(cls, value: Any) -> Any:
        if value is None or (isinstance(value, str) and value.lower() in ("none", "null")):
            return "constant"
        return value.lower() if isinstance(value, str) else value

    @field_validator("scheduler_linear_k")
    @classmethod
    def _slope_is_positive(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and value <= 0:
            raise ValueError('must be above 0 (the rate grows by it every step), or "auto"')
        return value


RAREST = 0.001  # replacing rate of a constant schedule: one module in a thousand steps
LONGER_THAN_ANY_RUN = 1e15  # steps; beyond it whole numbers of steps get lost in floats
TheseusConfig = Config  # inside the class, Config is its own attribute


@dataclass(frozen=True)
class ReplacingRate:
    """The replacing rate as a pure function of the optimizer steps finished (section 3.3).

    linear: p(t) = min(1, slope * t + rate), so the first step runs with ``rate``; constant: ``rate``
    until ``steps_for_replacing`` (0 = never), then 1.
    """

    kind: Literal["linear", "constant"]
    rate: float
    slope: float = 0.0
    steps_for_replacing: int = 0

    @classmethod
    def from_config(cls, config: Config, num_steps: int) -> ReplacingRate:
        """Resolves ``auto``: rate 1 at half of ``num_steps``, at the latest at the second step."""
        slope = config.scheduler_linear_k
        if slope == "auto":
            slope = (1.0 - config.replacing_rate) / max(num_steps // 2, 1)
        return cls(
            config.scheduler_type, config.replacing_rate, float(slope), config.steps_for_replacing
        )

    def at(self, step: int) -> float:
        """The rate after ``step`` optimizer steps."""
        if self.kind == "constant":
            done = self.steps_for_replacing and step >= self.steps_for_replacing
            return 1.0 if done else self.rate
        # A slope computed as (1 - b) / n may miss 1 by rounding after n steps.
        rate = self.slope * step + self.rate
        return 1.0 if rate > 1.0 - 1e-9 else rate

    def first_step_at_one(self) -> int | None:
        """The first step (0-based) that runs with rate 1; None if it never comes by itself."""
        if self.rate >= 1.0:
            return 0
        if self.kind == "constant":
            return self.steps_for_replacing or None
        needed = (1.0 - self.rate) / self.slope
        if needed > LONGER_THAN_ANY_RUN:
            return None
        guess = max(int(needed) - 1, 0)
        while self.at(guess) < 1.0:
            guess += 1
        return guess


class Theseus(Method):
    """Replacing phase, then (optionally) successor fine-tuning."""

    Config = Config
    block = "theseus_scheduler"
    unused_parameters = True
    same_shape = True
    top_level = ("successor_num_train_epochs", "successor_learning_rate", "successor_init")
    config: TheseusConfig

    @classmethod
    def default_depth(cls, config: MethodConfig, teacher_layers: int) -> int:
        """As many layers as the grouping has modules."""
        assert isinstance(config, Config)
        return (
            len(config.grouping)
            if config.grouping
            else super().default_depth(config, teacher_layers)
        )

    @classmethod
    def build_student(
        cls,
        config: MethodConfig,
        teacher: PreTrainedModel | None,
        spec: StudentSpec,
    ) -> tuple[PreTrainedModel, list[str]]:
        """A plain model of fewer layers; embeddings and head are copies of the teacher's.

        Returns:
            The student and lines for the plan.
        """
        from ..features.layer_map import initial_layers
        from ..models.layers import copy_layers

        assert isinstance(config, Config) and teacher is not None
        total = teacher.config.num_hidden_layers
        if config.successor_init == "pretrained":
            indices = list(range(spec.num_layers))
            student = copy_layers(teacher, spec.num_layers, indices)
            lines = _load_successors(student, spec.load())
            return student, lines
        indices = initial_layers(total, spec.num_layers, config.successor_init)
        lines = [f"successors start as the teacher's layers {indices} (0-based)"]
        if spec.path:
            lines.append(
                f'{spec.path} is not read: successor_init is "{config.successor_init}"; '
                'set "successor_init": "pretrained" to start from it'
            )
        return copy_layers(teacher, spec.num_layers, indices), lines

    def problems(self) -> list[Problem]:
        """A depth or a grouping that does not share out the teacher's layers."""
        try:
            self.groups()
        except UserError as error:
            return error.problems
        return []

    def doubts(self) -> list[Problem]:
        """Rates so small that nothing is replaced, or so far off that nothing is learnt."""
        config = self.config
        found: dict[str, Said] = {}
        if config.replacing_rate < RAREST and config.scheduler_type == "constant":
            found["replacing_rate"] = Said(
                f"{config.replacing_rate:g} replaces hardly any module, so hardly any is trained",
                "Usual values are 0.3 to 0.7.",
                code="theseus.rate-too-low",
            )
        rate = config.successor_learning_rate
        if rate is not None and not SLOWEST <= rate <= FASTEST:
            message = f"{rate:g} trains nothing in the second phase"
            hint = "Usual values are 1e-5 to 1e-3."
            found["successor_learning_rate"] = Said(
                message, hint, code="theseus.learning-rate-of-no-use"
            )
        return [
            Problem(f"{self.block}.{key}", said.message, said.hint, "warning", code=said.code)
            for key, said in found.items()
        ]

    def phases(self) -> list[Phase]:
        config, run = self.config, self.run
        trained = (
            "successors" if config.train == "successors" else "successors, embeddings and head"
        )
        epochs = config.successor_num_train_epochs
        if epochs is None:
            epochs = 0.0 if config.scheduler_type == "linear" else 1.0
        phases = [
            Phase(
                "replacing",
                run.num_train_epochs,
                run.learning_rate,
                max_steps=run.max_steps,
                train=trained,
            )
        ]
        if epochs > 0:
            rate = config.successor_learning_rate or run.learning_rate
            phases.append(Phase("successor", epochs, rate, train=trained))
        return phases

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        return {"student": Needs(logits=True, layers=True), "teacher": Needs(layers=True)}

    def groups(self) -> list[list[int]]:
        """Teacher layers (0-based) of each module."""
        from ..models.theseus.host import group_layers

        assert self.teacher is not None
        return group_layers(
            self.teacher.config.num_hidden_layers,
            self.student.config.num_hidden_layers,
            self.config.grouping,
        )

    def begin(self, phase: Phase) -> nn.Module:
        from ..models.theseus.host import build_host

        assert self.teacher is not None
        return build_host(
            self.student,
            self.teacher,
            self.groups(),
            train=self.config.train,
            predecessor_dropout=self.config.predecessor_dropout,
        )

    def rate(self, ctx: Context) -> float:
        """The replacing rate of a step."""
        if ctx.phase > 0:
            return 1.0
        return ReplacingRate.from_config(self.config, ctx.num_steps).at(ctx.step)

    def draws(self, ctx: Context) -> list[bool]:
        """One Bernoulli draw per module for the whole micro-batch, the same on every process."""
        import torch

        modules = self.student.config.num_hidden_layers
        generator = ctx.generator("replace", shared=True)
        return (torch.rand(modules, generator=generator) < self.rate(ctx)).tolist()

    def contributes(self, ctx: Context) -> bool:
        """With successors alone trained, a micro-batch that draws none has gradients of zero alone."""
        return self.config.train == "all" or any(self.draws(ctx))

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        from ..losses import hard_label_count

        outputs = self.student.config.num_labels or 1
        return {"task": hard_label_count(batch.get("labels"), outputs, self.objective)}

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        from ..models.theseus.host import set_draws

        set_draws(module, self.draws(ctx))
        return super().forward(module, batch, ctx)

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term, hard_label_loss

        assert student.logits is not None
        weights = batch.get("row_weights")
        loss = hard_label_loss(student.logits, batch["labels"], self.objective, weights)
        return {"task": Term(loss, self.counts(batch, ctx)["task"])}

    def gauges(self, ctx: Context) -> dict[str, float]:
        return {"replacing_rate": self.rate(ctx)}

    def ended_early(self, ctx: Context) -> list[str]:
        """A rate below 1 in the last step: the successors alone are what hardly any step trained."""
        rate = self.rate(replace(ctx, step=max(ctx.step - 1, 0)))
        if rate >= 1.0:
            return []
        share = rate**self.student.config.num_hidden_layers
        return [
            f"the replacing rate had come to {rate:.3g} in step {ctx.step:,}: the student's layers were "
            "trained between layers of the teacher, and all of them together, as they stand now, with a "
            f"chance of at most {share:.1%} a step"
        ]

    def plan(self, phase: Phase, num_steps: int) -> tuple[list[tuple[str, str]], list[str]]:
        """When the rate reaches 1, and warnings where that is too early, too late or never."""
        if phase.name != "replacing":
            return [("replacing rate", "1 (successors alone)")], []
        rows, warnings = self._plan_rate(num_steps)
        layer_map = f"{describe_groups(self.groups())} (layers counted from 1)"
        return [("layer map", layer_map), *rows], warnings

    def _plan_rate(self, num_steps: int) -> tuple[list[tuple[str, str]], list[str]]:
        schedule = ReplacingRate.from_config(self.config, num_steps)
        reached = schedule.first_step_at_one()
        kind = f"{schedule.kind}, starts at {schedule.rate:g}"
        if schedule.kind == "linear":
            kind += f", +{schedule.slope:.3g} per step"
        successor_epochs = self.config.successor_num_train_epochs
        second = (successor_epochs is None and schedule.kind == "constant") or bool(
            successor_epochs
        )
        if reached is None or reached >= num_steps:
            rows = [("replacing rate", f"{kind}; does not reach 1 in {num_steps} steps")]
            if second:
                return rows, []
            return rows, [
                f"the replacing rate does not reach 1 within the {num_steps} steps of the plan: the "
                "successors would never be trained on each other's outputs. Train longer, raise "
                'scheduler_linear_k (or "auto"), or set successor_num_train_epochs'
            ]
        share = reached / num_steps
        rows = [
            ("replacing rate", f"{kind}; reaches 1 at step {reached + 1} ({share:.0%} of plan)")
        ]
        warnings = []
        if share < 0.05 and schedule.rate < 1.0:
            warnings.append(
                f"the replacing rate reaches 1 at step {reached + 1}, {share:.1%} of the plan: there is "
                "hardly any replacing. Lower scheduler_linear_k"
            )
        if share > 0.80 and not second:
            warnings.append(
                f"the replacing rate reaches 1 only at step {reached + 1}, {share:.0%} of the plan: "
                "the successors hardly train on each other's outputs. Train longer or raise "
                "scheduler_linear_k"
            )
        return rows, warnings


def _load_successors(student: PreTrainedModel, source: PreTrainedModel) -> list[str]:
    """Copies the layers (not embeddings, not head) of ``source`` into ``student``."""
    from ..models.layers import layer_list

    target, given = layer_list(student)[2], layer_list(source)[2]
    if len(given) < len(target):
        raise UserError(
            Problem(
                "",
                f"student_architectures.model_name_or_path has {len(given)} layers, the student needs "
                f"{len(target)}",
                code="theseus.weights-of-other-depth",
            )
        )
    for new, old in zip(target, given, strict=False):
        new.load_state_dict(old.state_dict())
    return [f"successors start from the student's own weights ({len(target)} layers)"]


def describe_groups(groups: Sequence[Sequence[int]]) -> str:
    """Layer map of the plan, 1-based: ``1-2 -> 1, 3-4 -> 2``."""
    parts = []
    for number, group in enumerate(groups, 1):
        first, last = group[0] + 1, group[-1] + 1
        parts.append(f"{first}-{last} → {number}" if first != last else f"{first} → {number}")
    return ", ".join(parts)
