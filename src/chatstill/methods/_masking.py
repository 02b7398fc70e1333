"""Masked tokens of a batch, for methods on a corpus: their keys, and the batch as both networks read it.

Importing it costs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from .base import Context, MethodConfig

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.masking import Masking

SMOOTHING = 0.7  # DistilBERT's public code


class MaskingKeys(MethodConfig):
    """How tokens of a block are masked, for the block of a method.

    Attributes:
        masked_share: Of a block's tokens that are predicted; at least one is.
        masking: ``bert``: all tokens alike; ``distilbert``: pieces that are rare in the training corpus
            more often.
        smoothing: Of ``distilbert``: a token is drawn in proportion to its piece's count to the power of
            minus this; 0.7 where it is left out.
        whole_words: All pieces of a word are predicted, or none.
    """

    later: ClassVar[tuple[str, ...]] = ("masking", "smoothing", "whole_words")

    masked_share: float = Field(default=0.15, gt=0, lt=1)
    masking: Literal["bert", "distilbert"] = "bert"
    smoothing: float | None = Field(default=None, ge=0, le=10)
    whole_words: bool = False

    @field_validator("smoothing")
    @classmethod
    def _of_distilbert(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("masking") != "distilbert":
            raise ValueError('has no effect without "masking": "distilbert"')
        return value

    @property
    def exponent(self) -> float | None:
        """The smoothing that counts; None where all tokens are drawn alike."""
        if self.masking != "distilbert":
            return None
        return SMOOTHING if self.smoothing is None else self.smoothing

    def deciding(self) -> dict[str, Any]:
        """See ``MethodConfig``: the smoothing that counts, written down or not."""
        values = super().deciding()
        return values if self.exponent is None else {**values, "smoothing": self.exponent}


def masked_batch(
    batch: Mapping[str, Tensor], ctx: Context, masking: Masking | None
) -> dict[str, Tensor]:
    """A batch with tokens masked, and ``targets`` (B, L): ids at predicted positions, -100 elsewhere.

    What is drawn of a row hangs on the seed, the phase, the epoch and the row's number alone.

    Args:
        batch: ``input_ids`` and ``attention_mask`` (B, L), ``index`` (B,), on the CPU.
        ctx: Where training stands.
        masking: The rule; a run on a corpus has one.
    """
    import torch

    from ..data.masking import mask_rows

    assert masking is not None, "a run on a corpus has a rule"
    draws = [ctx.row_generator("masking", row) for row in batch["index"].tolist()]
    ids, valid = batch["input_ids"].numpy(), batch["attention_mask"].numpy()
    read, targets = map(torch.from_numpy, mask_rows(ids, valid, draws, masking))
    return {**batch, "input_ids": read, "targets": targets}
