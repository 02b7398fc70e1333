"""Padding without effect: which token pads and on which side, found by trying a row alone and padded.

Decoders find a row's last token by the padding token of their config, some networks of positions of
their own must not be padded on the left, others only there: what is written down does not always agree.
"""

from __future__ import annotations

import math
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
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, role: str
) -> Problem | None:
    """Sets a network's padding token and its tokenizer's side so that padding changes nothing.

    What they say themselves is kept where that is so already.

    Args:
        model: On the CPU; no generator is touched.
        tokenizer: Of its rows; has a padding token.
        role: ``teacher``, ``student`` …, for the message.

    Returns:
        A warning where the scores of a row depend on its padding whatever is set.
    """
    networks, tokenizers = getattr(model.config, "pad_token_id", None), tokenizer.pad_token_id
    if networks is None:
        _set_token(model.config, tokenizers)
        networks = tokenizers
    trial = structural_copy(model).train(False)  # some networks change for good when they run
    row = torch.tensor([tokenizer("a", "b")["input_ids"]])
    reach = _reach(trial, row)
    side = tokenizer.padding_side
    other = "left" if side == "right" else "right"
    farthest = 0.0
    for token, place in (
        (networks, side),
        (tokenizers, side),
        (networks, other),
        (tokenizers, other),
    ):
        _set_token(trial.config, token)
        distance = _distance(trial, row, tokenizers, place, reach)
        if distance == 0:
            _set_token(model.config, token)
            tokenizer.padding_side = place
            return None
        farthest = farthest or distance
    message = f"the {role}'s scores of a row change with its padding, by {farthest:.2g} in a trial"
    hint = (
        "Its figures depend on which rows stand together in a batch; does it read attention_mask?"
    )
    return Problem(role, message, hint, "warning", code="network.padding-changes-scores")


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
