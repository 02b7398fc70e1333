"""`chatstill evaluate … --tf-idf`: a network beside a linear model on TF-IDF.

The linear model learns from the task's training rows, and shows what a network has to surpass. Counted are
words and pairs of neighbouring words, by `tf_idf.words_for`; of two texts both, what they share (the
product), and by how much they differ. Classes are told by logistic regression, any number of labels by one
for each label, and numbers by ridge regression. How strongly it is regularised is chosen on a tenth of the
training texts, drawn, by the task's main metric, before it learns from all of them. Texts are read as they
stand in the files, also where a network has them converted first (``preprocess``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config.schema import RunConfig
from ..errors import Problem, UserError
from ..tasks.base import Example, Split, Task
from ..tasks.files import locate
from ..tasks.intervals import paired_bootstrap
from ..tasks.selection import lower_is_better, main_metric_of
from ..tasks.transfer import labelled_rows, scored_rows
from .tf_idf import Words, words_for

PLACE = "--tf-idf"
MOST_ROWS = 20_000  # that it learns from
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)  # C; ridge regression takes 1 / C
USUAL = 1.0  # where there are too few texts to choose by
FEWEST = 50  # different texts
EVERY = 10
MOST_TURNS = 1000
SMALLEST = 1e-12  # a probability; of a class that no training row has too


class Beside(NamedTuple):
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


def learnt(task: Task, train: Sequence[Example], rows: Sequence[Example]) -> Beside:
    """The linear model's answers to rows; of more than `MOST_ROWS` training rows, so many are drawn."""
    used = list(train)
    if len(used) > MOST_ROWS:
        drawn = np.random.default_rng(0).choice(len(used), MOST_ROWS, replace=False)
        used = [used[row] for row in np.sort(drawn)]
    words = words_for([text for row in used for text in _texts(row)])
    strength, chosen = _strength(task, used, words)
    answers = _answers(task, used, rows, words, [strength])[0]
    return Beside(answers, len(used), len(train), strength, chosen, words.title)


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


def _texts(row: Example) -> list[str]:
    return [row.first_text] if row.text_b is None else [row.first_text, row.text_b]


def _held_out(rows: Sequence[Example]) -> np.ndarray:
    """(N,) a tenth of the different first texts, drawn, each with all its rows."""
    numbers: dict[str, int] = {}
    number = np.array([numbers.setdefault(row.first_text, len(numbers)) for row in rows])
    drawn = np.random.default_rng(0).permutation(len(numbers)) % EVERY == 0
    return np.asarray(drawn[number]) & (len(numbers) >= FEWEST)


def _strength(task: Task, rows: Sequence[Example], words: Words) -> tuple[float, str]:
    """The one of the best main metric, of equal ones the strongest regularisation; and how it was chosen."""
    held_out = _held_out(rows)
    left = [row for row, out in zip(rows, held_out, strict=True) if not out]
    asked = [row for row, out in zip(rows, held_out, strict=True) if out]
    if not asked:
        return USUAL, "the usual one: too few texts to choose by"
    if min(len({row.label for row in part}) for part in (left, asked)) < 2:
        return USUAL, "the usual one: a tenth of the texts, or the others, have one label alone"
    labels = _labels(task, asked)
    groups = np.array([row.group or "" for row in asked]) if task.ranking else None
    values = []
    for answers in _answers(task, left, asked, words, STRENGTHS):
        metrics = task.metrics(answers, labels, groups)
        main = main_metric_of(task, metrics)
        values.append(-metrics[main] if lower_is_better(main) else metrics[main])
    if max(values) == min(values):
        return USUAL, "the usual one: all do alike on a tenth of the texts"
    return STRENGTHS[int(np.argmax(values))], "chosen on a tenth of the training texts"


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
    fewest = 2 if len(texts) >= FEWEST else 1
    vectorizer = TfidfVectorizer(analyzer=counted, min_df=fewest, sublinear_tf=True)
    try:
        vectorizer.fit(texts)
    except ValueError:  # no word stands in two texts
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
