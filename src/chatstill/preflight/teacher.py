"""Does the teacher know the task: its score on a few dev rows against chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import Problem
from ..tasks.base import Labels
from ..tasks.metrics import average_ranks, pearson
from .sample import sample_rows

SIGNIFICANT = 0.05
FEW_ROWS = 50
MOST_ROWS = 2_000  # the tests count pairs and permutations
_PERMUTATIONS = 999


@dataclass(frozen=True)
class TeacherCheck:
    """What a few dev rows say about a teacher.

    Attributes:
        measure: ``AUC``, ``AUC within groups`` or ``Pearson correlation``.
        value: The figure; nan where it cannot be computed.
        chance: What a teacher without any knowledge reaches.
        p_above: Probability of such a figure, or a higher one, by chance.
        p_below: The same for a lower one.
        num_rows: Rows with a label.
        accuracy: Share of right answers; None for regression.
        majority: Share of the largest class; None for regression.
        problem: None if the teacher is above chance.
    """

    measure: str
    value: float
    chance: float
    p_above: float
    p_below: float
    num_rows: int
    accuracy: float | None = None
    majority: float | None = None
    problem: Problem | None = None

    def __str__(self) -> str:
        if self.value == self.value:
            text = (
                f"{self.measure} {self.value:.3f} on {self.num_rows} rows (chance {self.chance:g})"
            )
        else:
            text = f"no {self.measure} on {self.num_rows} rows"
        if self.accuracy is not None:
            text += f", accuracy {self.accuracy:.3f} (largest class {self.majority:.3f})"
        return text


def check_teacher(
    scores: np.ndarray,
    labels: np.ndarray,
    task_labels: Labels,
    *,
    groups: Sequence[str] | np.ndarray | None = None,
    allow_weak_teacher: bool = False,
    assumed: str = "",
    role: str = "teacher",
) -> TeacherCheck:
    """Tests a teacher's scores against chance.

    Two classes: AUC, one-sided rank-sum test; for ranking tasks rows are compared inside their
    group, where most rows stand in a group with both labels. More classes: mean one-against-rest
    AUC, permutation test; multi-label: the mean AUC of the labels, likewise. Regression: Pearson,
    one-sided. AUC and not accuracy, because a useful teacher on rare positives answers "negative"
    everywhere. At the 5 % level; below 50 rows a figure above chance is never more than a warning.

    Args:
        scores: (N, C) logits in the task's label order, (N, 1) for one output.
        labels: (N,) class indices or scores, (N, C) of 0 and 1 for multi-label, nan where there is
            none.
        task_labels: The task's label space.
        groups: (N,) group of each row for ranking tasks.
        allow_weak_teacher: A warning in place of an error; scores that are not finite stay one.
        assumed: The order that was taken for outputs without names; stands in the refusal.
        role: Name in the message.
    """
    labels = np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(labels).reshape(len(labels), -1).any(axis=1)
    scores = np.asarray(scores, dtype=np.float64).reshape(len(labels), -1)
    finite = np.asarray(np.isfinite(scores).all(axis=1))
    scores = scores[known]
    labels = labels[known]
    groups = None if groups is None else np.asarray(groups)[known]
    check = _measure(scores, labels, task_labels, groups)
    problem = _not_finite(finite, role)
    if problem is not None:  # allow_weak_teacher is for one that knows little, not for a broken one
        return TeacherCheck(**{**check.__dict__, "problem": problem})
    problem = _judge(check, task_labels, role, alone=scores.shape[1:] == (1,))
    if problem is not None and problem.hint and assumed:
        problem = replace(problem, message=f"{problem.message}. {assumed}")
    if problem is not None and allow_weak_teacher:
        problem = replace(problem, severity="warning")
    return TeacherCheck(**{**check.__dict__, "problem": problem})


def below_chance(
    scores: np.ndarray, labels: np.ndarray, space: Labels, groups: Sequence[str] | np.ndarray | None
) -> list[Problem]:
    """A warning of scores that are clearly below chance on some of the rows (``sample_rows``)."""
    rows = sample_rows(len(labels), groups, MOST_ROWS)
    asked = None if groups is None else np.asarray(groups)[rows]
    check = check_teacher(scores[rows], labels[rows], space, groups=asked, role="network")
    if not check.p_below < SIGNIFICANT:
        return []
    message = f"clearly below chance: {check}; the order of its labels may be another"
    return [Problem("MODEL", message, severity="warning", code="evaluate.below-chance")]


def _measure(
    scores: np.ndarray, labels: np.ndarray, task_labels: Labels, groups: np.ndarray | None
) -> TeacherCheck:
    regression = task_labels.kind == "regression"
    name, chance = ("Pearson correlation", 0.0) if regression else ("AUC", 0.5)
    majority, accuracy = None, None
    multi_label = task_labels.kind == "multi_label"
    if not regression and not multi_label and len(labels):
        majority = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
        answers = scores.argmax(1) if scores.shape[1] > 1 else scores[:, 0] > 0
        accuracy = float(np.mean(answers == labels))
    testable = len(np.unique(labels)) > 1 and np.isfinite(scores).all()
    if not testable:
        value, above, below = float("nan"), 1.0, 1.0
    elif regression:
        value, above, below = _correlation(scores[:, 0], labels)
    elif multi_label:
        value, above, below = _many_labels(scores, labels > 0)
    elif task_labels.num_outputs == 2:
        score = scores[:, -1] - (scores[:, 0] if scores.shape[1] > 1 else 0.0)
        strata = _strata(labels > 0, groups)
        name = "AUC" if strata is None else "AUC within groups"
        value, above, below = _two_classes(score, labels > 0, strata)
    else:
        value, above, below = _many_classes(scores, labels.astype(np.int64))
    return TeacherCheck(name, value, chance, above, below, len(labels), accuracy, majority)


def _not_finite(finite: np.ndarray, role: str) -> Problem | None:
    """An error where a row's scores are not finite, with a label or without.

    Args:
        finite: (N,) of all rows.
        role: Name in the message.
    """
    if finite.all():
        return None
    wrong = f"{int((~finite).sum())} of {len(finite)} dev rows"
    message = f"the {role} gives scores that are not finite numbers for {wrong}"
    hint = (
        "Its weights are broken, or it overflows in this precision; nothing can be learnt from it, with "
        "allow_weak_teacher neither."
    )
    return Problem(f"{role}: score on dev rows", message, hint, code="teacher.scores-not-finite")


def _judge(check: TeacherCheck, labels: Labels, role: str, *, alone: bool) -> Problem | None:
    place = f"{role}: score on dev rows"
    if np.isnan(check.value):
        message = f"{check.num_rows} dev rows without two different labels cannot test the {role}"
        return Problem(place, message, severity="warning", code="teacher.one-label-on-dev")
    if check.p_above < SIGNIFICANT:
        return None
    classification = labels.kind != "regression"
    swapped = "labels may be swapped" if classification else "scores may be turned round"
    if classification and alone and labels.num_outputs == 2:
        swapped = (
            f"its one output was read as the score of {labels.names[1]!r}, perhaps another task's"
        )
    if check.p_below < SIGNIFICANT:
        message = f"the {role} is clearly below chance: {check}; {swapped}, very likely so"
    elif check.num_rows < FEW_ROWS and check.value > check.chance:
        message = f"{check.num_rows} dev rows are too few to tell the {role} from chance: {check}"
        return Problem(place, message, severity="warning", code="teacher.too-few-dev-rows")
    else:
        why = "" if check.value > check.chance and not alone else f"; {swapped}"
        message = f"the {role} is not significantly above chance: {check}{why}"
    hint = (
        f"Check {'id2label, ' if classification else ''}the weights and the tokenizer, or train it longer; "
        '"allow_weak_teacher": true goes on all the same.'
    )
    return Problem(place, message, hint, code="teacher.no-better-than-chance")


def _correlation(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    from scipy.special import betainc  # importing scipy.stats takes a second

    if len(labels) < 3 or np.ptp(scores) == 0 or np.ptp(labels) == 0:
        return 0.0, 1.0, 1.0
    found = pearson(scores, labels)
    shape = len(labels) / 2 - 1  # without a relation (r + 1) / 2 has a beta distribution
    below = float(betainc(shape, shape, (found + 1) / 2))
    above = float(betainc(shape, shape, (1 - found) / 2))
    return found, above, below


def _strata(positive: np.ndarray, groups: np.ndarray | None) -> list[np.ndarray] | None:
    """The rows of each group with both labels; None where fewer than half of the rows are in one."""
    if groups is None:
        return None
    number = np.unique(groups, return_inverse=True)[1]
    share = np.bincount(number, weights=positive) / np.bincount(number)
    mixed = np.flatnonzero((share > 0) & (share < 1))
    if np.isin(number, mixed).mean() < 0.5:
        return None
    return [np.flatnonzero(number == group) for group in mixed]


def _two_classes(
    score: np.ndarray, positive: np.ndarray, strata: list[np.ndarray] | None
) -> tuple[float, float, float]:
    """AUC and its one-sided probabilities: a rank-sum test, inside the strata where there are any."""
    from scipy.special import ndtr

    excess, pairs, variance = 0.0, 0.0, 0.0
    for rows in strata or [np.arange(len(score))]:
        count, high = len(rows), int(positive[rows].sum())
        ranks = average_ranks(score[rows])
        wins = float(ranks[positive[rows]].sum()) - high * (high + 1) / 2
        excess += wins - high * (count - high) / 2
        pairs += high * (count - high)
        # the variance of ranks drawn without replacement; ties make it smaller
        variance += high * (count - high) / count * float(np.var(ranks, ddof=1))
    if variance == 0:
        return 0.5, 1.0, 1.0
    spread = np.sqrt(variance)
    above = float(ndtr(-(excess - 0.5) / spread))
    below = float(ndtr((excess + 0.5) / spread))
    return 0.5 + excess / pairs, above, below


def _many_classes(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Mean one-against-rest AUC over the classes that occur; a permutation test."""
    logits = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    ranks = np.apply_along_axis(average_ranks, 0, logits)  # (N, C)
    classes = np.unique(labels)

    def mean_auc(labels: np.ndarray) -> float:
        values = []
        for label in classes:
            of_label = labels == label
            count, rest = of_label.sum(), (~of_label).sum()
            excess = ranks[of_label, label].sum() - count * (count + 1) / 2
            values.append(excess / (count * rest))
        return float(np.mean(values))

    return _against_permutations(mean_auc, labels)


def _many_labels(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float, float]:
    """Mean AUC over the labels that some rows have and others have not; a permutation test."""
    count = positive.sum(axis=0)
    columns = (count > 0) & (count < len(positive))
    if not columns.any():
        return float("nan"), 1.0, 1.0
    ranks = np.apply_along_axis(average_ranks, 0, scores[:, columns])
    count, rest = count[columns], len(positive) - count[columns]

    def mean_auc(positive: np.ndarray) -> float:
        wins = (ranks * positive).sum(axis=0) - count * (count + 1) / 2
        return float(np.mean(wins / (count * rest)))

    return _against_permutations(mean_auc, positive[:, columns])


def _against_permutations(
    measure: Callable[[np.ndarray], float], labels: np.ndarray
) -> tuple[float, float, float]:
    """A figure, and the shares of shuffled labels that reach it from above and from below."""
    generator = np.random.default_rng(0)
    value = measure(labels)
    drawn = np.array([measure(generator.permutation(labels)) for _ in range(_PERMUTATIONS)])
    above = (1 + np.sum(drawn >= value)) / (1 + _PERMUTATIONS)
    below = (1 + np.sum(drawn <= value)) / (1 + _PERMUTATIONS)
    return value, float(above), float(below)
