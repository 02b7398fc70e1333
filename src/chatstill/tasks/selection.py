"""The metric that selects: the task's own, or the one that the configuration names."""

import copy
import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import Problem, UserError
from .base import Groups, Task

KEY = "selection_metric"
LOWER_IS_BETTER = ("rmse", "loss", "pseudo_perplexity", "perplexity")


def with_metric(task: Task, name: str | None) -> Task:
    """The task where a metric of its own selects.

    Raises:
        UserError: it has no such metric, or one that is better when it is lower.
    """
    if name is None:
        return task
    known = [metric for metric in metrics_of(task) if metric not in LOWER_IS_BETTER]
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        message = f"names {name!r}, which is no metric of the task {task.name}"
        if name in LOWER_IS_BETTER:
            message = (
                f"names {name!r}, which is better when it is lower; selection takes the highest"
            )
        raise UserError(
            Problem(
                KEY, message, f"{guess}Known: {', '.join(known)}.", code="metric.not-for-selection"
            )
        )
    chosen = copy.copy(task)  # tasks are shared
    chosen.chosen_metric = name
    return chosen


def main_metric_of(task: Task, metrics: Mapping[str, float]) -> str:
    """The metric that selects among those that have a value."""
    chosen = task.chosen_metric
    return chosen if chosen in metrics else task.main_metric_of(metrics)


def check_selection(task: Task, labels: np.ndarray, groups: Groups) -> None:
    """The metric that was asked for has a value on these rows.

    Raises:
        UserError: it has none, with the reason.
    """
    chosen = task.chosen_metric
    reason = task.missing(labels, groups).get(chosen) if chosen else None
    if reason is not None:
        message = f"{chosen!r} has no value on the dev rows: {reason}"
        raise UserError(
            Problem(KEY, message, "Name another metric, or leave it out.", code="metric.no-value")
        )


def metrics_of(task: Task) -> list[str]:
    """Names of a task's metrics, found on a few made-up rows; counts and a random ranker's left out."""
    labels, scores, groups = _made_up(task)
    found = task.metrics(scores, labels, groups)
    return [name for name in found if not name.startswith(("random_", "groups"))]


def _made_up(task: Task) -> tuple[np.ndarray, np.ndarray, Any]:
    """Rows of every label, twice, in two groups."""
    count = task.labels.num_outputs
    if task.labels.kind == "none":
        return np.zeros(2), np.array([[1.0, 0.0, 2.0], [2.0, 1.0, 2.0]]), None
    if task.labels.kind == "regression":
        labels = np.array([0.0, 1.0, 0.5, 0.75])
        return labels, labels[:, None] + np.array([[0.1], [0.0], [0.0], [0.2]]), None
    if task.labels.kind == "multi_label":
        return np.eye(count), 2 * np.eye(count) - 1, None
    labels = np.tile(np.arange(count, dtype=np.float64), 2)
    groups = np.repeat(np.arange(2), count) if task.ranking or task.name == "mnli" else None
    return labels, np.tile(np.eye(count), (2, 1)), groups
