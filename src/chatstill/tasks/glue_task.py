"""A task of the GLUE table: its original TSV files and its official metrics."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import Problem, UserError
from . import metrics as m
from .base import Example, Groups, MetricFunction, Rows, Split
from .files import task_folder
from .glue import FILES, GlueRow, Layout, plain_layout
from .intervals import Parts, Ratio
from .reading import malformed, read_rows, shorten, show

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class GlueTask:
    """One row of the table as a task; see ``tasks.base.Task`` for the contract."""

    ranking = False

    def __init__(self, row: GlueRow) -> None:
        self.row = row
        self.name = row.name
        self.labels = row.labels
        self.label_words = row.words
        self.main_metric = row.main_metric

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """``<split>.tsv`` of the one folder that holds the task's files."""
        folder = task_folder(data_dir, (self.row.folder,), tuple(FILES.values()))
        if folder is None or not (folder / FILES[split]).is_file():
            return None
        return folder / FILES[split]

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        """None: GLUE's test files have no labels."""
        return None

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return [data_dir / self.row.folder / FILES[split], data_dir / FILES[split]]

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of an original file, known by its header.

        With ``labelled=False`` also a file of the texts alone, an empty label, or -1.
        """
        optional = split == "test" if labelled is None else not labelled
        values: Counter[str] = Counter()
        return Rows(self._examples(path, split, optional, values), values, [])

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """The official metrics under the keys of ``transformers``' old GLUE example.

        Constant predictions have ``mcc`` 0 and correlations 0; no positive prediction has ``f1`` 0.
        """
        scores, labels = m.checked(scores, labels, self.labels.num_outputs)
        return {key: FUNCTIONS[key](scores, labels) for key in self.row.metrics}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        """One official metric, to be resampled row by row."""
        if name not in self.row.metrics:
            raise KeyError(name)
        if name in ("acc", "f1"):
            return Ratio(_accuracy_parts) if name == "acc" else Ratio(_f1_parts, empty=0.0)
        return lambda scores, labels, groups: FUNCTIONS[name](scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric

    def _examples(
        self, path: Path, split: Split, optional: bool, values: Counter[str]
    ) -> Iterator[Example]:
        layout: Layout | None = None
        number = 0
        for line, fields in read_rows(path):
            if layout is None:
                layout = self._layout(path, line, fields, optional)
                if layout.header:
                    continue
            if len(fields) != len(layout.columns):
                expected = f"{len(layout.columns)} fields ({', '.join(layout.columns)})"
                raise malformed(path, line, show(fields), expected)
            label = None
            if layout.label is not None:
                text = fields[layout.label]
                label = self._label(path, line, text, optional)
                if self.row.words:
                    values[text] += 1
            text_b = None if layout.text_b is None else fields[layout.text_b]
            yield Example(f"{split}-{number}", line, fields[layout.text_a], text_b, label)
            number += 1
        if not number:
            raise UserError(Problem(str(path), "the file holds no rows"))

    def _layout(self, path: Path, line: int, fields: list[str], optional: bool) -> Layout:
        """The kind of file, by its first line.

        Raises:
            UserError: none of the kinds that may stand here.
        """
        names = tuple(field.strip().lower() for field in fields)
        plain = (plain_layout(self.row),) if optional else ()
        layouts = self.row.layouts + plain
        for layout in layouts:
            if layout.header and names == layout.columns:
                if layout.label is None and not optional:
                    found = f"the header of a file without labels, {show(fields)}"
                    raise malformed(path, line, found, self._expected(layouts[:1]))
                return layout
        for layout in layouts:
            if not layout.header and len(fields) == len(layout.columns):
                return layout
        raise malformed(
            path, line, show(fields), self._expected(layouts if optional else layouts[:1])
        )

    def _expected(self, layouts: tuple[Layout, ...]) -> str:
        kinds = [
            ("the header " if layout.header else "rows without header: ")
            + " TAB ".join(layout.columns)
            for layout in layouts
        ]
        return f"{self.row.folder}: {', or '.join(kinds)}"

    def _label(self, path: Path, line: int, text: str, optional: bool) -> int | float | None:
        """Class index or score of a label's text, None for no label where that may be.

        Raises:
            UserError: anything else.
        """
        if text in self.row.words:
            return self.row.words.index(text)
        if optional and text in ("", "-1"):
            return None
        if self.row.words:
            raise malformed(path, line, f"the label {shorten(text)}", " or ".join(self.row.words))
        low, high = self.row.bounds
        score = float(text) if _NUMBER.fullmatch(text.strip(" ")) else math.nan
        if not low <= score <= high:
            expected = f"a number from {low:g} to {high:g}"
            raise malformed(path, line, f"the score {shorten(text)}", expected)
        return score


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return m.accuracy(m.decide(scores), labels)


def _f1(scores: np.ndarray, labels: np.ndarray) -> float:
    return m.f1(m.decide(scores), labels)


def _pearson(scores: np.ndarray, labels: np.ndarray) -> float:
    return m.pearson(m.margin(scores), labels)


def _spearman(scores: np.ndarray, labels: np.ndarray) -> float:
    return m.spearman(m.margin(scores), labels)


FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "acc": _accuracy,
    "f1": _f1,
    "acc_and_f1": lambda scores, labels: (_accuracy(scores, labels) + _f1(scores, labels)) / 2,
    "mcc": lambda scores, labels: m.matthews(m.decide(scores), labels),
    "pearson": _pearson,
    "spearmanr": _spearman,
    "corr": lambda scores, labels: (_pearson(scores, labels) + _spearman(scores, labels)) / 2,
}


def _accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right = m.decide(scores) == np.asarray(labels)
    return right.astype(np.float64), np.ones(len(right))


def _f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    called, positive = m.decide(scores) == 1, np.asarray(labels) == 1
    return 2.0 * (called & positive), called.astype(np.float64) + positive
