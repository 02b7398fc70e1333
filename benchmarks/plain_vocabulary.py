"""A plugin: masked language modelling as transformers does it, the scores of all positions at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chatstill.methods import masked_lm
from chatstill.methods.base import Context, Features

if TYPE_CHECKING:
    from torch import Tensor, nn

    from chatstill.losses import Term


class Method(masked_lm.MaskedLM):
    """The same loss with all of its (B, L, V) scores."""

    def forward(self, module: "nn.Module", batch: Mapping[str, "Tensor"], ctx: Context) -> Features:
        network: Any = module
        if self.config.train == "head":
            network.base_model.train(False)
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "token_type_ids")}
        return Features(logits=network(**inputs).logits)

    def terms(
        self,
        batch: Mapping[str, "Tensor"],
        student: Features,
        teacher: Features | None,
        ctx: Context,
    ) -> "dict[str, Term]":
        from torch.nn import functional as F

        from chatstill.losses import Term

        assert student.logits is not None
        loss = F.cross_entropy(
            student.logits.flatten(0, 1), batch["targets"].flatten(), reduction="sum"
        )
        return {"masked": Term(loss, self.counts(batch, ctx)["masked"])}
