"""What `chatstill evaluate` sets beside a network where it is asked for: rivals without a network.

They are named by their options: ``--ranking``, TF-IDF as a ranker of all questions (`ranking_table`), and
``--tf-idf``, a linear model on TF-IDF that learns from the training rows (`linear`).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config.schema import RunConfig
from ..tasks.base import Split, Task
from . import linear, ranking_table


class Scored(NamedTuple):
    """Rows that a network has scored.

    Attributes:
        path: Their file; texts are read as they stand there.
        split: Its split.
        scores: (N, C) of the network, in the file's order.
        labels: (N,), of multi-label rows (N, C).
        groups: (N,) group numbers, or None.
    """

    path: Path
    split: Split
    scores: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None


def check_rivals(
    rivals: Collection[str], task: Task, config: RunConfig, path: Path, split: Split
) -> Path | None:
    """Asked before a network scores the rows; the training file, where one is learnt from.

    Raises:
        UserError: a rival cannot be set beside a network on these rows.
    """
    if ranking_table.PLACE in rivals:
        ranking_table.check_rankable(task, path, split, skips=config.skip_unlabeled)
    return linear.check_learnable(task, config, path, split) if linear.PLACE in rivals else None


def add_rivals(
    metrics: dict[str, Any],
    rivals: Collection[str],
    task: Task,
    train: Path | None,
    scored: Scored,
    *,
    skips: bool,
) -> None:
    """Adds tables under ``ranking`` and ``linear``, and their ``lines``."""
    if ranking_table.PLACE in rivals:
        table = ranking_table.ranking_table(task, *scored, skips=skips)
        metrics["ranking"] = table
        metrics["lines"] += ranking_table.ranking_lines(table)
    if train is not None:
        table = linear.beside_linear(task, train, *scored, skips=skips)
        metrics["linear"] = table
        metrics["lines"] += linear.linear_lines(table)
