"""Teacher and student trained apart: any list of terms between them, without code.

The terms stand in a method file of ``config/models_config`` or in the block ``distillation``: soft
labels (Hinton et al. 2015, arXiv 1503.02531), hidden states and attention scores (TinyBERT, arXiv
1909.10351, section 3), patience (PKD, arXiv 1908.09355, section 3), gold labels. The total is the sum
over terms of weight x sum / count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..errors import Problem
from ..figures import counted
from ..terms.extremes import extremes
from ..terms.rows import OF_ATTENTION
from ..terms.spec import Shape, TermSpec, needs_of, resolve, several_poolings
from ._masking import masked_batch
from ._matches import Config
from .base import Context, Features, Method, MethodConfig, Needs, Phase

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ..losses import Term
    from ..models.projections import ProjectedStudent
    from ..terms.spec import Pair


MatchesConfig = Config  # inside the class, Config is its own attribute


class Matches(Method):
    """One phase: the student and its projections, on the terms of the rows."""

    Config = Config
    block = "distillation"
    overridden_by: ClassVar[Mapping[str, str]] = {"layer_map": "pairs", "pairs": "layer_map"}
    top_level = Config.old_keys()
    needs_labels = False  # a run's own terms may need them
    config: MatchesConfig

    def __init__(self, config: MethodConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        from ..models.projections import make_projections

        self.needs_labels = self.all_labelled(config)
        self.masks = self.makes_tokens = self.draws_tokens(config)
        keys = [key for spec in self.specs for key in spec.projections.values()]
        own, aim = self.shapes
        self.projections = make_projections(keys, own.width, aim.width, self.run.seed)

    @classmethod
    def level_of(cls, config: MethodConfig) -> str:
        assert isinstance(config, MatchesConfig)
        return config.level

    @classmethod
    def draws_tokens(cls, config: MethodConfig) -> bool:
        assert isinstance(config, MatchesConfig)
        return config.level == "pretraining" and config.masking != "none"

    @classmethod
    def all_labelled(cls, config: MethodConfig) -> bool:
        """Only where nothing but gold labels is learnt from."""
        assert isinstance(config, MatchesConfig)
        return all(row.loss == "hard" for row in config.rows().values())

    @cached_property
    def shapes(self) -> tuple[Shape, Shape]:
        """Of student and teacher."""
        assert self.teacher is not None
        return Shape.of(self.student), Shape.of(self.teacher)

    @cached_property
    def _resolved(self) -> tuple[list[TermSpec], list[Problem]]:
        specs, problems = [], []
        for name, row in self.config.rows().items():
            spec, found = resolve(name, row, *self.shapes)
            problems += found
            specs += [spec] if spec is not None else []
        return specs, problems

    @property
    def specs(self) -> list[TermSpec]:
        """The terms whose layers could be found."""
        return self._resolved[0]

    @property
    def trains_outputs(self) -> bool:
        needs = needs_of(self.specs, 0)
        return needs.logits or needs.vocabulary

    @property
    def label_terms(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.specs if spec.row.loss == "hard")

    def problems(self) -> list[Problem]:
        """Terms that do not fit the two networks, all at once."""
        problems = [*self._resolved[1], *self.config.without_effect(self.config.rows())]
        problems += several_poolings(self.specs)
        if self.masks and self.shapes[0].causal:
            message = "the student reads no token behind a position: masked ones teach it little"
            hint = 'Write "distillation": {"masking": "none"}, and "alpha_clm" for next tokens.'
            place = "distillation.masking"
            problems.append(Problem(place, message, hint, code="terms.decoder-with-masks"))
        if not self.config.rows():
            message = "no term has a weight above 0: there is nothing to learn"
            hint = "Set the weight of one of the method's terms above 0; the plan lists them."
            problems.append(Problem("distillation", message, hint, code="terms.none-with-weight"))
        return problems

    def doubts(self) -> list[Problem]:
        return extremes(self.config.rows())

    def phases(self) -> list[Phase]:
        run = self.run
        head = "classifier" if self.config.level == "task" else "masked-LM head"
        trained = "student" if self.trains_outputs else f"student without its {head}"
        if self.projections:
            trained += f", {counted(len(self.projections), 'projection')}"
        return [
            Phase(
                "distillation",
                run.num_train_epochs,
                run.learning_rate,
                max_steps=run.max_steps,
                train=trained,
            )
        ]

    def terms_of(self, phase: Phase) -> Sequence[TermSpec]:
        """The terms of a phase: all of them, where there is one phase."""
        return self.specs

    def _now(self, ctx: Context) -> Sequence[TermSpec]:
        return self.terms_of(self.phases()[ctx.phase])

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        specs = self.terms_of(phase)
        return {"student": needs_of(specs, 0), "teacher": needs_of(specs, 1)}

    def begin(self, phase: Phase) -> nn.Module:
        """The student with its projections; what no term of the phase reads is frozen."""
        import torch

        from ..models.projections import ProjectedStudent, train_what_is_read

        self.student.requires_grad_(True)
        with torch.enable_grad():  # wherever this is asked from
            read = _read_once(self.student, self.terms_of(phase))
            train_what_is_read(self.student, read)
        used = {key for spec in self.terms_of(phase) for key in spec.projections.values()}
        for key, projection in self.projections.items():
            projection.requires_grad_(key in used)
        return ProjectedStudent(self.student, self.projections)

    def prepare_batch(self, batch: dict[str, Tensor], ctx: Context) -> dict[str, Tensor]:
        """At the pre-training level with tokens masked: both networks read the same ones."""
        return masked_batch(batch, ctx, self.run.masking) if self.masks else batch

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        from ..terms.compute import term_count

        own, aim = self.shapes
        return {
            spec.name: term_count(spec, batch, self.objective, student=own, teacher=aim)
            for spec in self._now(ctx)
        }

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        """The student's features; projections are applied here, inside the trained module."""
        from ..models.reading import read_features

        trained = cast("ProjectedStudent", module)
        specs = self._now(ctx)
        found = read_features(trained.student, batch, needs_of(specs, 0))
        projected: dict[tuple[str, Pair], Tensor] = {}
        for spec in specs:
            for pair, key in spec.projections.items():
                tensor = _of_layer(found, spec, pair)
                projected[spec.name, pair] = trained.project(key, tensor)
        return Projected(**vars(found), projected=projected)

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term
        from ..terms.compute import term_sum

        assert isinstance(student, Projected)
        projected, counts = student.projected, self.counts(batch, ctx)

        def project(spec: TermSpec, pair: Pair, tensor: Tensor) -> Tensor:
            return projected.get((spec.name, pair), tensor)

        return {
            spec.name: Term(
                term_sum(spec, batch, student, teacher or Features(), self.objective, project),
                counts[spec.name],
                spec.row.weight,
            )
            for spec in self._now(ctx)
        }

    def plan(self, phase: Phase, num_steps: int) -> tuple[list[tuple[str, str]], list[str]]:
        """One row per term."""
        own, aim = self.shapes
        softened = self.objective != "regression"
        rows = [
            (f"term {spec.name}", spec.describe(own, aim, softened=softened))
            for spec in self.terms_of(phase)
        ]
        warnings: list[str] = []
        if self.config.level == "pretraining":
            return rows, warnings
        if not self.trains_outputs:
            then = "Go on with a run that trains it, such as TinyBertTaskDistillStep2"
            if hasattr(self.student, "text_vectors"):
                then = "Its vectors rank replies: `chatstill index`; another run can go on from its folder"
            warnings.append(
                "no term reads the student's logits, so its classifier is not trained: the figure on dev is "
                f"the loss of these terms. {then}"
            )
        return rows, warnings


class Projected(Features):
    """The student's features and, by (term, pair), those that went through a projection."""

    def __init__(self, *, projected: dict[tuple[str, Pair], Tensor], **features: Any) -> None:
        super().__init__(**features)
        self.projected = projected


def _of_layer(features: Features, spec: TermSpec, pair: Pair) -> Tensor:
    if spec.row.feature == "vector":
        assert features.vector is not None
        return features.vector
    states = features.cls if spec.row.feature == "cls" else features.hidden_states
    return states[pair[0]]


def _read_once(student: PreTrainedModel, specs: Sequence[TermSpec]) -> list[Tensor]:
    """Everything that terms read of the student, for one row of four tokens, without dropout."""
    import torch

    from ..models.reading import read_once
    from ..terms.compute import attention_read

    found = read_once(student, needs_of(specs, 0))
    read = [*found.hidden_states.values(), *found.cls.values()]
    for spec in specs:
        if spec.row.feature in OF_ATTENTION:
            for pair in spec.pairs:
                read += attention_read(spec, found.attention[pair.student])
    if found.head is not None and found.vocabulary is not None:
        read.append(torch.nn.functional.linear(found.head, *found.vocabulary))
    return read + [tensor for tensor in (found.logits, found.vector) if tensor is not None]
