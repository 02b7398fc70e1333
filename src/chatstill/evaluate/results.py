"""What a finished run says of its network: metrics with intervals, agreement with the teacher, files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import shown
from ..figures import fitted
from ..tasks.base import Task
from ..tasks.intervals import bootstrap
from ..tasks.metrics import agreement, decide

FORMAT = 1


def judge(
    task: Task,
    scores: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Metrics of a network on a labelled split.

    Args:
        task: Whose metrics.
        scores: (N, C) in the task's label order.
        labels: (N,).
        groups: (N,) group numbers, or None.
        resamples: Of the bootstrap interval of the main metric; 0 leaves it out.

    Returns:
        ``rows``, ``main`` (name), ``value``, ``interval`` (95 %, percentile bootstrap over groups or
        rows), ``metrics``, ``left_out`` (metrics without a value, with the reason) and, for classes
        and labels, ``predicted`` (how often each is answered).
    """
    metrics = task.metrics(scores, labels, groups)
    main = task.main_metric_of(metrics)
    found: dict[str, Any] = {
        "rows": len(labels),
        "main": main,
        "value": metrics[main],
        "metrics": metrics,
        "left_out": task.missing(labels, groups),
    }
    if task.labels.kind == "classification":
        answers = np.bincount(decide(scores).astype(int), minlength=len(task.labels.names))
        found["predicted"] = dict(zip(task.labels.names, answers.tolist(), strict=True))
    if task.labels.kind == "multi_label":
        answers = (np.asarray(scores) > 0).sum(axis=0)
        found["predicted"] = dict(zip(task.labels.names, answers.tolist(), strict=True))
    if resamples:
        low, high = bootstrap(task.metric(main), scores, labels, groups, n=resamples)
        found["interval"] = [low, high]
    return found


def compare(task: Task, student: np.ndarray, teacher: np.ndarray) -> dict[str, float]:
    """Agreement with the teacher: equal decisions, and rank correlation of the scores."""
    return agreement(student, teacher, task.labels.kind)


def _calibration_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    found, threshold = metrics.get("calibration"), metrics.get("threshold")
    if found:
        lines.append(
            f"calibration error = {found['ece']:.4f}  ({found['ece_scaled']:.4f} after logits / "
            f"{found['temperature']:.4g}, {fitted(found['temperature'])})"
        )
    if threshold and threshold["probability"] is not None:
        lines.append(
            f"threshold at the teacher's precision = {threshold['probability']:.4g}  (precision "
            f"{threshold['teacher_precision']:.4f}; recall {threshold['recall']:.4f}, the teacher's "
            f"{threshold['teacher_recall']:.4f})"
        )
    return lines


def result_lines(metrics: Mapping[str, Any]) -> list[str]:
    """``metrics.json`` as the lines of ``eval_results.txt``."""
    dev = metrics["dev"]
    low, high = dev.get("interval") or (None, None)
    lines = [f"task = {metrics['task']}", f"rows = {dev['rows']}"]
    for name, value in dev["metrics"].items():
        text = f"{name} = {value:.6g}"
        if name == dev["main"] and low is not None:
            text += f"  (95 % interval {low:.4f} to {high:.4f})"
        lines.append(text)
    lines += [f"{name} = left out: {reason}" for name, reason in dev["left_out"].items()]
    answered = [name for name, count in dev.get("predicted", {}).items() if count]
    if len(answered) == 1 and dev["predicted"][answered[0]] == dev["rows"]:
        lines.append(
            f"warning = every row is predicted as {answered[0]}: the network decides nothing"
        )
    teacher = metrics.get("teacher")
    if teacher:
        lines.append(f"teacher {teacher['main']} = {teacher['value']:.6g}")
        if metrics.get("ratio") is not None:
            lines.append(f"ratio to the teacher = {metrics['ratio']:.4f}")
        lines += [f"teacher {k} = {v:.4f}" for k, v in metrics["agreement"].items()]
    lines += _calibration_lines(metrics)
    if metrics.get("kept"):
        lines.append(f"kept = {metrics['kept']['text']}")
    return [shown(line) for line in lines]
