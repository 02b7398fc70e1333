"""MNLI: dev is two files, matched (the genres of train) and mismatched; both are scored."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import Problem
from . import metrics as m
from .base import Example, Groups, MetricFunction, Rows, Split
from .glue import MNLI
from .glue_task import GlueTask
from .intervals import Parts, Ratio

SECTIONS = ("matched", "mismatched")
KEYS = {"mnli/acc": 0, "mnli-mm/acc": 1}


class MnliTask(GlueTask):
    """The task ``mnli``; see ``tasks.base.Task`` for the contract.

    ``dev`` is ``dev_matched.tsv``, and ``dev_mismatched.tsv`` if it lies beside it: the group of a
    row names its section. ``acc`` is the mean of both accuracies, each section counting half, as
    in GLUE's overall score; selection uses it.
    """

    def __init__(self) -> None:
        super().__init__(MNLI)

    def parts(self, path: Path, split: Split) -> list[Path]:
        """The file, and for ``dev`` the mismatched one beside the matched one."""
        other = path.with_name("dev_mismatched.tsv")
        both = split == "dev" and path.name == MNLI.files["dev"] and other.is_file()
        return [path, other] if both else [path]

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Rows of a file, those of the mismatched section after the matched ones."""
        files = self.parts(path, split)
        if len(files) == 1:
            rows = super().read(path, split, labelled)
            if split == "dev" and path.name == MNLI.files["dev"]:
                message = "dev_mismatched.tsv is not beside it: only the matched section is scored"
                rows.warnings.append(
                    Problem(str(path), message, severity="warning", code="data.one-section-of-mnli")
                )
            return rows
        values: Counter[str] = Counter()
        warnings: list[Problem] = []
        bad: list[str] = []
        examples = self._sections(files, split, labelled, values, warnings, bad)
        return Rows(examples, values, warnings, bad)

    def _sections(
        self,
        files: list[Path],
        split: Split,
        labelled: bool | None,
        values: Counter[str],
        warnings: list[Problem],
        bad: list[str],
    ) -> Iterator[Example]:
        number = 0
        for section, file in zip(SECTIONS, files, strict=True):
            rows = super().read(file, split, labelled)
            for row in rows:
                yield replace(row, id=f"{split}-{number}", group=section)
                number += 1
            values.update(rows.label_values)
            warnings += rows.warnings
            bad += rows.bad

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """``mnli/acc``, ``mnli-mm/acc`` and their mean ``acc``.

        Rows without groups are the matched section.
        """
        scores, labels = m.checked(scores, labels, self.labels.num_outputs)
        missing = self.missing(labels, groups)
        keys = [key for key in self.row.metrics if key not in missing]
        return {key: self.metric(key)(scores, labels, groups) for key in keys}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        """A section without rows."""
        found = set(sections(groups, len(labels)).tolist())
        return {
            key: f"no rows of the {SECTIONS[number]} section"
            for key, number in KEYS.items()
            if number not in found
        }

    def metric(self, name: str) -> MetricFunction:
        """One metric, to be resampled row by row."""
        if name not in self.row.metrics:
            raise KeyError(name)

        def parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
            of_section = sections(groups, len(labels))
            if name in KEYS:
                weight = (of_section == KEYS[name]).astype(np.float64)
            else:  # each section counts half, however many rows it has
                sizes = np.bincount(of_section, minlength=len(SECTIONS))
                weight = 1.0 / sizes[of_section]
            right = m.decide(scores) == np.asarray(labels)
            return weight * right, weight

        return Ratio(parts)


def sections(groups: Groups, num_rows: int) -> np.ndarray:
    """The section of each row as a number (N,): 0 matched, 1 mismatched.

    Args:
        groups: (N,) names, or their numbers in reading order; None: all rows are matched.
        num_rows: N.
    """
    if groups is None:
        return np.zeros(num_rows, np.int64)
    values = np.asarray(groups)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return (values == SECTIONS[1]).astype(np.int64)
