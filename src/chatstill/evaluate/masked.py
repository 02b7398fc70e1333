"""Figures of a language model on held-out blocks: masked tokens, the same for all networks, or next ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from ..data.blocks import Blocks
from ..data.masking import NOT_COUNTED, Masking, mask_rows, row_generator
from ..data.sampler import eval_batches
from ..features.capture import takes_token_types, vocabulary_layer
from ..losses import vocabulary_answers
from ..models.masked_lm import head_states
from ..tasks.corpus import COUNTED, LOSS, RIGHT


@torch.no_grad()
def masked_scores(
    model: Any,
    blocks: Blocks,
    masking: Masking | None,
    *,
    pad_token_id: int,
    batch_size: int = 64,
    rank: int = 0,
    world_size: int = 1,
    add_up: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Loss, right answers and predicted positions of each block, as ``tasks.corpus`` has them.

    What is masked of a block hangs on its number alone, not on the run's seed.

    Args:
        model: With a head over the vocabulary, or one that hands out its predictions; its train/eval flag is
            restored afterwards.
        blocks: The held-out text.
        masking: Its share of masked tokens; None: nothing is masked, the next token of each is predicted.
        pad_token_id: Fills up shorter blocks.
        batch_size: Blocks at a time.
        rank: This process; batches are dealt out in turn.
        world_size: Number of processes.
        add_up: Sums an array over the processes.

    Returns:
        (N, 3) float64.
    """
    scores = np.zeros((len(blocks), 3))
    training, types = model.training, takes_token_types(model)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    layer = vocabulary_layer(model)
    model.eval()
    try:
        for number, rows in enumerate(eval_batches(blocks.lengths, batch_size)):
            if number % world_size != rank:
                continue
            batch = blocks.batch_of(rows, pad_token_id=pad_token_id, with_token_types=types)
            states, targets = _predictions(model, batch, masking, device)
            counted = targets >= 0
            found = vocabulary_answers(states[counted], layer, targets[counted])
            losses, right = (one.cpu().double().numpy() for one in found)
            asked = counted.flatten(1).sum(1).cpu().numpy()
            of_row = np.repeat(np.arange(len(rows)), asked)
            scores[rows, LOSS] = np.bincount(of_row, losses, len(rows))
            scores[rows, RIGHT] = np.bincount(of_row, right, len(rows))
            scores[rows, COUNTED] = asked
    finally:
        model.train(training)
    return add_up(scores) if add_up is not None else scores


def _predictions(
    model: Any, batch: Mapping[str, torch.Tensor], masking: Masking | None, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """States (B, …, D) that the layer over the vocabulary reads; targets (B, …), -100 where none counts."""
    if hasattr(model, "predictions"):  # a network of the package
        states, targets = model.predictions({key: v.to(device) for key, v in batch.items()})
        return states, targets
    read, targets = map(torch.from_numpy, _held_out(batch, masking))
    inputs = {key: v.to(device) for key, v in {**batch, "input_ids": read}.items()}
    return head_states(model, inputs), targets.to(device)


class Guess(NamedTuple):
    """What always saying one piece finds at the predicted positions.

    Attributes:
        piece: The id that stands at most of them, the lowest of equals.
        right: At how many.
        number: How many positions there are.
    """

    piece: int
    right: int
    number: int


def best_guess(
    blocks: Blocks, masking: Masking | None, *, pad_token_id: int, batch_size: int = 64
) -> Guess | None:
    """The best answer that does not look at the text, at the positions of ``masked_scores``.

    Args:
        blocks: The held-out text.
        masking: As there.
        pad_token_id: As there.
        batch_size: Blocks at a time.

    Returns:
        None where nothing is predicted.
    """
    counts = np.zeros(1, np.int64)
    for rows in eval_batches(blocks.lengths, batch_size):
        batch = blocks.batch_of(rows, pad_token_id=pad_token_id, with_token_types=False)
        targets = _held_out(batch, masking)[1]
        found = np.bincount(targets[targets >= 0], minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    piece, number = int(counts.argmax()), int(counts.sum())
    return Guess(piece, int(counts[piece]), number) if number else None


def _held_out(
    batch: Mapping[str, torch.Tensor], masking: Masking | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ids as they are read, and targets: of each block the same for every network and run."""
    ids, valid = batch["input_ids"].numpy(), batch["attention_mask"].numpy()
    if masking is not None:
        draws = [row_generator("held out", row) for row in batch["index"].tolist()]
        return mask_rows(ids, valid, draws, masking)
    targets = np.full_like(ids, NOT_COUNTED)
    followed = (valid[:, :-1] * valid[:, 1:]).astype(bool)
    targets[:, :-1][followed] = ids[:, 1:][followed]
    return ids, targets
