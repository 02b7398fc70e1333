"""A task of the GLUE table: its original TSV files and its official metrics."""

import copy
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import Problem, UserError
from . import by_scores as by
from . import metrics as m
from .bad_rows import BadRows, OnBadRow
from .base import Example, Groups, MetricFunction, Rows, Split
from .defaults import OfFiles
from .files import task_folder
from .glue import GlueRow, Layout, plain_layout
from .glue_rows import Noticed, refuse_header, with_header
from .intervals import Ratio
from .positive import named_class, only_positive, plain_positive
from .reading import lacks_text, malformed, read_rows, shorten, show
from .transfer import followed

MOST_COLUMNS_SHOWN = 6
UNLABELLED = "unlabeled.tsv"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class GlueTask(OfFiles):
    """One row of the table as a task; see ``tasks.base.Task`` for the contract."""

    ranking = False
    on_bad_row: OnBadRow = "stop"
    fills_short_rows = True  # where labels are not asked for

    def __init__(self, row: GlueRow) -> None:
        self.row = row
        self.name = row.name
        counts = row.labels.names[-1] if "f1" in row.metrics else plain_positive(row.labels.names)
        self.labels = replace(row.labels, positive=counts)
        self.label_words = row.words
        self.main_metric = row.main_metric

    def with_positive(self, wanted: str | int | bool) -> "GlueTask":
        """The same task where ``wanted`` is the class that the threshold counts.

        Raises:
            UserError: the task has no two classes, or its official F1 is about the other one.
        """
        if len(self.labels.names) != 2 or "f1" in self.row.metrics:
            only_positive(self.labels, wanted, self.name)
            return self
        task = copy.copy(self)  # tasks are shared
        task.labels = replace(self.labels, positive=named_class(wanted, self.labels.names))
        return task

    def skipping(self) -> "GlueTask":
        task = copy.copy(self)
        task.on_bad_row = "skip"
        return task

    @property
    def reading(self) -> str:
        return "" if self.on_bad_row == "stop" else "-skip"

    @property
    def bounds(self) -> tuple[float, float] | None:
        low, high = self.row.bounds
        return (low, high) if low < high else None

    def own_file(self, split: Split, data_dir: Path) -> Path | None:
        """The split's file in the one folder that holds the task's files."""
        names = (self.row.folder, *self.row.other_folders)
        folder = task_folder(data_dir, names, tuple(self.row.files.values()))
        name = self.row.files.get(split)
        if folder is None or name is None or not (folder / name).is_file():
            return None
        return folder / name

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        """None: GLUE's test files have no labels."""
        return None

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        name = self.row.files.get(split)
        return [data_dir / self.row.folder / name, data_dir / name] if name else []

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of an original file, known by its header.

        With ``labelled=False`` also a file of the texts alone, an empty label, or -1. ``GlueRow``
        says which broken rows of the original are left out; they are counted in the warnings.
        """
        optional = split == "test" if labelled is None else not labelled
        values: Counter[str] = Counter()
        warnings: list[Problem] = []
        bad = BadRows(self.on_bad_row)
        examples = self._examples(path, split, optional, values, warnings, bad)
        more = self.transfer(path) if split == "train" and labelled is False else []
        if more:
            examples = followed(examples, self._further(more, warnings, bad.listed))
        return Rows(examples, values, warnings, bad.listed)

    def transfer(self, path: Path) -> list[Path]:
        """``unlabeled.tsv`` beside a training file: further rows, whose labels are passed over."""
        file = path.with_name(UNLABELLED)
        return [file] if file.is_file() else []

    def _further(
        self, files: list[Path], warnings: list[Problem], listed: list[str]
    ) -> Iterator[tuple[str, Iterator[Example]]]:
        for file in files:
            bad, counts = BadRows(self.on_bad_row, listed), Counter[str]()
            yield UNLABELLED, self._examples(file, "train", True, counts, warnings, bad)

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
            return Ratio(by.accuracy_parts) if name == "acc" else Ratio(by.f1_parts, empty=0.0)
        return lambda scores, labels, groups: FUNCTIONS[name](scores, labels)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric

    def _examples(
        self,
        path: Path,
        split: Split,
        optional: bool,
        values: Counter[str],
        warnings: list[Problem],
        bad: BadRows,
    ) -> Iterator[Example]:
        layout: Layout | None = None
        number = 0
        noticed = Noticed()
        for line, fields in read_rows(path, bad):
            if layout is None:
                layout = self.layout_of(path, line, fields, optional)
                if layout.header:
                    continue
            try:
                refuse_header(path, line, fields, layout)
                row = self._row(path, line, fields, layout, optional, noticed)
            except UserError as error:
                bad.take(error)
                continue
            if row is None:
                continue
            text_a, text_b, label = row
            if label is not None and layout.label is not None and self.row.words:
                values[fields[layout.label]] += 1
            name = None if layout.id is None else fields[layout.id]
            yield Example(f"{split}-{number}", line, text_a, text_b, label, name=name)
            number += 1
        dropped = not (optional and self.fills_short_rows)
        warnings += noticed.problems(path, dropped=dropped)
        warnings += bad.finish(path, number)

    def _row(
        self,
        path: Path,
        line: int,
        fields: list[str],
        layout: Layout,
        optional: bool,
        noticed: Noticed,
    ) -> tuple[str, str | None, int | float | None] | None:
        """Both texts and the label of a row; None for one that ``GlueRow`` leaves out.

        Raises:
            UserError: it is malformed.
        """
        if len(fields) < len(layout.columns) and self.row.skips_short_rows:
            noticed.short.append(line)
            if not (optional and self.fills_short_rows):
                return None
            fields += [""] * (len(layout.columns) - len(fields))
        if len(fields) != len(layout.columns):
            expected = f"{len(layout.columns)} fields ({', '.join(layout.columns)})"
            raise malformed(path, line, show(fields), expected)
        label = None
        if layout.label is not None:
            text = fields[layout.label]
            if text in self.row.unlabelled_words and not optional:
                noticed.unlabelled.append(line)
                return None
            label = self._label(path, line, text, optional)
        text_a = fields[layout.text_a]
        text_b = None if layout.text_b is None else fields[layout.text_b]
        if lacks_text(text_a, text_b):
            noticed.empty.append(line)
        return text_a, text_b, label

    def layout_of(self, path: Path, line: int, fields: list[str], optional: bool) -> Layout:
        """The kind of file, told by its first line. It may lack labels only where they are ``optional``.

        Raises:
            UserError: none of the kinds that may stand here.
        """
        names = tuple(field.strip().lower() for field in fields)
        plain = (plain_layout(self.row),) if optional else ()
        layouts = self.row.layouts + plain
        found = with_header(layouts, names)
        if found is not None:
            if found.label is None and not optional:
                what = f"the header of a file without labels, {show(fields)}"
                raise malformed(path, line, what, self._expected(layouts[:1]))
            return found
        for mark in ",;" if len(fields) == 1 else "":  # a text alone would look like that too
            if with_header(layouts, tuple(name.strip() for name in names[0].split(mark))):
                what = f"a header with {mark!r} between its fields, {show(fields)}"
                raise malformed(path, line, what, self._expected(layouts[:1]))
        for layout in layouts:
            if not layout.header and len(fields) == len(layout.columns):
                return layout
            short = self.row.skips_short_rows and 2 < len(fields) < len(layout.columns)
            if not layout.header and short and fields[0].isdecimal():
                return layout
        raise malformed(
            path, line, show(fields), self._expected(layouts if optional else layouts[:1])
        )

    def _expected(self, layouts: tuple[Layout, ...]) -> str:
        kinds = []
        for layout in layouts:
            names = layout.columns
            if layout.header and len(names) > MOST_COLUMNS_SHOWN:
                names = layout.needed
                kinds.append(f"a header with the columns {', '.join(names)}")
            else:
                kind = "the header " if layout.header else "rows without header: "
                kinds.append(kind + " TAB ".join(names))
        return f"{self.row.folder}: {', or '.join(kinds)}"

    def _label(self, path: Path, line: int, text: str, optional: bool) -> int | float | None:
        """Class index or score of a label's text, None for no label where that may be.

        Raises:
            UserError: anything else.
        """
        if text in self.row.words:
            return self.row.words.index(text)
        if optional and text in ("", "-1", *self.row.unlabelled_words):
            return None
        if self.row.words:
            raise malformed(path, line, f"the label {shorten(text)}", " or ".join(self.row.words))
        low, high = self.row.bounds
        score = float(text) if _NUMBER.fullmatch(text.strip(" ")) else math.nan
        if not low <= score <= high:
            expected = f"a number from {low:g} to {high:g}"
            raise malformed(path, line, f"the score {shorten(text)}", expected)
        return score


FUNCTIONS: dict[str, by.Function] = {
    "acc": by.accuracy,
    "f1": by.f1,
    "acc_and_f1": lambda scores, labels: (by.accuracy(scores, labels) + by.f1(scores, labels)) / 2,
    "mcc": by.matthews,
    "pearson": by.pearson,
    "spearmanr": by.spearman,
    "corr": by.correlation,
}
