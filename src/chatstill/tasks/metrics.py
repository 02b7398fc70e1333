"""Metrics of classification and regression on arrays, and how far two models agree.

All need numpy alone. Scores are what a network gives: (N, C) logits, (N, 1) or (N,) for a sigmoid
scorer or a regression.
"""

import numpy as np

from ..errors import RunFailure

FEW_ROWS = 8
STRONG = 0.5  # a correlation of scores that are right but for their scale


def checked(
    scores: np.ndarray, labels: np.ndarray, num_outputs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 (N, C) and labels as float64 (N,), fit to be scored.

    Args:
        scores: (N, C), or one column where there are two classes; (N,) is (N, 1).
        labels: (N,).
        num_outputs: C of the task.

    Raises:
        RunFailure: a score is NaN or infinite.
        ValueError: no rows, shapes that don't fit, a row without label (NaN).
    """
    scores = finite(scores)
    labels = np.asarray(labels, dtype=np.float64).reshape(-1)
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores for {len(labels)} labels")
    if scores.shape[1] != num_outputs and (scores.shape[1], num_outputs) != (1, 2):
        raise ValueError(f"{scores.shape[1]} scores a row, the task has {num_outputs}")
    if not len(labels):
        raise ValueError("no rows to score")
    if np.isnan(labels).any():
        raise ValueError(f"row {int(np.isnan(labels).argmax())} has no label")
    return scores, labels


def checked_sets(
    scores: np.ndarray, labels: np.ndarray, num_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Multi-label scores as float64 (N, C) and labels as bool (N, C), fit to be scored.

    Raises:
        RunFailure: a score is NaN or infinite.
        ValueError: no rows, shapes that don't fit, a row without labels (NaN).
    """
    scores, labels = finite(scores), np.asarray(labels, dtype=np.float64)
    if scores.shape != labels.shape or scores.shape[1] != num_labels:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} of {num_labels} labels")
    if not len(labels):
        raise ValueError("no rows to score")
    missing = np.isnan(labels).any(axis=1)
    if missing.any():
        raise ValueError(f"row {int(missing.argmax())} has no label")
    return scores, labels > 0


def finite(scores: np.ndarray) -> np.ndarray:
    """Scores as float64 (N, C).

    Raises:
        RunFailure: a score is NaN or infinite; names the first row.
    """
    scores = matrix(scores)
    broken = ~np.isfinite(scores).all(axis=1)
    if broken.any():
        row = int(broken.argmax())
        message = f"the network gave {scores[row].tolist()} for row {row} (counted from 0)"
        raise RunFailure(f"{message}: its weights are broken, or it overflows in this precision")
    return scores


def matrix(scores: np.ndarray) -> np.ndarray:
    """Scores as float64 (N, C); (N,) becomes (N, 1)."""
    scores = np.asarray(scores, dtype=np.float64)
    return scores[:, None] if scores.ndim == 1 else scores


def margin(scores: np.ndarray) -> np.ndarray:
    """One number per row, higher for the positive class (N,).

    ``logit1 - logit0`` of two logits; the score itself of a sigmoid scorer or a regression.

    Raises:
        ValueError: more than two classes.
    """
    scores = matrix(scores)
    if scores.shape[1] > 2:
        raise ValueError(f"{scores.shape[1]} classes have no positive one")
    return scores[:, -1] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]


def decide(scores: np.ndarray) -> np.ndarray:
    """Predicted class of each row (N,); one column is a sigmoid scorer, its threshold logit 0.

    Equal logits go to the lower class, a score of exactly 0 to class 0.
    """
    scores = matrix(scores)
    return (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)


def probabilities(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities of the classes (N, C): softmax of ``scores / temperature``.

    Args:
        scores: (N, C) logits; (N, 1) of a sigmoid scorer gives (N, 2).
        temperature: Above 1 the probabilities move together, below 1 apart.
    """
    logits = matrix(scores) / temperature
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    logits = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose prediction is the label."""
    return float(np.mean(predictions == labels))


def f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """F1 of class 1: ``2 tp / (2 tp + fp + fn)``; 0 where no row is or is called positive."""
    hits = float(np.sum((predictions == 1) & (labels == 1)))
    total = float(np.sum(predictions == 1) + np.sum(labels == 1))
    return 2 * hits / total if total else 0.0


def matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Matthews correlation, any number of classes; 0 where predictions or labels are constant."""
    num_classes = int(max(predictions.max(), labels.max())) + 1
    cells = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    table = np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
    table = table.astype(np.float64)
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = table.trace() * total - rows @ columns
    spread = np.sqrt(total**2 - rows @ rows) * np.sqrt(total**2 - columns @ columns)
    return float(np.clip(covariance / spread, -1.0, 1.0)) if spread else 0.0


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties as half; NaN for one class.

    Args:
        score: (N,) higher for the positive class.
        positive: (N,) bool.
    """
    num_positive = int(positive.sum())
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        return float("nan")
    above = average_ranks(score)[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * num_negative))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, lowest value first, equal values at their mean rank (N,)."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places.reshape(-1)]


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Linear correlation; 0, not NaN, where either side is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = (_unit(np.asarray(values, dtype=np.float64)) for values in (a, b))
    return float(np.clip(a @ b, -1.0, 1.0))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties at their mean rank; 0, not NaN, where either side is constant."""
    return pearson(average_ranks(a), average_ranks(b))


def scale_error(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float] | None:
    """(correlation, error, error of the labels' mean) of outputs that are right but for their scale.

    None where the error is below that of the labels' mean, or the correlation is no strong one.

    Args:
        scores: (N,) finite.
        labels: (N,), NaN for none.
    """
    known = ~np.isnan(labels)
    scores, labels = scores[known].astype(np.float64), labels[known].astype(np.float64)
    if len(labels) < FEW_ROWS or np.ptp(scores) == 0 or np.ptp(labels) == 0:
        return None
    correlation = float(np.corrcoef(scores, labels)[0, 1])
    error, spread = float(np.sqrt(np.mean((scores - labels) ** 2))), float(np.std(labels))
    return (correlation, error, spread) if correlation > STRONG and error > spread else None


def agreement(
    student_scores: np.ndarray, teacher_scores: np.ndarray, kind: str = "classification"
) -> dict[str, float]:
    """How far a student follows its teacher on the same rows, whatever the gold labels say.

    ``agreement`` is the share of rows with the same predicted class, or with the same decision on
    every label (``multi_label``); a regression has none.
    ``spearman`` and ``pearson`` compare the margins of two classes or the scores of a regression;
    with more classes all logits, each row's mean subtracted, as one long vector; for multi-label all
    logits. One logit and two can be compared. They are left out where either side is constant.

    Raises:
        RunFailure: a score is NaN or infinite.
        ValueError: shapes that can't be compared, no rows.
    """
    student, teacher = finite(student_scores), finite(teacher_scores)
    if len(student) != len(teacher) or not len(student):
        raise ValueError(f"can't compare {len(student)} rows of a student with {len(teacher)}")
    result = {}
    if kind == "multi_label":
        same = ((student > 0) == (teacher > 0)).all(axis=1)
        a, b = student.reshape(-1), teacher.reshape(-1)
        result["agreement"] = float(same.mean())
        return result | _correlations(a, b)
    if kind == "classification":
        result["agreement"] = accuracy(decide(student), decide(teacher))
    a, b = _comparable(student), _comparable(teacher)
    if len(a) != len(b):
        raise ValueError(f"can't compare {student.shape[1]} classes with {teacher.shape[1]}")
    return result | _correlations(a, b)


def _correlations(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Both; none where either side is constant: there is no order to follow."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return {}
    return {"spearman": spearman(a, b), "pearson": pearson(a, b)}


def _comparable(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] <= 2:
        return margin(scores)
    return (scores - scores.mean(axis=1, keepdims=True)).reshape(-1)


def _unit(values: np.ndarray) -> np.ndarray:
    """Centred, of length 1; scaled first, so that squares neither overflow nor vanish."""
    values = values - values.mean()
    values = values / np.abs(values).max()
    return values / np.sqrt(values @ values)
