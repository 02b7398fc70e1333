"""A method's own loss on held-out rows: what tells its best weights where no classifier is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..data.sampler import eval_batches
from ..errors import RunFailure
from ..losses.sums import wide
from ..methods.base import Context, Method
from ..train.stage import StageModule
from ..train.steps import HasLengths

LOSS, TERM = "loss", "term/"
SUM, WEIGHTED, COUNT = range(3)

Source = TypeVar("Source", bound=HasLengths)


@torch.no_grad()
def own_loss(
    method: Method,
    index: int,
    rows: Source,
    make_batch: Callable[[Source, np.ndarray], dict[str, Tensor]],
    *,
    device: torch.device,
    batch_size: int = 64,
    rank: int = 0,
    world_size: int = 1,
    add_up: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, float]:
    """The loss of a phase over all rows: nothing is dropped out, and the teacher runs itself.

    Neither the batches nor padding change it: each term is its sum over all rows, divided by its count over
    all rows. What is drawn of a row (masks) hangs on its number alone, not on the run's seed.

    Args:
        method: Its terms; the networks' weights and flags stay as they are.
        index: Number of the phase.
        rows: The held-out rows.
        make_batch: Pads some of them into a batch, as in training.
        device: Where to.
        batch_size: Rows at a time.
        rank: This process; batches are dealt out in turn.
        world_size: Number of processes.
        add_up: Sums an array over the processes.

    Returns:
        ``loss``, the sum of the terms times their weights, and each term plain as ``term/NAME``.

    Raises:
        RunFailure: it is not finite.
    """
    phase = method.phases()[index]
    stage = StageModule(method, phase).to(device).eval()
    ctx = Context(seed=0, phase=index, step=0, micro_batch=0, epoch=0, num_steps=1)
    first = method.prepare_batch(make_batch(rows, np.arange(1)), ctx)
    names = sorted(method.counts(first, ctx))  # known to a process without a batch too
    totals = np.zeros((len(names), 3))
    padding = any(needs.padding for needs in method.needs(phase).values())
    for number, some in enumerate(_batches(rows, batch_size, alike=padding)):
        if number % world_size != rank:
            continue
        batch = method.prepare_batch(make_batch(rows, some), ctx)
        counts = method.counts(batch, ctx)
        _, _, terms = stage.parts({k: v.to(device) for k, v in batch.items()}, ctx)
        for place, name in enumerate(names):
            value = float(wide(terms[name].sum))
            totals[place] += (value, value * terms[name].weight, counts[name])
    if add_up is not None:
        totals = add_up(totals)
    return _figures(names, totals)


def terms_of(figures: Mapping[str, float]) -> dict[str, float]:
    """Of a loss by its terms, the terms."""
    return {name: value for name, value in figures.items() if name.startswith(TERM)}


def _figures(names: list[str], totals: np.ndarray) -> dict[str, float]:
    counts = np.where(totals[:, COUNT] > 0, totals[:, COUNT], 1.0)  # no row counts: the sum is 0
    plain, weighted = totals[:, SUM] / counts, totals[:, WEIGHTED] / counts
    figures = {LOSS: float(weighted.sum())}
    figures |= {f"{TERM}{name}": float(v) for name, v in zip(names, plain, strict=True)}
    faulty = [name for name, value in figures.items() if not math.isfinite(value)]
    if faulty:
        raise RunFailure(f"on held-out rows it is not finite: {', '.join(faulty)}")
    return figures


def _batches(rows: HasLengths, batch_size: int, *, alike: bool) -> Iterator[np.ndarray]:
    """All rows; with ``alike`` a batch holds rows of one length, so that nothing is padded."""
    if not alike:
        yield from eval_batches(rows.lengths, batch_size)
        return
    theirs = rows.lengths if rows.teacher is None else rows.teacher.lengths
    _, kinds = np.unique(np.stack([rows.lengths, theirs]), axis=1, return_inverse=True)
    for kind in range(int(kinds.max(initial=-1)) + 1):
        some = np.flatnonzero(kinds.ravel() == kind)
        yield from (some[at : at + batch_size] for at in range(0, len(some), batch_size))
