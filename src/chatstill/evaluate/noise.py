"""Rows on which a teacher and the labels disagree most: where labels are likely wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..tasks.base import Example, Labels
from ..tasks.metrics import decide, matrix, probabilities
from ..tasks.prediction_columns import escaped
from ..tasks.predictions import label_set

MOST = 1000
COLUMNS = ("split", "line", "label", "teacher", "probability", "text_a", "text_b")


class Disagreement(NamedTuple):
    """One row: ``answer`` is the teacher's, ``value`` the probability that it gives to the label.

    For regression ``answer`` is the teacher's score and ``value`` empty.
    """

    split: str
    row: Example
    label: str
    answer: str
    value: str


def most_disagreeing(
    scores: np.ndarray, labels: np.ndarray, kind: str, limit: int = MOST
) -> np.ndarray:
    """Row numbers, the clearest disagreement first.

    Classes: rows whose label is not the teacher's answer, by the probability of the label, lowest
    first; so too sets of labels, as wholes. Regression: by the distance of label and score.

    Args:
        scores: (N, C) of the teacher in the task's label order.
        labels: (N,), of sets (N, C) of 0 and 1; NaN for none.
        kind: Of the task's labels.
        limit: Most rows.
    """
    if kind == "multi_label":
        found = np.flatnonzero(
            ((scores > 0) != (labels > 0)).any(axis=1) & ~np.isnan(labels).any(axis=1)
        )
        return found[np.argsort(_of_set(scores[found], labels[found]), kind="stable")][:limit]
    known = ~np.isnan(labels)
    if kind == "regression":
        distance = np.where(known, np.abs(matrix(scores)[:, 0] - labels), -np.inf)
        order = np.argsort(-distance, kind="stable")
        return order[distance[order] > 0][:limit]
    of_label = _of_label(probabilities(scores), np.where(known, labels, 0))
    apart = np.flatnonzero(known & (decide(scores) != labels))
    return apart[np.argsort(of_label[apart], kind="stable")][:limit]


def disagreements(
    split: str,
    rows: Iterable[Example],
    scores: np.ndarray,
    labels: np.ndarray,
    space: Labels,
    words: Sequence[str],
    sections: bool = False,
) -> Iterator[Disagreement]:
    """The rows of ``most_disagreeing`` with their texts; the file is read once, as far as needed.

    Args:
        split: Its name.
        rows: All of its rows, as they stand in the file.
        scores: (N, C) of the teacher.
        labels: (N,), of sets (N, C).
        space: The task's labels.
        words: How the files write each class.
        sections: The group of a row names its file, as MNLI's do: it is told with the split.
    """
    chosen = most_disagreeing(scores, labels, space.kind)
    wanted, texts = set(chosen.tolist()), {}
    last = max(wanted, default=-1)
    for number, row in enumerate(rows if wanted else ()):
        if number in wanted:
            texts[number] = row
        if number == last:
            break
    for number in chosen.tolist():
        of, by = labels[number : number + 1], scores[number : number + 1]
        if space.kind == "multi_label":
            label, answer = label_set(of[0] > 0, words), label_set(by[0] > 0, words)
            value = f"{_of_set(by, of)[0]:.4g}"
        elif space.kind == "regression":
            label, answer, value = f"{of[0]:g}", f"{by[0, 0]:.4g}", ""
        else:
            label, answer = words[int(of[0])], words[int(decide(by)[0])]
            value = f"{_of_label(probabilities(by), of)[0]:.4g}"
        place = f"{split} {texts[number].group}" if sections and texts[number].group else split
        yield Disagreement(place, texts[number], label, answer, value)


def as_lines(found: Iterable[Disagreement]) -> Iterator[str]:
    """The lines of ``label_noise.tsv``; TAB and line ends inside a text are written as escapes.

    Its file stands before the line of a row where a split has several, and what the data call a row behind
    it where they have such names.
    """
    listed = list(found)
    named = any(row.name is not None for _, row, *_ in listed)
    several = any(row.file for _, row, *_ in listed)
    file, name = ["file"] if several else [], ["id"] if named else []
    yield "\t".join((COLUMNS[0], *file, COLUMNS[1], *name, *COLUMNS[2:]))
    for split, row, label, answer, value in listed:
        texts = (escaped(row.first_text), escaped(row.text_b or ""))
        file = [escaped(row.file)] if several else []
        name = [escaped(row.name or "")] if named else []
        yield "\t".join((split, *file, str(row.line), *name, label, answer, value, *texts))


def _of_label(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probability[np.arange(len(labels)), labels.astype(np.int64)]


def _of_set(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of each row's whole set (N,): the product over all labels, applying or not."""
    toward = np.where(labels > 0, scores, -scores).astype(np.float64)
    return np.exp(-np.logaddexp(0, -toward).sum(axis=1))
