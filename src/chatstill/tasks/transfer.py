"""Rows without labels: those that follow the training rows (a transfer set), and those among them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem, UserError
from .base import Example, Rows

if TYPE_CHECKING:
    from .base import Split, Task


def followed(
    examples: Iterator[Example], more: Iterable[tuple[str, Iterator[Example]]]
) -> Iterator[Example]:
    """Training rows, then further ones; labels that these hold are passed over.

    Args:
        examples: The training rows, numbered from 0.
        more: Name of a file, and its rows.
    """
    number = 0
    for example in examples:
        number += 1
        yield example
    for name, rows in more:
        for row in rows:
            group = None if row.group is None else f"{name}-{row.group}"
            yield replace(row, id=f"train-{number}", label=None, group=group)
            number += 1


def without_transfer(task: Task) -> Task:
    """The same task, whose training rows are not followed by others."""
    bare = copy.copy(task)
    bare.__dict__["transfer"] = lambda path: []
    if hasattr(bare, "fills_short_rows"):  # a row that lacks its label is no row of texts alone
        bare.__dict__["fills_short_rows"] = False
    return bare


def labelled_rows(task: Task, path: Path, split: Split, what: str = "") -> Rows:
    """The rows of a file that have a label; a warning counts the others, which are left out.

    Args:
        task: It reads the file.
        path: Which.
        split: As which it is read.
        what: Of what they are left out, in words.

    Raises:
        UserError: while they are read: a malformed row, or no row has a label.
    """
    rows = without_transfer(task).read(path, split, False)
    return Rows(_labelled(rows, path, what), rows.label_values, rows.warnings, rows.bad)


def scored_rows(task: Task, path: Path, split: Split, labelled: bool, *, skips: bool) -> Rows:
    """Rows that a network is scored on: of a training file with gaps, where it says so, the labelled ones."""
    if labelled and skips and split == "train":
        return labelled_rows(task, path, split)
    return task.read(path, split, labelled)


def _labelled(rows: Rows, path: Path, what: str) -> Iterator[Example]:
    number = taken = 0
    for row in rows:
        number += 1
        if row.label is not None:
            taken += 1
            yield row
    if not taken:
        message = f"none of {number:,} rows has a label, and this run learns from gold labels alone"
        raise UserError(Problem(str(path), message, code="data.no-row-has-a-label"))
    if taken < number:
        message = f"{number - taken:,} of {number:,} rows have no label and are left out{what}"
        told = Problem(str(path), message, severity="warning", code="data.unlabeled-left-out")
        rows.warnings.append(told)
