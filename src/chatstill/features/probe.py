"""What can be read of a network, found out by passes over a few made-up tokens before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .base import Needs
from .capture import TOKEN_WEIGHTS, NotCaptured, capture, inputs_of

IDS = ((2, 3, 4, 3), (3, 4, 2, 2))
PADDED = 2  # places at the end of the second row
SHARE = 1e-3  # of what a change of real tokens does
DIGITS = 16  # roundings of the largest logit that a pass may add up


def probe_batch(device: torch.device, rows: int = 1) -> dict[str, Tensor]:
    """One row of four tokens, or two of which the second is padded."""
    ids = torch.tensor(IDS[:rows], device=device)
    mask = torch.ones_like(ids)
    mask[1:, -PADDED:] = 0
    return {"input_ids": ids, "attention_mask": mask, TOKEN_WEIGHTS: mask.float()}


@torch.no_grad()
def lacks_attention(model: nn.Module, layers: Sequence[nn.Module]) -> NotCaptured | None:
    """Why queries and keys of some layer cannot be captured; None where they can."""
    needs = Needs(attention=tuple(range(1, len(layers) + 1)))
    with _in_eval(model) as device:
        try:
            capture(model, layers, probe_batch(device), needs)
        except NotCaptured as error:
            return error
    return None


@torch.no_grad()
def odd_states(model: nn.Module, layers: Sequence[nn.Module]) -> str:
    """What is wrong with the states that layers hand out; empty where they are (rows, tokens, width)."""
    wanted = tuple(range(len(layers) + 1))
    with _in_eval(model) as device:
        batch = probe_batch(device, 2)
        try:
            states = capture(model, layers, batch, Needs(hidden_states=wanted)).hidden_states
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            return f"its layers hand out no states as others do ({type(error).__name__})"
    rows, tokens = batch["input_ids"].shape
    for index, state in states.items():
        if state.dim() != 3 or state.shape[:2] != (rows, tokens):
            of = "as (tokens, rows, width)" if state.shape[:2] == (tokens, rows) else ""
            shape = of or f"of shape {tuple(state.shape)} for {rows} rows of {tokens} tokens"
            return f"hidden state {index} comes {shape}, not as (rows, tokens, width)"
    return ""


@torch.no_grad()
def changed_by_capture(model: nn.Module, layers: Sequence[nn.Module], needs: Needs) -> float:
    """How far logits inside capture are from those without it; 0 within rounding.

    Args:
        model: A sequence classifier.
        layers: Its layers.
        needs: What training will keep of it.
    """
    wanted = Needs(**{**vars(needs), "logits": True, "vocabulary": False})
    with _in_eval(model) as device:
        batch = probe_batch(device, 2)
        plain = model(**inputs_of(model, batch)).logits
        inside = capture(model, layers, batch, wanted).logits
    assert inside is not None
    return beyond_rounding(plain, inside, reach=float((plain[0] - plain[1]).abs().max()))


def beyond_rounding(one: Tensor, other: Tensor, *, reach: float) -> float:
    """How far two results for one row are apart; 0 where rounding alone explains it.

    What counts is not the size of logits but what of it is the row's: a fresh classifier's are tiny, and
    those of a regression lie around a mean. NaN on both sides is no difference.

    Args:
        one: Logits, any shape.
        other: Of the same shape.
        reach: How far a change of real tokens moves such logits.
    """
    distance = float((one - other).abs().max().nan_to_num(nan=0.0))
    digits = torch.finfo(one.dtype).eps * float(one.abs().max().nan_to_num(nan=0.0))
    return distance if distance > max(SHARE * reach, DIGITS * digits) else 0.0


@torch.no_grad()
def first_token_is_blind(model: nn.Module, layers: Sequence[nn.Module]) -> bool:
    """Whether the first token sees none behind it, as in decoders: its state is that of every row."""
    needs = Needs(cls=(len(layers),))
    with _in_eval(model) as device:
        rows = [probe_batch(device) for _ in range(2)]
        rows[1]["input_ids"][0, -1] += 1
        one, other = (capture(model, layers, row, needs).cls[len(layers)] for row in rows)
    return torch.equal(one, other)


@contextmanager
def _in_eval(model: nn.Module) -> Iterator[torch.device]:
    """Inside the block the network answers without dropout; gives its device."""
    mode = model.training
    model.eval()
    try:
        yield next((p.device for p in model.parameters()), torch.device("cpu"))
    finally:
        model.train(mode)
