"""Padding without effect: which token pads and on which side, found by trying a row alone and padded.

Decoders find a row's last token by the padding token of their config, some networks of positions of
their own must not be padded on the left, others only there: what is written down does not always agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import Problem
from ..features.probe import beyond_rounding
from .layers import num_embeddings
from .structure import structural_copy

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

EXTRA = 3  # tokens of padding in the trial


@torch.no_grad()
def fit_padding(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    role: str,
    beside: Mapping[str, PreTrainedModel] | None = None,
) -> Problem | None:
    """Sets a network's padding token and its tokenizer's side so that padding changes nothing.

    What they say themselves is kept where that is so already. A side that other networks read with is
    changed only where it is right for them too.

    Args:
        model: On the CPU; no generator is touched.
        tokenizer: Of its rows; has a padding token.
        role: ``teacher``, ``student`` …, for the message.
        beside: By role, networks that were tried before and read with the same tokenizer.

    Returns:
        A warning where the scores of a row depend on its padding whatever is set; an error where no side
        is right for all networks.
    """
    if getattr(model.config, "pad_token_id", None) is None:
        _set_token(model.config, tokenizer.pad_token_id)
    trial, side = _Trial(model, tokenizer), tokenizer.padding_side
    if (token := trial.token(side)) is not None:
        _set_token(model.config, token)
        return None
    other = "left" if side == "right" else "right"
    if (token := trial.token(other)) is None:
        message = f"the {role}'s scores of a row change with its padding, by {trial.farthest:.2g} in a trial"
        hint = "Its figures depend on which rows stand together in a batch; does it read attention_mask?"
        return Problem(role, message, hint, "warning", code="network.padding-changes-scores")
    found = [(model, token)]
    for name, network in (beside or {}).items():
        trial = _Trial(network, tokenizer)
        if (token := trial.token(other)) is not None:
            found.append((network, token))
        elif trial.token(side) is not None:  # where no side is right, none is wrong: it was told
            return _no_side(role, other, name, side)
    for network, token in found:
        _set_token(network.config, token)
    tokenizer.padding_side = other
    return None


def _no_side(role: str, own: str, name: str, theirs: str) -> Problem:
    message = (
        f"the {role}'s scores are right only with padding on the {own}, the {name}'s only on the "
        f"{theirs}, and both read rows of one tokenizer"
    )
    hint = (
        f"Take a {role} that can be padded on the {theirs}, or a student with a tokenizer of its own, of "
        "another vocabulary: student_architectures.tokenizer_name_or_path."
    )
    return Problem(role, message, hint, code="network.padded-on-another-side")


class _Trial:
    """A network that reads one row alone and padded.

    Attributes:
        farthest: How far the scores of the first padding that changed them were off.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = structural_copy(model).train(False)  # some change for good when they run
        self.row = torch.tensor([tokenizer("a", "b")["input_ids"]])
        self.padding: int = tokenizer.pad_token_id
        self.tokens = dict.fromkeys([model.config.pad_token_id, self.padding])
        self.reach = _reach(self.model, self.row)
        self.farthest = 0.0

    def token(self, side: str) -> int | None:
        """What the config has to name as the padding token, its own first; None where neither is right."""
        for token in self.tokens:
            _set_token(self.model.config, token)
            distance = _distance(self.model, self.row, self.padding, side, self.reach)
            if distance == 0:
                return token
            self.farthest = self.farthest or distance
        return None


def _reach(model: PreTrainedModel, row: Tensor) -> float:
    """How far another token in the place of a row's first word moves its scores."""
    table = num_embeddings(model) or int(row.max()) + 1
    others, place = row.clone(), min(1, row.shape[1] - 1)  # behind a [CLS]
    others[0, place] = (others[0, place] + table // 2) % table
    mask = torch.ones_like(row)
    one, other = (model(input_ids=ids, attention_mask=mask).logits for ids in (row, others))
    return float((one - other).abs().max())


def _distance(model: PreTrainedModel, row: Tensor, token: int, side: str, reach: float) -> float:
    """How far the scores of a row alone are from those of the row padded; 0 within rounding.

    Infinitely far where the network cannot read it so.
    """
    padding = torch.full((1, EXTRA), token)
    parts = (padding, row) if side == "left" else (row, padding)
    mask = [torch.zeros_like(padding), torch.ones_like(row)]
    whole = torch.cat(mask if side == "left" else mask[::-1], 1)
    alone = model(input_ids=row, attention_mask=torch.ones_like(row)).logits
    try:
        padded = model(input_ids=torch.cat(parts, 1), attention_mask=whole).logits
    except Exception:  # whatever a network raises; training meets it again, and tells it
        return math.inf
    return beyond_rounding(alone, padded, reach=reach)


def _set_token(config: PretrainedConfig, token: int) -> None:
    config.pad_token_id = token
    text = config.get_text_config()
    if text is not config:
        text.pad_token_id = token
