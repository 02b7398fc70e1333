"""The best pieces at a masked place, the same whatever else is asked at the same time.

A pass always has ``ROWS`` rows of one of a few lengths: a library adds in another order for another shape,
and scores would differ in their last digits. What is left of that is rounded away, and equal scores are
ordered by the number of the piece.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..features.capture import NoHead, takes_token_types, vocabulary_layer
from ..models.lengths import usable_positions
from ..models.masked_lm import head_states

ROWS = 32
STEP = 8  # tokens between two lengths
UNITS = 1024  # of a rounded log-probability
LONGEST = 512


@dataclass(frozen=True)
class Query:
    """Tokens, their types, and the place that is asked for."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    at: int


@dataclass(frozen=True)
class Found:
    """The best pieces, best first, and their log-probabilities in units of 1 / 1024."""

    ids: list[int]
    scores: list[int]


Scores = Callable[[dict[str, Tensor], Tensor], Tensor]


class Predictor:
    """A masked language model asked for the best pieces.

    Args:
        scores: Log-probabilities (B, V) of the pieces at one place (B,) of each row of a batch.
        pad_token_id: Fills up shorter rows.
        longest: The most tokens of a row.
        rows: Rows of a pass.
    """

    def __init__(
        self, scores: Scores, pad_token_id: int, longest: int = LONGEST, rows: int = ROWS
    ) -> None:
        self._scores, self._pad, self.longest, self._rows = scores, pad_token_id, longest, rows

    def best(
        self, queries: Sequence[Query], number: int, allowed: Tensor | None = None
    ) -> list[Found]:
        """The best pieces of each query, in their order.

        Args:
            queries: Each row by itself.
            number: The most pieces.
            allowed: (V,) bool: the pieces that may be given; None for all.
        """
        found: list[Found] = [Found([], [])] * len(queries)
        by_length: dict[int, list[int]] = defaultdict(list)
        for at, query in enumerate(queries):
            by_length[-(-len(query.ids) // STEP) * STEP].append(at)
        for length, places in sorted(by_length.items()):
            for start in range(0, len(places), self._rows):
                chosen = places[start : start + self._rows]
                filled = [*chosen, *[chosen[-1]] * (self._rows - len(chosen))]
                rows = self._pass([queries[at] for at in filled], length, number, allowed)
                for at, row in zip(chosen, rows, strict=False):
                    found[at] = row
        return found

    @torch.no_grad()
    def _pass(
        self, queries: list[Query], length: int, number: int, allowed: Tensor | None
    ) -> list[Found]:
        length = min(length, self.longest)
        shape = (len(queries), length)
        batch = {"input_ids": torch.full(shape, self._pad)}
        batch |= {"attention_mask": torch.zeros(shape, dtype=torch.long)}
        batch |= {"token_type_ids": torch.zeros(shape, dtype=torch.long)}
        for row, query in enumerate(queries):
            size = len(query.ids)
            batch["input_ids"][row, :size] = torch.tensor(query.ids)
            batch["token_type_ids"][row, :size] = torch.tensor(query.types)
            batch["attention_mask"][row, :size] = 1
        scores = self._scores(batch, torch.tensor([query.at for query in queries]))
        return _ordered(scores, number, allowed)


def _ordered(scores: Tensor, number: int, allowed: Tensor | None) -> list[Found]:
    """Best first by the rounded score, then by the number of the piece."""
    units = torch.round(scores * UNITS)  # whole numbers, which a float holds exactly
    if allowed is not None:
        allowed = allowed[: units.shape[1]].to(units.device)
        units = units.masked_fill(~allowed, -torch.inf)
        number = min(number, int(allowed.sum()))
    least = torch.topk(units, min(number, units.shape[1]), dim=1).values[:, -1:]
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(units))]
    places = (units >= least).nonzero()  # those that are as good as the last one too
    for (row, piece), score in zip(places.tolist(), units[tuple(places.T)].tolist(), strict=True):
        found[row].append((-int(score), piece))
    best = [sorted(one)[:number] for one in found]
    return [Found([piece for _, piece in one], [-score for score, _ in one]) for one in best]


def predictor_of(model: Any, tokenizer: Any, rows: int = ROWS, *, bf16: bool = False) -> Predictor:
    """That of a network with a masked-LM head, on the device where it lies.

    Args:
        model: The network; with ``bf16`` its weights are rounded in place.
        tokenizer: Its own.
        rows: Rows of a pass.
        bf16: Layers compute in bf16, and the last one, whose scores are compared, in float32.
    """
    served = usable_positions(model.config, model)
    longest = min(LONGEST, served or LONGEST, int(min(tokenizer.model_max_length, LONGEST)))
    device = next(model.parameters()).device
    types = takes_token_types(model)
    weight, bias = vocabulary_layer(model)
    if bf16:
        weight, bias = weight.clone(), None if bias is None else bias.clone()
        model = model.bfloat16()

    def scores(batch: dict[str, Tensor], places: Tensor) -> Tensor:
        inputs = {k: v.to(device) for k, v in batch.items() if types or k != "token_type_ids"}
        every = torch.arange(len(places), device=device)
        try:  # scores of the places that are asked for alone
            states = head_states(model, inputs)[every, places.to(device)]
            found = nn.functional.linear(states.to(weight.dtype), weight, bias)
        except NoHead:
            found = model(**inputs).logits[every, places.to(device)]
        return found.float().log_softmax(1)

    return Predictor(scores, int(tokenizer.pad_token_id), longest, rows)
