"""A linear model on TF-IDF: what a network has to surpass.

Counted are words, or characters where no blanks stand between words, and pairs of neighbours
(`tf_idf.kinds_for`); of two texts both, what they share (the product), and by how much they differ. Classes
are told by logistic regression, any number of labels by one for each label, and numbers by ridge regression.
What is counted and how strongly it is regularised are chosen by the task's main metric on training texts
that it has not learnt from: each fifth in turn where there are few, else a tenth, drawn. Then it learns from
all of them. Texts are read as they stand in the files, also where a network has them converted first
(``preprocess``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..tasks.base import Example, Task
from ..tasks.selection import lower_is_better, main_metric_of
from .tf_idf import Words, kinds_for

MOST_ROWS = 20_000  # that it learns from
STRENGTHS = (0.1, 1.0, 3.0, 10.0, 30.0)  # C; ridge regression takes 1 / C
USUAL = 1.0  # where there are too few texts to choose by
FEWEST = 50  # different texts
FEW, FOLDS = 2_000, 5  # different texts up to which all take part in the choice
EVERY = 10
MOST_TURNS = 1000
SMALLEST = 1e-12  # a probability; of a class that no training row has too


class Learnt(NamedTuple):
    """What the linear model made of the scored rows, and how.

    Attributes:
        scores: (N, C) as those of a network: logarithms of probabilities, the numbers of a label or a score.
        rows: Training rows that it learnt from.
        of: Training rows that there are.
        strength: The one that was chosen.
        chosen: How, in words.
        words: What was counted.
    """

    scores: np.ndarray
    rows: int
    of: int
    strength: float
    chosen: str
    words: str


def learnt(task: Task, train: Sequence[Example], rows: Sequence[Example]) -> Learnt:
    """The linear model's answers to rows; of more than `MOST_ROWS` training rows, so many are drawn."""
    used = list(train)
    if len(used) > MOST_ROWS:
        drawn = np.random.default_rng(0).choice(len(used), MOST_ROWS, replace=False)
        used = [used[row] for row in np.sort(drawn)]
    kinds = kinds_for([text for row in used for text in _texts(row)])
    kinds = [Words(kind.title, cache(kind.of)) for kind in kinds]  # a text is cut for each part
    words, strength, chosen = _choice(task, used, kinds)
    answers = _answers(task, used, rows, words, [strength])[0]
    return Learnt(answers, len(used), len(train), strength, chosen, words.title)


def _texts(row: Example) -> list[str]:
    return [row.first_text] if row.text_b is None else [row.first_text, row.text_b]


def _folds(rows: Sequence[Example]) -> list[np.ndarray]:
    """Masks (N,) of rows to be asked, a first text's together: five for few, a tenth for many, or none."""
    numbers: dict[str, int] = {}
    number = np.array([numbers.setdefault(row.first_text, len(numbers)) for row in rows])
    if len(numbers) < FEWEST:
        return []
    drawn = np.random.default_rng(0).permutation(len(numbers))[number]
    if len(numbers) > FEW:
        return [drawn % EVERY == 0]
    return [drawn % FOLDS == fold for fold in range(FOLDS)]


def _choice(
    task: Task, rows: Sequence[Example], kinds: Sequence[Words]
) -> tuple[Words, float, str]:
    """Words and strength of the best main metric, of equal ones the first; and how they were chosen."""
    folds = _folds(rows)
    usual = kinds[0], USUAL
    if not folds:
        return *usual, "the usual one: too few texts to choose by"
    parts = [
        ([row for row, out in zip(rows, fold, strict=True) if not out],
         [row for row, out in zip(rows, fold, strict=True) if out])
        for fold in folds
    ]  # fmt: skip
    asked = [row for _, part in parts for row in part]
    if min(len({row.label for row in part}) for part in (asked, *(left for left, _ in parts))) < 2:
        return *usual, "the usual one: a part of the texts has one label alone"
    labels = _labels(task, asked)
    groups = np.array([row.group or "" for row in asked]) if task.ranking else None
    tried: list[tuple[float, Words, float]] = []
    for words in kinds:
        answers = [_answers(task, left, part, words, STRENGTHS) for left, part in parts]
        for strength, found in zip(STRENGTHS, zip(*answers, strict=True), strict=True):
            metrics = task.metrics(np.concatenate(found), labels, groups)
            main = main_metric_of(task, metrics)
            value = -metrics[main] if lower_is_better(main) else metrics[main]
            tried.append((value, words, strength))
    best = max(tried, key=lambda one: one[0])
    if best[0] == min(tried, key=lambda one: one[0])[0]:
        return *usual, "the usual one: all do alike on texts that were held out"
    how = "a tenth" if len(folds) == 1 else "each fifth"
    return best[1], best[2], f"chosen on {how} of the training texts"


def _labels(task: Task, rows: Sequence[Example]) -> np.ndarray:
    """(N,) class numbers or scores; (N, C) 0 and 1 where any number of labels can apply."""
    if task.labels.kind != "multi_label":
        return np.array([row.label for row in rows], np.float64)
    found = np.zeros((len(rows), task.labels.num_outputs))
    for number, row in enumerate(rows):
        assert isinstance(row.label, tuple)
        found[number, list(row.label)] = 1
    return found


def _answers(
    task: Task,
    train: Sequence[Example],
    rows: Sequence[Example],
    words: Words,
    strengths: Sequence[float],
) -> list[np.ndarray]:
    """Scores (N, C) of rows, for each strength; texts are counted once for all."""
    learns, asked = _features(train, rows, words)
    labels = _labels(task, train)
    kinds: dict[str, Callable[..., np.ndarray]] = {
        "classification": _classes,
        "multi_label": _each_label,
        "regression": _numbers,
    }
    of_kind = kinds[task.labels.kind]
    return [of_kind(learns, labels, asked, task.labels.num_outputs, one) for one in strengths]


def _features(train: Sequence[Example], rows: Sequence[Example], words: Words) -> tuple[Any, Any]:
    """Sparse (rows, features) of the training rows and of the others."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    pairs = any(row.text_b is not None for row in train)
    kept: dict[str, list[str]] = {}

    def counted(text: str) -> list[str]:
        if text not in kept:
            found = words.of(text)
            kept[text] = [*found, *(f"{one} {two}" for one, two in pairwise(found))]
        return kept[text]

    texts = [text for row in train for text in _texts(row)]
    vectorizer = TfidfVectorizer(analyzer=counted, sublinear_tf=True)
    try:
        vectorizer.fit(texts)
    except ValueError:  # there is no word at all
        vectorizer = TfidfVectorizer(analyzer=lambda text: [*counted(text), ""], sublinear_tf=True)
        vectorizer.fit(texts)

    def matrix(examples: Sequence[Example]) -> Any:
        first = vectorizer.transform([row.first_text for row in examples])
        if not pairs:
            return first.tocsr()
        second = vectorizer.transform([row.text_b or "" for row in examples])
        return hstack([first, second, first.multiply(second), abs(first - second)]).tocsr()

    return matrix(train), matrix(rows)


def _classes(learns: Any, labels: np.ndarray, asked: Any, num: int, strength: float) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=MOST_TURNS).fit(learns, labels.astype(int))
    found = np.full((asked.shape[0], max(num, 2)), SMALLEST)
    found[:, model.classes_] = np.maximum(model.predict_proba(asked), SMALLEST)
    return np.log(found)


def _each_label(
    learns: Any, labels: np.ndarray, asked: Any, num: int, strength: float
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((asked.shape[0], num))
    for number in range(num):
        column = labels[:, number]
        if column.min() == column.max():  # no row has it, or each
            found[:, number] = np.log(SMALLEST) * (1 if column[0] == 0 else -1)
            continue
        model = LogisticRegression(C=strength, max_iter=MOST_TURNS).fit(learns, column.astype(int))
        found[:, number] = model.decision_function(asked)
    return found


def _numbers(learns: Any, labels: np.ndarray, asked: Any, num: int, strength: float) -> np.ndarray:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1 / strength, tol=1e-6).fit(learns, labels)
    return np.asarray(model.predict(asked)).reshape(-1, 1)
