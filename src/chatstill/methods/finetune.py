"""Plain fine-tuning on labels: how teachers are made, and the baseline that every method is held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .base import Context, Features, Method, MethodConfig, Needs, Phase

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..losses import Term


class Config(MethodConfig):
    """Fine-tuning has no knobs of its own."""


class FineTune(Method):
    """One phase, one term: the task's own loss."""

    Config = Config
    needs_teacher = False

    def phases(self) -> list[Phase]:
        run = self.run
        return [
            Phase("fine-tuning", run.num_train_epochs, run.learning_rate, max_steps=run.max_steps)
        ]

    def begin(self, phase: Phase) -> nn.Module:
        import torch

        from ..models.projections import train_what_is_read
        from ..models.reading import read_once

        self.student.requires_grad_(True)
        with torch.enable_grad():  # wherever this is asked from
            logits = read_once(self.student, Needs(logits=True)).logits
            assert logits is not None
            train_what_is_read(self.student, [logits])
        return self.student

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        from ..losses import hard_label_count

        outputs = self.student.config.num_labels or 1
        return {"task": hard_label_count(batch.get("labels"), outputs, self.objective)}

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term, hard_label_loss

        assert student.logits is not None
        weights = batch.get("row_weights")
        loss = hard_label_loss(student.logits, batch["labels"], self.objective, weights)
        return {"task": Term(loss, self.counts(batch, ctx)["task"])}
