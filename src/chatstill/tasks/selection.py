"""The metric that selects: the task's own, or the one that the configuration names."""

import copy
import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import Problem, UserError
from .base import Groups, Task

KEY = "selection_metric"
SIZED = re.compile(r"r[0-9]+@[0-9]+")
# The last word of a name, or all of it.
LOWER_IS_BETTER = ("loss", "error", "rmse", "mse", "mae", "perplexity")


def lower_is_better(name: str) -> bool:
    """Whether a metric of this name is the better the lower it is: ``rmse``, ``log_loss``."""
    return name.casefold().rsplit("_", 1)[-1] in LOWER_IS_BETTER


def with_metric(task: Task, name: str | None) -> Task:
    """The task where a metric of its own selects.

    Raises:
        UserError: it has no such metric, or one that is better when it is lower.
    """
    if name is None:
        return task
    known = [metric for metric in metrics_of(task) if not lower_is_better(metric)]
    known += getattr(task, "of_other_networks", ())
    if name not in known and not _is_sized(task, name):
        near = difflib.get_close_matches(name.lower(), known, n=1)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        message = f"names {name!r}, which is no metric of the task {task.name}"
        if lower_is_better(name):
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


def _is_sized(task: Task, name: str) -> bool:
    """Whether it is ``rn@k``, which groups of n rows alone have; whether there are any, dev rows tell."""
    if SIZED.fullmatch(name) is None or not any(one.startswith("r@") for one in metrics_of(task)):
        return False
    try:
        task.metric(name)
    except KeyError:
        return False
    return True


def main_metric_of(task: Task, metrics: Mapping[str, float]) -> str:
    """The metric that selects among those that have a value."""
    chosen = task.chosen_metric
    return chosen if chosen in metrics else task.main_metric_of(metrics)


def selecting(task: Task, metrics: Mapping[str, float], labels: np.ndarray, groups: Groups) -> str:
    """The metric that selects on some rows, whether it has a value this time or not.

    That of the configuration or of the task; another one only where the rows can give it no value.
    """
    wanted = task.chosen_metric or task.main_metric
    if wanted not in metrics and wanted in task.missing(labels, groups):
        return task.main_metric_of(metrics)
    return wanted


def selects_by_lowest(task: Task, labels: np.ndarray | None = None, groups: Groups = None) -> bool:
    """Whether the lowest value of the metric that selects is the best, on rows of these labels."""
    wanted = task.chosen_metric or task.main_metric
    if labels is not None and wanted in task.missing(labels, groups):
        scores = np.zeros((len(labels), task.labels.num_outputs))
        wanted = main_metric_of(task, task.metrics(scores, labels, groups))
    return lower_is_better(wanted)


def selecting_value(
    task: Task, metrics: Mapping[str, float], labels: np.ndarray, groups: Groups
) -> float:
    """Its value; NaN where it has none this time, which is never the best."""
    return metrics.get(selecting(task, metrics, labels, groups), math.nan)


def check_selection(task: Task, labels: np.ndarray, groups: Groups) -> None:
    """The metric that was asked for has a value on these rows.

    Raises:
        UserError: it has none, with the reason.
    """
    chosen = task.chosen_metric
    reason = task.missing(labels, groups).get(chosen) if chosen else None
    if chosen and reason is None and SIZED.fullmatch(chosen):
        scores = np.zeros((len(labels), task.labels.num_outputs))
        if chosen not in task.metrics(scores, labels, groups):
            reason = "it counts groups of one size, and is given for groups of ten and where all are of one"
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
