"""Terms of a network of two encoders (DC-BERT): labels of one form or of two, and the two towers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..features.base import Features
from ..losses import attention_kl, hard_label_loss, soft_label_loss
from ..losses.hard import has_label


class Beside(Protocol):
    """The form that reads documents' states unprojected (``models.networks.dc_bert.outputs``)."""

    @property
    def logits(self) -> Tensor: ...
    @property
    def targets(self) -> Tensor: ...
    @property
    def scores(self) -> Tensor: ...
    @property
    def mask(self) -> Tensor: ...


class TowerFeatures(Features):
    """Logits, the [CLS] vectors (B, H) of both sides, and the unprojected form where it is trained."""

    def __init__(
        self, *, logits: Tensor, query: Tensor, document: Tensor, unprojected: Beside | None = None
    ) -> None:
        super().__init__(logits=logits)
        self.query, self.document, self.unprojected = query, document, unprojected


@dataclass(frozen=True)
class TowerTerms:
    """Which terms there are, and what they need.

    Attributes:
        objective: As in ``losses.hard_label_loss``.
        names: Of ``task``, ``soft`` and ``two_tower`` those that have a weight.
        temperature: Of soft labels.
        positive: The class that counts, of two classes.
    """

    objective: str
    names: frozenset[str]
    temperature: float
    positive: int

    def sums(
        self, student: TowerFeatures, batch: Mapping[str, Tensor], teacher: Tensor | None
    ) -> dict[str, Tensor]:
        """Each term summed over the rows; ``teacher`` are its logits (B, C)."""
        assert student.logits is not None
        sums = self._of_labels(student.logits, batch, teacher)
        if "two_tower" in self.names:
            scores = student.query * student.document
            scores = scores.sum(-1, keepdim=True) * scores.shape[-1] ** -0.5
            right, weights = self._right(batch["labels"]), batch.get("row_weights")
            sums["two_tower"] = hard_label_loss(scores, right, "sigmoid", weights)
        if (beside := student.unprojected) is not None:
            both = self._of_labels(beside.logits, batch, teacher)
            sums |= {f"{name}_unprojected": value for name, value in both.items()}
            sums["attention"] = attention_kl(beside.scores, beside.targets.detach(), beside.mask)
            sums["logits"] = self._soft(student.logits, beside.logits.detach())
        return sums

    def _of_labels(
        self, logits: Tensor, batch: Mapping[str, Tensor], teacher: Tensor | None
    ) -> dict[str, Tensor]:
        """Of gold labels and of the teacher's, for one form's logits (B, C)."""
        sums, weights = {}, batch.get("row_weights")
        if "task" in self.names:
            sums["task"] = hard_label_loss(logits, batch["labels"], self.objective, weights)
        if "soft" in self.names:
            assert teacher is not None
            sums["soft"] = self._soft(logits, teacher)
        return sums

    def _soft(self, logits: Tensor, targets: Tensor) -> Tensor:
        return soft_label_loss(logits, targets, self.objective, temperature=self.temperature)

    def _right(self, labels: Tensor) -> Tensor:
        """(B,) 1 for rows of the class that counts, 0 for the others, NaN for rows without a label."""
        right = labels if self.objective == "sigmoid" else labels == self.positive
        return right.float().masked_fill(~has_label(labels), float("nan"))
