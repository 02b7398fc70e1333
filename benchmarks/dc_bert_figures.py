"""Figures of every question, and intervals paired by question, for `dc_bert_ranking.py`."""

from pathlib import Path

import numpy as np

METRICS = ("map", "mrr", "p@1")
RESAMPLES = 2000
Figures = dict[str, list[float]]


def of_questions(score: np.ndarray, labels: np.ndarray, groups: list[str]) -> Figures:
    """Each metric of every question with a relevant candidate, in the order of their first rows.

    Args:
        score: (N,) higher is ranked first.
        labels: (N,) 1 for a relevant row.
        groups: (N,) its question.
    """
    from chatstill.tasks.ranking import group_table

    values = group_table(score, np.asarray(labels) == 1, groups).values
    return {name: values[name].tolist() for name in METRICS}


def of_run(folder: Path, words: tuple[str, str] = ("0", "1")) -> Figures:
    """Of ``predictions.tsv``; ``words`` are its labels, the relevant one last."""
    from chatstill.tasks.predictions import read_predictions

    found = read_predictions(folder / "predictions.tsv", words)
    return of_questions(found.scores[:, 1] - found.scores[:, 0], found.labels, found.groups or [])


def of_tf_idf(file: Path) -> tuple[Figures, str]:
    """Of TF-IDF over the candidates of a chat file; and what words it counted."""
    from chatstill.evaluate.tf_idf import tf_idf

    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    queries, replies, labels, groups = (list(column) for column in zip(*rows, strict=True))
    found = tf_idf(queries, replies)
    return of_questions(found.scores, np.array(labels, np.int64), groups), found.words


def paired(one: np.ndarray, two: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean of the differences of questions (Q,), and its 95 % interval: percentile bootstrap by question."""
    each = one - two
    drawn = np.random.default_rng(0).integers(0, len(each), (RESAMPLES, len(each)))
    low, high = np.quantile(each[drawn].mean(axis=1), (0.025, 0.975))
    return float(each.mean()), (float(low), float(high))
