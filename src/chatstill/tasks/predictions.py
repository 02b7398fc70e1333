"""predictions.tsv: a line for each row with label, prediction and scores, exact enough to rescore.

Columns: ``index`` (row number from 0), ``group`` (ranking tasks), ``label`` (empty without one),
``prediction``, then ``score`` (one output) or ``score_0``, ``score_1``, ... Labels and predictions
of classes are written as the task's files write them. Several labels a row stand with commas
between them, ``(none)`` where none applies. Scores have all the digits of a double.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from ..disk.write import replacing
from ..errors import Problem, UserError
from .base import Groups
from .metrics import decide, matrix
from .reading import malformed, read_rows, show

NO_LABELS = "(none)"
_IN_ONE_FIELD = str.maketrans("\t\n\r", "   ")


class Predictions(NamedTuple):
    """What a file holds: scores (N, C), labels (N,) or (N, C) with NaN for none, groups or None."""

    scores: np.ndarray
    labels: np.ndarray
    groups: list[str] | None


class PredictionsWriter:
    """Writes a file row by row; it appears under its name when all is written.

    Args:
        path: The file.
        words: How the task's files write each class; empty for regression.
        grouped: Whether there is a group column.
        multi_label: Whether any number of the words can apply to a row.
        swapped: Whether files number the two words the other way round: ``score_0`` is then the
            second one's.
    """

    def __init__(
        self,
        path: Path,
        words: Sequence[str],
        *,
        grouped: bool,
        multi_label: bool = False,
        swapped: bool = False,
    ) -> None:
        self.path = path
        self.words = list(words)
        self.grouped = grouped
        self.multi_label = multi_label
        self.swapped = swapped
        self.num_rows = 0
        self._file = ExitStack()
        self._stream = self._file.enter_context(replacing(path, newline="\n"))

    def __enter__(self) -> "PredictionsWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def add(self, scores: np.ndarray, labels: np.ndarray | None, groups: Groups = None) -> None:
        """Further rows.

        Args:
            scores: (N, C) in the task's label order; (N, 1) or (N,) for one output.
            labels: (N,) class indices or scores, (N, C) for multi-label, NaN for none; None for no
                labels at all.
            groups: (N,) if ``grouped``.
        """
        scores = matrix(scores)
        if not self.num_rows:
            self._stream.write("\t".join(_columns(scores.shape[1], self.grouped)) + "\n")
        columns = [[str(n) for n in range(self.num_rows, self.num_rows + len(scores))]]
        if self.grouped:
            names = () if groups is None else groups
            columns.append([str(group).translate(_IN_ONE_FIELD) for group in names])
        columns.append(self._labels(labels, len(scores)))
        decided = decide(scores) if self.words else scores[:, 0]
        if self.multi_label:
            decided = (scores > 0).astype(np.float64)
        columns.append(self._labels(decided, len(scores)))
        written = _turned(scores) if self.swapped else scores
        columns += [[repr(value) for value in column] for column in written.T.tolist()]
        self._stream.writelines("\t".join(row) + "\n" for row in zip(*columns, strict=True))
        self.num_rows += len(scores)

    def _labels(self, values: np.ndarray | None, num_rows: int) -> list[str]:
        if values is None:
            return [""] * num_rows
        numbers = np.asarray(values, dtype=np.float64).tolist()
        if self.multi_label:
            return [label_set(row, self.words) for row in numbers]
        if not self.words:
            return ["" if value != value else repr(value) for value in numbers]
        return ["" if value != value else self.words[int(value)] for value in numbers]


def label_set(row: Sequence[float], words: Sequence[str]) -> str:
    """The labels of one row, 0 or 1 each, as text; empty where none is known (NaN)."""
    if len(row) and row[0] != row[0]:
        return ""
    return ",".join(word for word, has in zip(words, row, strict=True) if has) or NO_LABELS


def write_predictions(
    path: Path,
    scores: np.ndarray,
    labels: np.ndarray | None,
    groups: Groups,
    words: Sequence[str],
    block: int = 10_000,
    *,
    multi_label: bool = False,
    swapped: bool = False,
) -> None:
    """Writes a whole file at once, in blocks of rows; see ``PredictionsWriter``."""
    grouped = groups is not None
    how = {"grouped": grouped, "multi_label": multi_label, "swapped": swapped}
    with PredictionsWriter(path, words, **how) as writer:
        for start in range(0, max(len(scores), 1), block):
            part = slice(start, start + block)
            writer.add(
                scores[part],
                None if labels is None else labels[part],
                None if groups is None else groups[part],
            )


def read_predictions(
    path: Path, words: Sequence[str], *, multi_label: bool = False, swapped: bool = False
) -> Predictions:
    """Reads a file back; metrics of what it returns are those of what was written.

    Raises:
        UserError: it is no such file.
    """
    known = {word: float(number) for number, word in enumerate(words)}
    rows = read_rows(path)
    header = next(rows, (0, []))[1]
    grouped = "group" in header
    first = 3 + grouped
    if len(header) <= first or header != _columns(len(header) - first, grouped):
        raise UserError(Problem(str(path), f"found {show(header)}, expected a file of predictions"))
    scores: list[list[float]] = []
    labels: list[float | list[float]] = []
    groups: list[str] = []
    for line, fields in rows:
        try:
            scores.append([float(value) for value in fields[first:]])
            text = fields[first - 2]
            labels.append(_read_label_set(text, known) if multi_label else _read_label(text, known))
        except (KeyError, ValueError, IndexError):
            raise malformed(path, line, show(fields), ", ".join(header)) from None
        if len(fields) != len(header):
            raise malformed(path, line, show(fields), ", ".join(header))
        groups.append(fields[1])
    array = np.array(scores, dtype=np.float64).reshape(len(scores), len(header) - first)
    array = _turned(array) if swapped else array
    return Predictions(array, np.array(labels), groups if grouped else None)


def _turned(scores: np.ndarray) -> np.ndarray:
    """Two columns the other way round; the one of a sigmoid scorer stays."""
    return scores[:, ::-1] if scores.shape[1] == 2 else scores


def _read_label(text: str, known: dict[str, float]) -> float:
    return float("nan") if not text else known[text] if known else float(text)


def _read_label_set(text: str, known: dict[str, float]) -> list[float]:
    row = [0.0 if text else np.nan] * len(known)
    for word in text.split(",") if text and text != NO_LABELS else []:
        row[int(known[word])] = 1.0
    return row


def _columns(num_scores: int, grouped: bool) -> list[str]:
    scores = ["score"] if num_scores == 1 else [f"score_{number}" for number in range(num_scores)]
    return ["index", *(["group"] if grouped else []), "label", "prediction", *scores]
