"""Scores of a classifier on a view, in the task's label order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import PreTrainedModel

from ..data.sampler import eval_batches
from ..data.views import View
from ..models.outputs import OutputReading, as_read, output_reading
from ..readers.reader import Reader
from ..tasks.base import Objective, Task

if TYPE_CHECKING:
    from ..config.schema import RunConfig


@torch.no_grad()
def score(
    model: PreTrainedModel,
    view: View,
    reader: Reader,
    *,
    batch_size: int = 64,
    rows: Sequence[int] | np.ndarray | None = None,
    rank: int = 0,
    world_size: int = 1,
    add_up: Callable[[np.ndarray], np.ndarray] | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Logits of every row; the same whatever the number of processes.

    Args:
        model: A sequence classifier; its train/eval flag is restored afterwards.
        view: The rows.
        reader: How the network reads them.
        batch_size: Rows at a time.
        rows: Only these rows, in this order; default all.
        rank: This process; batches are dealt out in turn.
        world_size: Number of processes.
        add_up: Sums an array over the processes.
        on_batch: Called with the number of rows after each batch.

    Returns:
        (N, C) float32 in the task's label order; (N, 1) for one output.
    """
    rows = np.arange(len(view)) if rows is None else np.asarray(rows)
    order = reader.label_order
    scores = np.zeros((len(rows), len(order) if order else 1), dtype=np.float32)
    training, without = model.training, {"labels", "index", *view.columns}
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.eval()
    try:
        for number, positions in enumerate(eval_batches(view.lengths[rows], batch_size)):
            if number % world_size != rank:
                continue
            batch = reader.batch_of(view, rows[positions])
            inputs = {k: v.to(device) for k, v in batch.items() if k not in without}
            logits = as_read(model, model(**inputs).logits.float()).cpu().numpy()
            scores[positions] = logits[:, order] if order else logits
            if on_batch is not None:
                on_batch(len(positions))
    finally:
        model.train(training)
    return add_up(scores) if add_up is not None else scores


def teacher_reading(config: RunConfig, task: Task, objective: Objective) -> OutputReading | None:
    """How the teacher's outputs are turned into what the task compares.

    Raises:
        UserError: ``teacher_output`` or its range does not fit the task.
    """
    between = config.teacher_output_range
    return output_reading(config.teacher_output, between, objective, task.bounds)


def weights_digest(model: torch.nn.Module) -> bytes:
    """Tells weights apart by their bytes, wherever they lie."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.digest()
