"""DC-BERT: decoupled encoders of question and reply (Zhang et al., SIGIR 2020, arXiv 2002.12591, section 2).

T = BERT_q(question) and T' = BERT_d(reply), each with a [CLS] and a [SEP] of its own; the states of both,
with trainable global position and type embeddings added, go through K transformer layers, and the two [CLS]
rows o and o' give the logits: W₂ tanh(W₁ [o ; o']). The loss is the task's own, on all parts together:

    loss = weight_hard · task loss + weight_soft · temperature² · KL(teacher ‖ student)
         + two_tower · logistic loss of the label against q · d / √H

The second and third term are ours, not the paper's, and off: soft labels of the cross-encoder that the
encoders start from, and a loss that makes the [CLS] vectors q and d of the two encoders fit for finding
candidates. With ``document_width``, ours too, these terms train the network that reads projected states of
documents, and the first two also one beside it that reads them unprojected, whose attention and logits are
targets of the projected one:

    + weight_hard · task_unprojected + weight_soft · soft_unprojected
    + attention: KL(unprojected ‖ projected) of the [CLS] rows' attention, mean over layers, heads and rows
    + logits: temperature² · KL(unprojected ‖ projected)

No term compares rows with each other, so several processes train what one trains.

Needs a fine-tuned teacher of the kinds BERT, RoBERTa, ELECTRA or DistilBERT, its tokenizer, and rows of two
texts. Example: ``"model_type": "dc-bert"`` with the block ``dc_bert_model_config``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, field_validator, model_validator

from ..errors import Problem
from ..models.networks.dc_bert.names import BOTH_WAYS, KEY, ONE_WAY, TRANSFORMER, built_in, files
from .base import Context, Features, Method, MethodConfig, Needs, Phase, StudentSpec

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ..losses import Term
    from ..models.networks.dc_bert.model import DcBertForSequenceClassification
    from ..models.networks.dc_bert.outputs import StatesOf
    from .base import RowsOf

# Where states are projected, the terms that train the form beside it too, and what their names end with.
TWICE, BESIDE = ("task", "soft"), "_unprojected"
OF_TRANSFORMER = (
    *("copy_from_bert_layer_num", "num_interaction_layers", "interaction", "document_width"),
)
LAYER = "a whole number: a layer of the teacher from 0, or -1 for its last back to -N of N layers"


class Config(MethodConfig):
    """The block ``dc_bert_model_config``.

    Attributes:
        last_layer_model_type: ``transformer``, ``linear``, ``lstm``, or a class of ``models/dc_bert.py`` or
            of a plugin, by name; capitals don't count.
        copy_from_bert_layer_num: The teacher's layer (from 0; -1 is the last) that the interaction layers end
            with; ``transformer`` alone.
        num_interaction_layers: K, the number of interaction layers; ``transformer`` alone.
        shared_encoder: One encoder for both texts in place of the paper's two.
        interaction: ``one_way``: its layers change the query's states alone; ours; of ``transformer``.
        document_width: W: what is stored of a reply's states is projected to so many numbers; ours; of
            ``transformer``.
        weight_hard: Of the task's loss.
        weight_soft: Of the teacher's soft labels; ours.
        temperature: Of the soft labels, and of the logits that are targets under ``document_width``.
        two_tower: Weight of the logistic loss on the two [CLS] vectors; ours.
        freeze_documents: Leaves the encoder of replies as it starts; its states are computed once.
    """

    last_layer_model_type: str = Field(default=TRANSFORMER, min_length=1)
    copy_from_bert_layer_num: int = -1
    num_interaction_layers: int = Field(default=1, ge=1, le=1000)
    shared_encoder: bool = False
    interaction: Literal["both_ways", "one_way"] = BOTH_WAYS
    document_width: int | None = Field(default=None, ge=1)
    weight_hard: float = Field(default=1.0, ge=0)
    weight_soft: float = Field(default=0.0, ge=0)
    temperature: float = Field(default=2.0, gt=0)
    two_tower: float = Field(default=0.0, ge=0)
    freeze_documents: bool = False

    @field_validator("copy_from_bert_layer_num", mode="before")
    @classmethod
    def _is_a_layer(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be {LAYER}; found {json.dumps(value)}.")
        return value

    @model_validator(mode="after")
    def _something_trains_the_outputs(self) -> Config:
        if self.weight_hard == 0 and self.weight_soft == 0:
            raise ValueError("weight_hard and weight_soft are both 0: nothing trains the logits.")
        if self.freeze_documents and self.shared_encoder:
            raise ValueError("freeze_documents and shared_encoder exclude each other.")
        return self

    @property
    def projects(self) -> bool:
        """Whether documents' states are stored projected."""
        of_states = built_in(self.last_layer_model_type) == TRANSFORMER
        return of_states and self.document_width is not None


DcBertKnobs = Config  # inside the class, Config is its own attribute


class DcBert(Method):
    """One phase: both encoders and the interaction, trained together."""

    Config = Config
    block = "dc_bert_model_config"
    same_shape = True
    alone: ClassVar[Mapping[str, Any]] = {"weight_soft": 0.0, "weight_hard": 1.0}
    config: DcBertKnobs

    @classmethod
    def default_depth(cls, config: MethodConfig, teacher_layers: int) -> int:
        """Encoders as deep as the teacher."""
        return teacher_layers

    @classmethod
    def all_labelled(cls, config: MethodConfig) -> bool:
        """With soft labels, rows without a label teach something too."""
        assert isinstance(config, Config)
        return config.weight_soft == 0

    @classmethod
    def build_student(
        cls, config: MethodConfig, teacher: PreTrainedModel | None, spec: StudentSpec
    ) -> tuple[PreTrainedModel, list[str]]:
        """Two encoders and an interaction out of the teacher's layers.

        Raises:
            UserError: everything in which teacher, rows and block do not fit.
        """
        from ..models.networks.dc_bert.build import Interaction, build_dc_bert

        assert isinstance(config, Config) and teacher is not None
        wanted = Interaction(
            kind=config.last_layer_model_type,
            layers=config.num_interaction_layers,
            copy_from=config.copy_from_bert_layer_num,
            shared=config.shared_encoder,
            attends=config.interaction,
            width=config.document_width,
        )
        model, lines = build_dc_bert(teacher, wanted, spec)
        model.config.two_tower = config.two_tower
        return model, lines

    @classmethod
    def files(cls, config: MethodConfig, plugins: Sequence[str]) -> Mapping[str, str]:
        """The file of a user's own interaction."""
        assert isinstance(config, Config)
        if built_in(config.last_layer_model_type) is not None:
            return {}
        return {f"{KEY}.{number}": file for number, file in enumerate(files(plugins))}

    def __init__(self, config: MethodConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.needs_labels = self.all_labelled(config)
        self._states_of: StatesOf | None = None

    @property
    def label_terms(self) -> tuple[str, ...]:
        config = self.config
        weights = {"task": config.weight_hard, "two_tower": config.two_tower}
        if config.projects:
            weights["task_unprojected"] = config.weight_hard
        return tuple(name for name, weight in weights.items() if weight)

    def problems(self) -> list[Problem]:
        """``two_tower`` where no label says right or wrong; knobs that another form would read."""
        config, default, found = self.config, Config(), []
        if config.two_tower and not self._binary:
            key, message = (
                "two_tower",
                "needs rows that are right or wrong; this task has other labels",
            )
            found.append(
                Problem(
                    f"{self.block}.{key}",
                    message,
                    "Set it to 0.",
                    code="dc-bert.two-tower-without-right-and-wrong",
                )
            )
        form = config.last_layer_model_type
        for key in OF_TRANSFORMER if built_in(form) != TRANSFORMER else ():
            if getattr(config, key) != getattr(default, key):
                message = f"has no effect with {KEY} '{form}'"
                place = f"{self.block}.{key}"
                found.append(
                    Problem(place, message, "", "warning", code="dc-bert.knob-without-effect")
                )
        return found

    @property
    def _binary(self) -> bool:
        outputs = int(self.student.config.num_labels or 2)
        return self.objective == "sigmoid" or (self.objective == "cross_entropy" and outputs == 2)

    def phases(self) -> list[Phase]:
        run, frozen = self.run, self.config.freeze_documents
        train = "the queries' encoder and the interaction" if frozen else "encoders and interaction"
        return [Phase("joint", run.num_train_epochs, run.learning_rate, run.max_steps, train)]

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        teacher = Needs(logits=self.config.weight_soft > 0)
        return {"student": Needs(logits=True), "teacher": teacher}

    def prepare(self, rows: RowsOf, folder: Path, device: torch.device) -> None:
        """The states of replies, where their encoder is not trained."""
        if self.config.freeze_documents:
            from ..models.networks.dc_bert.frozen import frozen_documents

            network = cast("DcBertForSequenceClassification", self.student)
            self._states_of = frozen_documents(network, rows(), folder, device)

    def begin(self, phase: Phase) -> nn.Module:
        self.student.requires_grad_(True)
        if self.config.freeze_documents:
            cast(
                "DcBertForSequenceClassification", self.student
            ).dc_bert.of_documents.requires_grad_(False)
        return self.student

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        from ..losses import hard_label_count, soft_label_count

        config, outputs = self.config, int(self.student.config.num_labels or 1)
        labels, found = batch.get("labels"), {}
        if config.weight_hard:
            found["task"] = hard_label_count(labels, outputs, self.objective)
        if config.weight_soft:
            rows = len(batch["input_ids"])
            found["soft"] = soft_label_count(rows, outputs, self.objective, reduction="batchmean")
        if config.two_tower:
            found["two_tower"] = hard_label_count(labels, 1, self.objective)
        if config.projects:
            rows, of = len(batch["input_ids"]), self.student.config
            found |= {key + BESIDE: found[key] for key in TWICE if key in found}
            places = 1 if config.interaction == ONE_WAY else 2  # [CLS] rows that attend
            heads = of.num_attention_heads * config.num_interaction_layers
            found["attention"] = float(rows * heads * places)
            found["logits"] = soft_label_count(rows, outputs, self.objective, reduction="batchmean")
        return found

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        """The network on the student's view, with the [CLS] vectors of its sides."""
        from ..terms.towers import TowerFeatures

        network = cast("DcBertForSequenceClassification", module)
        read = network.both_forms if self.config.projects else network.towers
        rows = (batch["input_ids"], batch["attention_mask"], batch.get("token_type_ids"))
        found = read(*rows, self._states_of)
        return TowerFeatures(**found._asdict())

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term
        from ..terms.towers import TowerFeatures, TowerTerms

        assert isinstance(student, TowerFeatures)
        config, weights = self.config, self._weights
        names = frozenset(name for name, weight in weights.items() if weight)
        of = TowerTerms(self.objective, names, config.temperature, self.run.positive)
        sums = of.sums(student, batch, None if teacher is None else teacher.logits)
        counts = self.counts(batch, ctx)
        return {
            name: Term(value, counts[name], weights.get(name.removesuffix(BESIDE), 1.0))
            for name, value in sums.items()
        }

    @property
    def _weights(self) -> dict[str, float]:
        config = self.config
        hard, soft = config.weight_hard, config.weight_soft
        return {"task": hard, "soft": soft, "two_tower": config.two_tower}

    def plan(self, phase: Phase, num_steps: int) -> tuple[list[tuple[str, str]], list[str]]:
        config, rows = self.config, []
        if config.weight_soft:
            of = f"weight {config.weight_soft:g}, temperature {config.temperature:g}"
            rows.append(("soft labels of the teacher", of))
        if config.two_tower:
            rows.append(("two towers", f"weight {config.two_tower:g}"))
        if config.projects:
            what = "attention and logits of the unprojected form, which is trained beside it"
            rows.append((f"replies' states, projected to {config.document_width}", what))
        return rows, []
