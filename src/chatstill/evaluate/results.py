"""What a finished run says of its network: metrics with intervals, agreement with the teacher, files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import shown
from ..figures import fitted
from ..tasks.base import Labels, Task
from ..tasks.intervals import bootstrap
from ..tasks.metrics import agreement, decide, scale_error
from ..tasks.selection import lower_is_better, main_metric_of
from .classes import class_lines, class_table, confusion
from .one_answer import one_answer
from .own_loss import LOSS

FORMAT = 1
SMALL_SPREAD = 0.1  # of the labels' standard deviation
# `teacher spearman` would read as the teacher's correlation with the labels.
BETWEEN = {
    "agreement": "student and teacher, same decision",
    "spearman": "student and teacher, rank correlation of their scores",
    "pearson": "student and teacher, linear correlation of their scores",
}


def judge(
    task: Task,
    scores: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    resamples: int = 1000,
    trained_on: np.ndarray | None = None,
) -> dict[str, Any]:
    """Metrics of a network on a labelled split.

    Args:
        task: Whose metrics.
        scores: (N, C) in the task's label order.
        labels: (N,).
        groups: (N,) group numbers, or None.
        resamples: Of the bootstrap interval of the main metric; 0 leaves it out.
        trained_on: Labels of the rows that it learnt from, where they are known.

    Returns:
        ``rows``, ``positive`` (the class that counts, None where none does), ``main`` (name), ``value``,
        ``lower_is_better``, ``interval`` (95 %, percentile bootstrap over groups or rows), ``metrics``,
        ``left_out`` (metrics without a value, with the reason), ``remarks`` (what a metric was taken over,
        where not all), ``classes`` and ``confusion`` (figures class by class), ``warnings`` (a network that
        decides nothing) and, for classes and labels, ``predicted`` (how often each is answered).
    """
    metrics = task.metrics(scores, labels, groups)
    main = main_metric_of(task, metrics)
    found: dict[str, Any] = {
        "rows": len(labels),
        "positive": task.labels.positive,
        "main": main,
        "value": metrics[main],
        "lower_is_better": lower_is_better(main),
        "metrics": metrics,
        "left_out": task.missing(labels, groups),
    }
    if task.labels.kind == "classification":
        answers = np.bincount(decide(scores).astype(int), minlength=len(task.labels.names))
        found["predicted"] = dict(zip(task.labels.names, answers.tolist(), strict=True))
    if task.labels.kind == "multi_label":
        answers = (np.asarray(scores) > 0).sum(axis=0)
        found["predicted"] = dict(zip(task.labels.names, answers.tolist(), strict=True))
    found["classes"] = class_table(task.labels, scores, labels)
    found["confusion"] = confusion(task.labels, scores, labels)
    found["remarks"] = task.remarks(scores, labels)
    found["warnings"] = _collapsed(task.labels, scores, labels, trained_on)
    if resamples:
        low, high = bootstrap(task.metric(main), scores, labels, groups, n=resamples)
        found["interval"] = [low, high]
    return found


def judge_loss(figures: Mapping[str, float], rows: int) -> dict[str, Any]:
    """The same of a network whose figure is the loss it was trained by; there is no interval.

    Args:
        figures: ``loss``, and its terms.
        rows: Held-out rows that it was taken over.
    """
    return {
        "rows": rows,
        "positive": None,
        "main": LOSS,
        "value": figures[LOSS],
        "lower_is_better": True,
        "metrics": dict(figures),
        "left_out": {},
        "classes": [],
        "confusion": [],
        "remarks": {},
        "warnings": [],
    }


def _collapsed(
    space: Labels, scores: np.ndarray, labels: np.ndarray, trained_on: np.ndarray | None
) -> list[str]:
    """Warnings for answers that hardly hang on the row."""
    if (alike := one_answer(scores, labels, space, trained_on)) is not None:
        return [f"{alike.message}. {alike.hint}"]
    if space.kind == "regression":
        spread, wanted = float(np.std(scores)), float(np.std(labels))
        if spread < SMALL_SPREAD * wanted:
            text = f"the predictions hardly differ: their standard deviation is {spread:.3g}"
            return [f"{text}, that of the labels {wanted:.3g}"]
        if (found := scale_error(np.asarray(scores).reshape(-1), np.asarray(labels))) is not None:
            text = f"correlation {found[0]:.3f}, but an error of {found[1]:.3g} where the labels' mean has"
            return [f"the outputs stand on another scale than the labels: {text} {found[2]:.3g}"]
    return []


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
            f"threshold at the teacher's precision = {threshold['probability']:.4g}  (of "
            f"{threshold.get('label', 'class 1')}; precision {threshold['precision']:.4f}, the "
            f"teacher's {threshold['teacher_precision']:.4f}; recall {threshold['recall']:.4f}, the "
            f"teacher's {threshold['teacher_recall']:.4f})"
        )
    return lines


def result_lines(metrics: Mapping[str, Any]) -> list[str]:
    """``metrics.json`` as the lines of ``eval_results.txt``."""
    dev = metrics["dev"]
    low, high = dev.get("interval") or (None, None)
    lines = [f"task = {metrics['task']}", f"{dev.get('unit', 'rows')} = {dev['rows']}"]
    if metrics.get("teacher"):
        lines.insert(1, "figures of = the student, where a line does not name the teacher or both")
    if dev.get("positive") is not None:
        lines.append(f"positive label = {dev['positive']}")
    for name, value in dev["metrics"].items():
        text = f"{name} = {value:.6g}"
        if name == dev["main"] and low is not None:
            text += f"  (95 % interval {low:.4f} to {high:.4f})"
        if (guess := dev.get("guess")) and name == guess["metric"]:
            text += f"  (always '{guess['piece']}': {guess['value']:.6g})"
        lines.append(text)
    lines += [f"{name} = left out: {reason}" for name, reason in dev["left_out"].items()]
    lines += class_lines(dev.get("classes", ()))
    lines += [f"{name}: {remark}" for name, remark in dev.get("remarks", {}).items()]
    lines += [f"warning = {text}" for text in dev.get("warnings", ())]
    teacher = metrics.get("teacher")
    if teacher:
        shown_of_it = (
            teacher["metrics"] if dev.get("unit") else [teacher["main"]]
        )  # of blocks there are few
        lines += [f"teacher {name} = {teacher['metrics'][name]:.6g}" for name in shown_of_it]
        if metrics.get("ratio") is not None:
            lines.append(f"ratio to the teacher = {metrics['ratio']:.4f}")
        lines += [f"{BETWEEN[k]} = {v:.4f}" for k, v in metrics["agreement"].items()]
    lines += _calibration_lines(metrics)
    if metrics.get("ended"):
        lines.append(f"run = {metrics['ended']['text']}")
    if metrics.get("kept"):
        lines.append(f"kept = {metrics['kept']['text']}")
        if head := metrics["model"].get("head"):
            lines.append(f"head = {head}")
    return [shown(line) for line in lines]
