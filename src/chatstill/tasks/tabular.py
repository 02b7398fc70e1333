"""Any file or data set as a task, described by the block ``data``; see ``tabular_keys.DataKeys``."""

import copy
import functools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import Problem, UserError
from .bad_rows import BadRows
from .base import Example, Groups, Labels, MetricFunction, Ranking, Rows, Split
from .cells import Bad
from .defaults import OfFiles
from .dialogues import DialogueTable
from .hub_data import HubTable
from .positive import missing_positive, no_effect, only_positive, with_positive
from .reading import lacks_text
from .tables import Table
from .tabular_files import contents, files_of, split_path, tables
from .tabular_keys import DataKeys
from .tabular_labels import SEPARATOR, LabelReader, has_vectors, labels_known
from .tabular_metrics import Scorer, scorer_for
from .tabular_rows import RowMaker, examples_of, told_of_texts_alone
from .transfer import followed

NAME = "data"
NAMED = ("train", "dev", "test")  # keys of the splits


class TabularTask(OfFiles):
    """Rows of a ``data`` block as a task; see ``tasks.base.Task`` for the contract.

    Args:
        keys: The block, checked (``tabular_check``).
        name: What the task is called in messages and results; ``data`` if empty.
        names: Class names where neither the block nor training rows tell them: a model's own.
        positive: The configuration's ``positive_label``.
    """

    def __init__(
        self,
        keys: DataKeys,
        name: str = "",
        names: tuple[str, ...] = (),
        positive: str | int | bool | None = None,
    ) -> None:
        self.keys = keys
        self.name = name or NAME
        self.ranking = keys.group_column is not None
        self._names, self._positive = names, positive

    @functools.cached_property
    def labels(self) -> Labels:
        """The label space; read from the training rows where the block does not list it.

        Raises:
            UserError: it can't be told.
        """
        found = labels_known(self.keys, self._names, self.find("train", Path()) is not None)
        if self.keys.kind == "relevance":
            if self._positive is not None:
                raise UserError(no_effect("grades are ranked from the lowest to the highest"))
            return found
        if self.keys.chosen is not None:
            only_positive(found, self._positive, "a dialogue with the candidate chosen")
            return found
        found = with_positive(found, self._positive)
        classes = found.kind == "classification" and len(found.names) == 2
        if self.ranking and classes and found.positive is None:
            raise UserError(missing_positive(found.names))
        return found

    @functools.cached_property
    def _vectors(self) -> bool:
        return has_vectors(self.keys, self.labels)

    @property
    def label_form(self) -> str:
        """How the label cells are read, where they hold no names; empty elsewhere."""
        if self._vectors:
            return "the label cells are vectors of 0 and 1, one place for each label in this order"
        several = len(self.keys.label_columns) > 1
        return "each label is a column of 0 and 1" if several else ""

    @property
    def label_words(self) -> tuple[str, ...]:
        return self.labels.names

    @functools.cached_property
    def scorer(self) -> Scorer:
        """The metrics of this kind of label."""
        return scorer_for(self.keys.kind, self.labels, ranking=self.ranking)

    @property
    def main_metric(self) -> str:
        return self.scorer.main_metric

    def with_names(self, names: tuple[str, ...]) -> "TabularTask":
        """The same task where a model's label names stand in for missing training rows."""
        task = self._like()
        task._names = names
        return task

    def _like(self) -> "TabularTask":
        """A copy with whatever else the configuration said of it; its labels are looked up anew."""
        task = copy.copy(self)
        for known in ("labels", "scorer", "_vectors"):
            task.__dict__.pop(known, None)
        return task

    def own_file(self, split: Split, data_dir: Path) -> Path | None:
        """The file or pattern of a split, or ``NAME:SPLIT`` of a data set; ``data_dir`` plays no part."""
        path = split_path(self.keys, split)
        if path is None or (self.keys.dataset is None and not files_of(path)):
            return None
        return path

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        """None: the block names its splits."""
        return None

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return [split_path(self.keys, split) or Path(f"data.{split}")]

    def absent(self, split: Split) -> Problem:
        """What is wrong with a split that ``find`` does not find."""
        path = split_path(self.keys, split)
        if path is None:
            hint = f"For example: --set data.{split}=path/to/{split}.csv"
            return Problem(
                f"data.{split}",
                "is missing: the block 'data' names no such file",
                hint,
                code="data.split-not-named",
            )
        hint = (
            f"Paths count from the working directory, {Path.cwd()}. Else: --set data.{split}=FILE"
        )
        return Problem(f"data.{split}", f"{path} does not exist", hint, code="data.file-missing")

    def parts(self, path: Path, split: Split) -> list[Path]:
        """The files whose bytes decide the rows of a path."""
        return contents(self.keys, path)

    @property
    def reading(self) -> str:
        """How rows are read, as canonical text: part of the fingerprint of prepared rows."""
        paths = {"train", "dev", "test", "unlabeled"}  # of which the content counts
        how = self.keys.model_dump(mode="json", exclude={"note", "labels", "id", *paths})
        for key in (
            "candidates",
            "chosen",
            "rejected",
            "roles",
        ):  # rows of before have no such keys
            if how[key] is None:
                del how[key]
        how["labels"] = self.labels.names
        if self._vectors:
            how["vectors"] = True
        return json.dumps(how, sort_keys=True)

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of a split or of any file with the same columns; see ``Task.read``.

        With ``labelled=False`` the label and the group column may be missing. Malformed rows stop
        with an error, or are listed in ``Rows.bad`` (``on_bad_row``).
        """
        optional = split == "test" if labelled is None else not labelled
        values: Counter[str] = Counter()
        warnings: list[Problem] = []
        bad = BadRows(self.keys.on_bad_row)
        examples = self._examples(path, split, optional, values, warnings, bad)
        more = self.transfer(path) if split == "train" and labelled is False else []
        if more:
            examples = followed(examples, self._further(more, warnings, bad.listed))
        return Rows(examples, values, warnings, bad.listed)

    def transfer(self, path: Path) -> list[Path]:
        """The files of ``unlabeled``, behind the training rows."""
        named, behind = self.keys.unlabeled, (split_path(self.keys, "train"), self.more_rows)
        return [] if named is None or path not in behind else files_of(Path(named))

    def _further(
        self, files: list[Path], warnings: list[Problem], listed: list[str]
    ) -> Iterator[tuple[str, Iterator[Example]]]:
        """Their rows, file by file, without the columns of label and group."""
        for file in files:
            bad = BadRows(self.keys.on_bad_row, listed)
            yield (
                file.name,
                self._examples(file, "train", True, Counter(), warnings, bad, bare=True),
            )

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """The metrics of the block's kind; see ``tabular_metrics``."""
        return self.scorer.metrics(scores, labels, groups)

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return self.scorer.missing(labels, groups)

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        """What a metric was taken over, where that is not all classes."""
        return self.scorer.remarks(scores, labels)

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None:
        return self.scorer.ranked(scores, labels)

    def metric(self, name: str) -> MetricFunction:
        """One metric, to be resampled by rows or groups."""
        return self.scorer.metric(name)

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.scorer.main_metric_of(metrics)

    def _examples(
        self,
        path: Path,
        split: Split,
        optional: bool,
        values: Counter[str],
        warnings: list[Problem],
        bad: BadRows,
        *,
        bare: bool = False,
    ) -> Iterator[Example]:
        """The rows of all files behind a path; fills counter, warnings and bad rows on the way."""
        lines = num_empty = 0
        first_empty = ""
        told = (self.keys.labels, self.keys.chosen, self.keys.dataset)  # names in an order
        read_label = LabelReader(
            self.labels, optional=optional, vectors=self._vectors, numbered=any(told)
        )
        spare = [n for n in (*self.keys.label_columns, self.keys.group) if n and optional]
        keys = self.keys.without_labels() if bare else self.keys
        make = RowMaker(keys, read_label, split)
        others = bare or path not in (*(split_path(keys, name) for name in NAMED), self.more_rows)
        several = len(files_of(path)) > 1
        for table in tables(self.keys, path):
            self._check_columns(table, optional, others=others)
            warnings += told_of_texts_alone(table)
            make.has_ids = not table.fixed or keys.id in table.columns
            make.file = str(table.path) if several else ""
            for line, rows in examples_of(table, keys, spare, make):
                place = f"{table.path}: {table.unit} {line}"
                if isinstance(rows, Bad):
                    bad.take(UserError(rows.problem(place)))
                    continue
                lines += 1
                for row in rows:
                    if lacks_text(row.text_a, row.text_b):
                        num_empty += 1
                        first_empty = first_empty or place
                    self._count(row, values)
                    yield row
            if isinstance(table, DialogueTable):
                warnings += table.messages.warnings(table.path, table.unit)
        warnings += [*make.messages.warnings(path, ""), *bad.finish(path, lines)]
        if num_empty:
            message = f"empty texts in {num_empty:,} rows, the first is {first_empty}"
            warnings.append(Problem(str(path), message, severity="warning", code="data.empty-text"))

    def _count(self, row: Example, values: Counter[str]) -> None:
        if row.label is None or self.labels.kind == "regression":
            return
        for label in row.label if isinstance(row.label, tuple) else (row.label,):
            values[self.labels.names[int(label)]] += 1

    def _check_columns(
        self, table: Table | HubTable | DialogueTable, optional: bool, *, others: bool
    ) -> None:
        """All columns are there; of rows ``others`` than those of the splits without that of ids.

        Raises:
            UserError: with the near match of each that is not.
        """
        from .tabular_check import missing_columns

        if not table.fixed:
            return
        extra = (*self.keys.label_columns, self.keys.group) if optional else ()
        keys = self.keys.model_copy(update={"id": None}) if others else self.keys
        needed = [name for name in keys.wanted if name not in extra]
        problems = [
            Problem(
                str(table.path),
                f"there is no column {name!r} ({key})",
                hint,
                code="data.column-missing",
            )
            for key, name, hint in missing_columns(keys, table, needed)
        ]
        if problems:
            raise UserError(problems)


__all__ = ["NAME", "SEPARATOR", "TabularTask"]
