"""`chatstill evaluate … --tf-idf`: a network beside a linear model on TF-IDF (`linear_model`).

The linear model learns from the task's training rows, and is scored on those that the network is scored on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..config.schema import RunConfig
from ..errors import Problem, UserError
from ..tasks.base import Split, Task
from ..tasks.files import locate
from ..tasks.intervals import paired_bootstrap
from ..tasks.selection import lower_is_better, main_metric_of
from ..tasks.transfer import labelled_rows, scored_rows
from .linear_model import learnt

PLACE = "--tf-idf"


def check_learnable(task: Task, config: RunConfig, scored: Path, split: Split) -> Path:
    """The training file that it learns from; asked before a network scores those of a split.

    Raises:
        UserError: the training rows are themselves scored, there are none, or their labels are all alike.
    """
    path = locate(task, "train", Path(config.data_dir)).path
    if split == "train" or path.resolve() == scored.resolve():
        message = f"{scored}: these rows are what TF-IDF's model learns from"
        hint = "Score others: --split dev, or test, of another file."
        raise UserError(Problem(PLACE, message, hint, code="linear.scores-its-own-rows"))
    try:
        labels = {row.label for row in labelled_rows(task, path, "train")}
    except UserError as error:
        raise UserError([_of_training_rows(problem) for problem in error.problems]) from None
    if len(labels) < 2:
        message = f"{path}: all labelled training rows have one label; there is nothing to learn"
        raise UserError(Problem(PLACE, message, code="linear.one-label"))
    return path


def beside_linear(
    task: Task,
    train: Path,
    path: Path,
    split: Split,
    scores: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    skips: bool,
) -> dict[str, Any]:
    """Figures of the network beside those of the linear model, ready for JSON.

    Args:
        task: Whose metrics.
        train: The training file; rows without a label are passed over.
        path: The file of the scored rows; texts are read as they stand there.
        split: Its split.
        scores: (N, C) of the network, in the file's order.
        labels: (N,).
        groups: (N,), or None.
        skips: Whether training rows without a label were left out.

    Returns:
        ``model`` and ``tf_idf`` (metrics by name), ``main``, ``lower_is_better``, ``difference`` (of the
        main metric, the network less the other) with its paired 95 % ``interval``, ``training_rows``,
        ``of_rows``, ``strength``, ``chosen`` (how), ``words``, ``left_out`` (of training rows, in words).
    """
    rows = list(scored_rows(task, path, split, True, skips=skips))
    learns = labelled_rows(task, train, "train")
    found = learnt(task, list(learns), rows)
    model = task.metrics(scores, labels, groups)
    other = task.metrics(found.scores, labels, groups)
    main = main_metric_of(task, model)
    difference, low, high = paired_bootstrap(
        task.metric(main), scores, found.scores, labels, groups
    )
    return {
        "model": model,
        "tf_idf": other,
        "main": main,
        "lower_is_better": lower_is_better(main),
        "difference": difference,
        "interval": [low, high],
        "training_rows": found.rows,
        "of_rows": found.of,
        "kind": "ridge regression" if task.labels.kind == "regression" else "logistic regression",
        "strength": found.strength,
        "chosen": found.chosen,
        "words": found.words,
        "left_out": [problem.message for problem in learns.warnings],
    }


def linear_lines(table: Mapping[str, Any]) -> list[str]:
    """The table as lines of ``eval_results.txt``."""
    name = "alpha" if table["kind"] == "ridge regression" else "C"
    number = 1 / table["strength"] if name == "alpha" else table["strength"]
    how = f"{table['kind']}, {name} {number:g} ({table['chosen']})"
    drawn = table["training_rows"] < table["of_rows"]
    rows = f"{table['training_rows']:,}" + (f" of {table['of_rows']:,}, drawn," if drawn else "")
    lines = [
        f"TF-IDF = {table['words']} and pairs of neighbours; {how}; learnt from {rows} training rows",
        f"{'':<24}{'model':>12}{'TF-IDF':>12}",
    ]
    for metric, value in table["model"].items():
        other = table["tf_idf"].get(metric)
        lines.append(
            f"{metric:<24}{value:>12.6g}{'–' if other is None else format(other, '.6g'):>12}"
        )
    lines[:0] = [f"TF-IDF learns from training rows: {text}" for text in table["left_out"]]
    low, high = table["interval"]
    lines.append(
        f"{table['main']}, model less TF-IDF = {table['difference']:+.4f}  "
        f"(95 % interval {low:+.4f} to {high:+.4f}, paired)"
    )
    if low > 0 if table["lower_is_better"] else high < 0:
        lines.append("warning = TF-IDF is better than the network, and costs nothing beside it")
    elif low <= 0 <= high:
        lines.append("warning = these rows do not tell the network from TF-IDF")
    return lines


def _of_training_rows(problem: Problem) -> Problem:
    if problem.code != "data.no-row-has-a-label":
        return problem
    message = "none of the training rows has a label, and TF-IDF's model learns from labels alone"
    return Problem(problem.place, message, code="linear.no-label")
