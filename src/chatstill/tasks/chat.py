"""Chat: does a reply answer a query? ``query TAB reply TAB label [TAB group]``, ranked by query."""

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import Problem, UserError
from . import metrics as m
from .bad_rows import BadRows, OnBadRow
from .base import Example, Groups, Labels, MetricFunction, Ranking, Rows, Split
from .defaults import OfFiles
from .files import task_folder
from .intervals import Parts, Ratio, sums_by_group
from .positive import only_positive
from .query_groups import GroupsBy, QueryGroups
from .ranking import RANKING, group_table, ranking_metrics, ranking_parts
from .reading import lacks_text, malformed, read_rows, shorten, show
from .transfer import followed

FOLDERS = ("chat", "ChatQA")
FILES: dict[Split, str] = {split: f"{split}.data.txt" for split in ("train", "dev", "test")}
UNLABELLED = "unlabeled.data.txt"
LAYOUTS = {
    2: "2 fields (query TAB reply)",
    3: "3 fields (query TAB reply TAB label)",
    4: "4 fields (query TAB reply TAB label TAB group)",
}
HEADERS = {("query", "reply"), ("query", "response"), ("question", "answer"), ("text_a", "text_b")}
MOST_VALUES_COUNTED = 1000
OTHERS = "(others)"
_INTEGER = re.compile(r"[+-]?([0-9]+)")


class ChatTask(OfFiles):
    """The task ``chat``; see ``tasks.base.Task`` for the contract."""

    name = "chat"
    labels = Labels(
        "classification",
        ("no_match", "match"),
        (
            ("negative", "no", "false", "irrelevant", "not_relevant", "unrelated", "mismatch"),
            ("positive", "yes", "true", "relevant", "related"),
        ),
        positive="match",
    )
    label_words: tuple[str, ...] = ("0", "1")
    main_metric = "mrr"
    ranking = True
    on_bad_row: OnBadRow = "stop"
    groups_by: GroupsBy = "neighbours"

    @property
    def reading(self) -> str:
        by = "" if self.groups_by == "neighbours" else f"-{self.groups_by}"
        return by if self.on_bad_row == "stop" else f"{by}-skip"

    def skipping(self) -> "ChatTask":
        task = copy.copy(self)  # tasks are shared
        task.on_bad_row = "skip"
        return task

    def grouping(self, by: GroupsBy) -> "ChatTask":
        task = copy.copy(self)
        task.groups_by = by
        return task

    def with_positive(self, wanted: str | int | bool) -> "ChatTask":
        """Itself: a label that is not 0 says that the reply fits.

        Raises:
            UserError: ``wanted`` is another class.
        """
        only_positive(self.labels, wanted, self.name)
        return self

    def own_file(self, split: Split, data_dir: Path) -> Path | None:
        """``<split>.data.txt`` of the one folder that holds the task's files."""
        folder = task_folder(data_dir, FOLDERS, tuple(FILES.values()))
        if folder is None or not (folder / FILES[split]).is_file():
            return None
        return folder / FILES[split]

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        """The test file in place of a missing dev file."""
        path = self.find("test", data_dir) if split == "dev" else None
        if path is None:
            return None
        message = "there is no dev.data.txt, so this file serves as dev set"
        return path, f"{message}: figures on it are no longer those of an untouched test set"

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return [data_dir / FOLDERS[0] / FILES[split], data_dir / FILES[split]]

    def transfer(self, path: Path) -> list[Path]:
        """``unlabeled.data.txt`` beside a training file: further rows, without labels."""
        file = path.with_name(UNLABELLED)
        return [file] if file.is_file() else []

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of a file; with ``labelled=False`` also ``query TAB reply``, or an empty label, and,
        of training rows, those of the transfer set behind them.

        A label is an integer, 0 or not 0; ``Rows.label_values`` counts each by its value. The
        group is the fourth field, else ``groups_by`` names it by the query: ``q0``, ``q1``, ...
        Every row of a file has as many fields as the first.
        """
        optional = split == "test" if labelled is None else not labelled
        values: Counter[str] = Counter()
        warnings: list[Problem] = []
        listed: list[str] = []
        bad = BadRows(self.on_bad_row, listed)
        more = self.transfer(path) if split == "train" and labelled is False else []
        groups = QueryGroups(self.groups_by, looks=split != "train")
        examples = _examples(path, split, optional, values, warnings, bad, groups)
        if more:
            examples = followed(examples, self._further(more, warnings, listed))
        return Rows(examples, values, warnings, listed)

    def _further(
        self, files: list[Path], warnings: list[Problem], listed: list[str]
    ) -> Iterator[tuple[str, Iterator[Example]]]:
        """The rows of the transfer set, file by file."""
        for file in files:
            bad, counts = BadRows(self.on_bad_row, listed), Counter[str]()
            groups = QueryGroups(self.groups_by, looks=False)
            how = {"with_labels": False}
            yield UNLABELLED, _examples(file, "train", True, counts, warnings, bad, groups, **how)

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """Accuracy, F1 and AUC over rows; ranking metrics and a random ranker's over groups.

        Ranking metrics (``tasks.ranking`` defines them) are given where they can differ: at least
        one group holds a positive and a negative row.
        """
        scores, labels = m.checked(scores, labels, 2)
        score, positive, decided = m.margin(scores), labels != 0, m.decide(scores)
        result = {
            "accuracy": m.accuracy(decided, positive),
            "f1": m.f1(decided, positive),
            "auc": m.auc(score, positive),
        }
        missing = self.missing(labels, groups)
        if "auc" in missing:
            del result["auc"]
        if groups is not None and len(groups):
            table = group_table(score, positive, groups)
            result["groups"] = float(table.num_groups)
            result["groups_without_positive"] = float(table.num_groups - len(table.size))
            if "mrr" not in missing:
                result |= ranking_metrics(table)
        return result

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        """``auc`` with one class only; ``mrr`` and its kin where order makes no difference."""
        positive = np.asarray(labels) != 0
        reasons = {}
        if positive.all() or not positive.any():
            which = "positive" if positive.any() else "negative"
            reasons["auc"] = f"all {len(positive)} rows are {which}"
        if groups is None:
            ranking = "the rows have no groups"
        else:
            table = group_table(np.zeros(len(positive)), positive, groups)
            ranking = "no group holds both a positive and a negative row"
            if (table.positives < table.size).any():
                return reasons
        return reasons | dict.fromkeys(RANKING, ranking)

    def metric(self, name: str) -> MetricFunction:
        """One metric to be resampled: of rows where there are no groups, else of whole groups."""
        if name in ("groups", "groups_without_positive") or name.startswith("random_"):
            raise KeyError(name)
        if name == "auc":
            return lambda scores, labels, groups: m.auc(m.margin(scores), labels != 0)
        if name == "accuracy":
            return Ratio(_accuracy_parts)
        if name == "f1":
            return Ratio(_f1_parts, empty=0.0)
        return Ratio(ranking_parts(name, self.ranked))

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking:
        return m.margin(scores), np.asarray(labels) != 0

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        """``mrr`` where rows are ranked, else ``auc``, else (one class only) ``accuracy``."""
        return next(name for name in ("mrr", "auc", "accuracy") if name in metrics)


def _examples(
    path: Path,
    split: Split,
    optional: bool,
    values: Counter[str],
    warnings: list[Problem],
    bad: BadRows,
    groups: QueryGroups,
    *,
    with_labels: bool = True,
) -> Iterator[Example]:
    """The rows of a file; fills the counter and the warnings on the way."""
    width, number, empty = 0, 0, []
    known: dict[str, tuple[int | None, str]] = {}
    for line, fields in read_rows(path, bad):
        try:
            if len(fields) != width:
                width = _width(path, line, fields, width, optional)
            if width == 2 and tuple(field.strip().lower() for field in fields) in HEADERS:
                hint = "Files of this task have no header line: remove it."
                raise malformed(
                    path, line, f"a header, {show(fields)}", "a query and a reply", hint
                )
            if width == 4 and not fields[3]:
                raise malformed(path, line, "an empty group", "a name in the fourth field")
            text = fields[2] if width > 2 and with_labels else ""
            if text not in known:
                if len(known) == MOST_VALUES_COUNTED:
                    known.clear()
                known[text] = _label(path, line, fields, optional) if with_labels else (None, "")
        except UserError as error:
            bad.take(error)
            continue
        label, word = known[text]
        if word:
            values[word if len(values) < MOST_VALUES_COUNTED or word in values else OTHERS] += 1
        if lacks_text(fields[0], fields[1]):
            empty.append(line)
        name = fields[3] if width == 4 else groups.of(fields[0])
        yield Example(f"{split}-{number}", line, fields[0], fields[1], label, name)
        number += 1
    warnings += [*bad.finish(path, number), *groups.warning(path)]
    warnings += _noticed(path, values, empty)


def _width(path: Path, line: int, fields: list[str], width: int, optional: bool) -> int:
    """The number of fields that all rows of this file must have; called when a row has another number.

    Raises:
        UserError: a number that doesn't fit, or another one than in the rows before.
    """
    hint = "Fields are separated by one TAB character." if len(fields) == 1 else ""
    if width:
        raise malformed(path, line, show(fields), f"{LAYOUTS[width]} as in the rows before", hint)
    if len(fields) in LAYOUTS and (optional or len(fields) > 2):
        return len(fields)
    expected = LAYOUTS[3] if not optional else f"{LAYOUTS[2]} or {LAYOUTS[3]}"
    raise malformed(path, line, show(fields), f"{expected}, or a group behind the label", hint)


def _label(path: Path, line: int, fields: list[str], optional: bool) -> tuple[int | None, str]:
    """0 for zero, 1 for any other integer, None for no label where that may be; and its plain form.

    Raises:
        UserError: something else.
    """
    text = fields[2] if len(fields) > 2 else ""
    if not text and optional:
        return None, ""
    number = _INTEGER.fullmatch(text.strip(" "))
    if number:
        digits = number[1].lstrip("0")
        return (1, f"{'-' * ('-' in text)}{digits}") if digits else (0, "0")
    hint = ""
    if text.strip().lower() in ("label", "labels", "score", "y"):
        hint = "Files of this task have no header line: remove it."
    elif _INTEGER.fullmatch(fields[0].strip(" ")):
        hint = "The label seems to stand first; the order is query, reply, label."
    expected = "an integer, 0 or not 0, in the third field"
    raise malformed(path, line, f"the label {shorten(text)}", expected, hint)


def _noticed(path: Path, values: Counter[str], empty: list[int]) -> list[Problem]:
    """Warnings about a file that was read to its end."""
    warnings = []
    other = [(text, count) for text, count in values.most_common() if text not in ("0", "1")]
    if other:
        listed = ", ".join(f"{text} ({count} rows)" for text, count in other[:10])
        more = f" and {len(other) - 10} more" if len(other) > 10 else ""
        message = f"labels other than 0 and 1: {listed}{more}; each that is not 0 counts as 1"
        warnings.append(Problem(str(path), message, "", "warning", code="labels.not-0-or-1"))
    if empty:
        rows = f"{len(empty)} rows have" if empty[1:] else "1 row has"
        message = f"{rows} an empty query or reply, the first in line {empty[0]}"
        warnings.append(Problem(str(path), message, severity="warning", code="data.empty-text"))
    return warnings


def _accuracy_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    right = m.decide(scores) == (np.asarray(labels) != 0)
    return sums_by_group(right, groups), sums_by_group(np.ones(len(right)), groups)


def _f1_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    called, positive = m.decide(scores) == 1, np.asarray(labels) != 0
    hits = sums_by_group(2.0 * (called & positive), groups)
    return hits, sums_by_group(called.astype(float) + positive, groups)
