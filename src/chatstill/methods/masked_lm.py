"""Masked language modelling (BERT, arXiv 1810.04805, section 3.1): a network learns to fill in masked tokens.

Loss: -log p(token at the position | the masked block), summed over the predicted positions and divided by
their number. 15 % of a block's tokens are predicted; of these 80 % are replaced by the mask token, 10 % by
another piece, 10 % stay. The scores over the vocabulary are computed at predicted positions alone.

Which tokens: all alike (BERT), or rare pieces more often (DistilBERT, arXiv 1910.01108, its public code); of
either whole words only: ``methods._masking``.

Needs a corpus, and a network with a masked-LM head in ``pretrained_architectures``: its weights, or its
architecture alone (random weights). No teacher, no labels.

Goes wrong: a rate that suits fine-tuning leaves random weights where they are; a body that is frozen learns
no more than its head can say.

    {"model_type": "MaskedLM", "task_name": "corpus", "data_dir": "data", "output_dir": "output_mlm",
     "pretrained_architectures": {"model_name_or_path": "bert-base-uncased"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ._masking import MaskingKeys, masked_batch
from .base import Context, Features, Method, Needs, Phase

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..losses import Term


class Config(MaskingKeys):
    """The block ``masked_lm``; how tokens are masked: ``MaskingKeys``.

    Attributes:
        level: ``pretraining``.
        train: ``all`` parameters, or the ``head`` over a frozen body.
    """

    level: Literal["pretraining"] = "pretraining"
    train: Literal["all", "head"] = "all"


Knobs = Config  # inside the class, Config is its attribute


class MaskedLM(Method):
    """One phase, one term."""

    Config = Config
    block = "masked_lm"
    level = "pretraining"
    needs_teacher = False
    needs_labels = False
    makes_tokens = True

    config: Knobs

    def phases(self) -> list[Phase]:
        run = self.run
        trained = "all parameters" if self.config.train == "all" else "the head, the body is frozen"
        return [
            Phase(
                "masked-lm",
                run.num_train_epochs,
                run.learning_rate,
                max_steps=run.max_steps,
                train=trained,
            )
        ]

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        return {"student": Needs(vocabulary=True), "teacher": Needs()}

    def begin(self, phase: Phase) -> nn.Module:
        import torch

        from ..models.projections import train_what_is_read
        from ..models.reading import read_once

        self.student.requires_grad_(True)
        if self.config.train == "head":
            self.student.base_model.requires_grad_(False)
        with torch.enable_grad():  # wherever this is asked from
            found = read_once(self.student, Needs(vocabulary=True))
            assert found.head is not None and found.vocabulary is not None
            scores = torch.nn.functional.linear(found.head, *found.vocabulary)
            train_what_is_read(self.student, [scores])
        return self.student

    def prepare_batch(self, batch: dict[str, Tensor], ctx: Context) -> dict[str, Tensor]:
        """With tokens masked, and ``targets`` (B, L)."""
        return masked_batch(batch, ctx, self.run.masking)

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        return {"masked": float((batch["targets"] >= 0).sum())}

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        from ..models.reading import read_features

        network: Any = module
        if self.config.train == "head":
            network.base_model.train(False)  # no dropout in what is not trained
        return read_features(network, batch, Needs(vocabulary=True))

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term, vocabulary_loss

        assert student.head is not None and student.vocabulary is not None
        counted = batch["targets"] >= 0
        loss = vocabulary_loss(student.head[counted], student.vocabulary, batch["targets"][counted])
        return {"masked": Term(loss, self.counts(batch, ctx)["masked"])}
