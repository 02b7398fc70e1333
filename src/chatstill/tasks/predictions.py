"""predictions.tsv: a line for each row with label, prediction and scores, exact enough to rescore.

Columns: ``index`` (row number from 0), ``id`` (where the data name their rows), ``group`` (ranking
tasks), ``label`` (empty without one), ``prediction``, ``probability`` (of the prediction; of any number
of labels ``probability_0``, ...; of a score none), ``positive_probability`` (of the class that counts, where
one does), then ``score`` (one output) or ``score_0``, ``score_1``, ..., and ``text_a``, ``text_b`` where they
were asked for. Labels and predictions of classes are written as the task's files write them. Several labels a
row stand with commas between them, ``(none)`` where none applies; where a name holds a comma, as JSON lists.
Numbers have all the digits of a double.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from ..disk.write import replacing
from ..errors import Problem, UserError
from .base import Example, Groups
from .label_cells import as_list
from .metrics import decide, matrix, probabilities
from .prediction_columns import SCORE, Columns, escaped
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
        positive: Number of the word that counts, None where none does.
        named: Whether there is a column of what the data call the rows.
        texts: Whether there are columns of both texts.
    """

    def __init__(
        self,
        path: Path,
        words: Sequence[str],
        *,
        grouped: bool,
        multi_label: bool = False,
        swapped: bool = False,
        positive: int | None = None,
        named: bool = False,
        texts: bool = False,
    ) -> None:
        self.path = path
        self.words = list(words)
        self.grouped = grouped
        self.multi_label = multi_label
        self.swapped = swapped
        self.positive = positive
        self.named, self.texts = named, texts
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

    def add(
        self,
        scores: np.ndarray,
        labels: np.ndarray | None,
        groups: Groups = None,
        rows: Sequence[Example] = (),
    ) -> None:
        """Further rows.

        Args:
            scores: (N, C) in the task's label order; (N, 1) or (N,) for one output.
            labels: (N,) class indices or scores, (N, C) for multi-label, NaN for none; None for no
                labels at all.
            groups: (N,) if ``grouped``.
            rows: (N,) if ``named`` or ``texts``.
        """
        scores = matrix(scores)
        chances = self._probabilities(scores)
        if not self.num_rows:
            columns_of_file = Columns(
                self.grouped,
                self.named,
                len(chances) - (self.positive is not None),
                self.multi_label,
                self.positive is not None,
                scores.shape[1],
                self.texts,
            )
            self._stream.write("\t".join(columns_of_file.names) + "\n")
        columns = [[str(n) for n in range(self.num_rows, self.num_rows + len(scores))]]
        if self.named:
            columns.append([(row.name or "").translate(_IN_ONE_FIELD) for row in rows])
        if self.grouped:
            names = () if groups is None else groups
            columns.append([str(group).translate(_IN_ONE_FIELD) for group in names])
        columns.append(self._labels(labels, len(scores)))
        decided = decide(scores) if self.words else scores[:, 0]
        if self.multi_label:
            decided = (scores > 0).astype(np.float64)
        columns.append(self._labels(decided, len(scores)))
        written = _turned(scores) if self.swapped else scores
        for numbers in (*chances, *written.T):
            columns.append([repr(value) for value in numbers.tolist()])
        if self.texts:
            columns.append([escaped(row.first_text) for row in rows])
            columns.append([escaped(row.text_b or "") for row in rows])
        self._stream.writelines("\t".join(row) + "\n" for row in zip(*columns, strict=True))
        self.num_rows += len(scores)

    def _probabilities(self, scores: np.ndarray) -> list[np.ndarray]:
        """Columns of shape (N,): the prediction's (or one for each label), then the counting class's."""
        if not self.words:
            return []
        if self.multi_label:  # sigmoid(x) is the second of softmax(0, x)
            return [probabilities(column)[:, 1] for column in scores.T]
        found = probabilities(scores)
        columns = [found[np.arange(len(scores)), decide(scores)]]
        return columns if self.positive is None else [*columns, found[:, self.positive]]

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
    found = [word for word, has in zip(words, row, strict=True) if has]
    if _as_lists(words):
        return json.dumps(found, ensure_ascii=False)
    return ",".join(found) or NO_LABELS


def _as_lists(words: Iterable[str]) -> bool:
    """Whether names between commas could not be told apart again."""
    return any("," in word or word == NO_LABELS for word in words)


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
    positive: int | None = None,
    rows: Iterable[Example] = (),
    texts: bool = False,
) -> None:
    """Writes a whole file at once, in blocks of rows; see ``PredictionsWriter``.

    Args:
        rows: All rows as they are read from the data, for their names and, if asked for, texts. No more
            than the first is read where neither is wanted.

    Raises:
        UserError: the data hold other rows than those that were scored.
    """
    first = next(read := iter(rows), None)
    named = first is not None and first.name is not None
    needed = first is not None and (named or texts)
    left: Iterator[Example] = chain([first] if needed and first else [], read if needed else ())
    with PredictionsWriter(
        path,
        words,
        grouped=groups is not None,
        multi_label=multi_label,
        swapped=swapped,
        positive=positive,
        named=named,
        texts=texts and needed,
    ) as writer:
        for start in range(0, max(len(scores), 1), block):
            part = slice(start, start + block)
            some = list(islice(left, len(scores[part])))
            if needed and len(some) != len(scores[part]):
                raise _changed(path)
            writer.add(
                scores[part],
                None if labels is None else labels[part],
                None if groups is None else groups[part],
                some,
            )
        if needed and next(left, None) is not None:
            raise _changed(path)


def _changed(path: Path) -> UserError:
    message = "is not written: the data hold another number of rows than when they were scored"
    return UserError(
        Problem(
            str(path),
            message,
            "Start again once nothing writes to them.",
            code="predict.rows-changed",
        )
    )


def read_predictions(
    path: Path, words: Sequence[str], *, multi_label: bool = False, swapped: bool = False
) -> Predictions:
    """Reads a file back. Its scores give the same metrics as the scores that were written.

    Files of before, without probabilities, are read as well.

    Raises:
        UserError: it is no such file.
    """
    known = {word: float(number) for number, word in enumerate(words)}
    rows = read_rows(path)
    header = next(rows, (0, []))[1]
    columns = Columns.of(header)
    if columns is None:
        raise UserError(
            Problem(
                str(path),
                f"found {show(header)}, expected a file of predictions",
                code="predict.no-predictions",
            )
        )
    at = [place for place, name in enumerate(header) if SCORE.fullmatch(name)]
    label, group = header.index("label"), header.index("group") if columns.grouped else 0
    scores: list[list[float]] = []
    labels: list[float | list[float]] = []
    groups: list[str] = []
    for line, fields in rows:
        try:
            scores.append([float(fields[place]) for place in at])
            text = fields[label]
            labels.append(_read_label_set(text, known) if multi_label else _read_label(text, known))
        except (KeyError, ValueError, IndexError):
            raise malformed(path, line, show(fields), ", ".join(header)) from None
        if len(fields) != len(header):
            raise malformed(path, line, show(fields), ", ".join(header))
        groups.append(fields[group])
    array = np.array(scores, dtype=np.float64).reshape(len(scores), len(at))
    array = _turned(array) if swapped else array
    return Predictions(array, np.array(labels), groups if columns.grouped else None)


def _turned(scores: np.ndarray) -> np.ndarray:
    """Two columns the other way round; the one of a sigmoid scorer stays."""
    return scores[:, ::-1] if scores.shape[1] == 2 else scores


def _read_label(text: str, known: dict[str, float]) -> float:
    return float("nan") if not text else known[text] if known else float(text)


def _read_label_set(text: str, known: dict[str, float]) -> list[float]:
    row = [0.0 if text else np.nan] * len(known)
    if _as_lists(known):
        found = as_list(text) or []
    else:
        found = text.split(",") if text and text != NO_LABELS else []
    for word in found:
        row[int(known[word])] = 1.0
    return row
