"""Probabilities that mean what they say: calibration error, temperature scaling, and a threshold.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks (ICML 2017), section 3 for the
error, 4.2 for the temperature.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..figures import COLDEST, HOTTEST
from ..tasks.metrics import decide, margin, matrix, probabilities

BINS = 15


def calibration_error(probability: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: how far confidence and accuracy are apart (eq. 3).

    ``sum over bins of (rows in it / N) * |accuracy - mean confidence|``; the confidence of a row is the
    probability of its predicted class, bin b of equal width holds those in ``((b-1)/bins, b/bins]``.

    Args:
        probability: (N, C).
        labels: (N,) class indices.
        bins: Their number.
    """
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(number, right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def log_loss(scores: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    logits = matrix(scores) / temperature
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    highest = logits.max(axis=1, keepdims=True)
    total = highest[:, 0] + np.log(np.exp(logits - highest).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(labels)), labels.astype(np.int64)]))


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the smallest log-loss, from 0.1 to 20.

    The loss is convex in 1 / temperature, so there is one minimum. Where every row is right the best is
    ever colder, and the lower end comes out; decisions and order of rows never change.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: log_loss(scores, labels, math.exp(log)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    # The search stops anywhere on a flat end, where the loss is 0 to the last digit.
    coldest = log_loss(scores, labels, COLDEST) <= found.fun
    return COLDEST if coldest else float(math.exp(found.x))


def calibrate(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Calibration of a classifier before and after a temperature fitted on the same rows.

    Args:
        scores: (N, C) in the task's label order, or (N, 1).
        labels: (N,) class indices.

    Returns:
        ``temperature``, ``bins``, and ``ece``, ``log_loss`` with their values after scaling beside them.
    """
    temperature = fit_temperature(scores, labels)
    return {
        "temperature": temperature,
        "bins": BINS,
        "ece": calibration_error(probabilities(scores), labels),
        "ece_scaled": calibration_error(probabilities(scores, temperature), labels),
        "log_loss": log_loss(scores, labels),
        "log_loss_scaled": log_loss(scores, labels, temperature),
    }


def threshold_like(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    temperature: float,
    positive_class: int = 1,
) -> dict[str, Any]:
    """The threshold at which the student is as precise as the teacher is by its own decisions.

    Of all thresholds with that precision on these rows or a higher one, the lowest: most rows are found.

    Args:
        student: (N, 2) or (N, 1) scores.
        teacher: The same of the teacher.
        labels: (N,) 0 or 1.
        temperature: For ``probability_scaled``.
        positive_class: The class that counts.

    Returns:
        ``probability`` of the class from which a row counts as positive, ``probability_scaled`` (the same
        after dividing the logits by the temperature), ``precision`` and ``recall`` there,
        ``teacher_precision`` and ``teacher_recall``. The first four are None where the teacher calls no
        row positive, or the student reaches its precision nowhere.
    """
    positive, called = labels == positive_class, decide(teacher) == positive_class
    hits = int((called & positive).sum())
    nothing = dict.fromkeys(("probability", "probability_scaled", "precision", "recall"))
    found: dict[str, Any] = {
        **nothing,
        "teacher_precision": hits / int(called.sum()) if called.any() else None,
        "teacher_recall": hits / int(positive.sum()) if positive.any() else None,
    }
    if found["teacher_precision"] is None or not positive.any():
        return found
    score = margin(student) if positive_class else -margin(student)
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(positive[order])
    ends = np.flatnonzero(
        np.diff(score[order], append=-np.inf) < 0
    )  # equal scores are called alike
    precision = right[ends] / (ends + 1)
    enough = np.flatnonzero(precision >= found["teacher_precision"] - 1e-12)
    if not len(enough):
        return found
    at = int(ends[enough[-1]])
    called = order[: at + 1]
    # As predictions.tsv has them, to the last digit: the lowest of the rows that are to be called.
    for name, scale in (("probability", 1.0), ("probability_scaled", temperature)):
        found[name] = float(probabilities(student, scale)[called, positive_class].min())
    found["precision"] = float(right[at] / (at + 1))
    found["recall"] = float(right[at] / positive.sum())
    return found
