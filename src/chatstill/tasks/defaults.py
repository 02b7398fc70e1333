"""What a task need not say: the part of the contract that has defaults."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from ..errors import Problem
from .base import Ranking, Split, Task

if TYPE_CHECKING:
    from .query_groups import GroupsBy


class TaskDefaults:
    """Base of the tasks here; a plugin's that is none gets it on loading (``with_defaults``).

    Attributes:
        reads_folders: Whether ``read`` takes a folder in place of a file.
        chosen_metric: The metric that the configuration names for selection; empty for the task's own.
        more_rows: The file of augmented rows that takes the place of the training file; None without.
    """

    reads_folders: bool = False
    chosen_metric: str = ""
    more_rows: Path | None = None

    @property
    def reading(self) -> str:
        """What changes how rows are read, for the fingerprint of prepared rows."""
        return ""

    @property
    def label_form(self) -> str:
        """How the cells of labels are read, for the plan."""
        return ""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest score of a regression, where the task knows them."""
        return None

    def parts(self, path: Path, split: Split) -> list[Path]:
        """All files that a split is read from, but for a transfer set's."""
        return [path]

    def transfer(self, path: Path) -> list[Path]:
        """Files of rows without labels that are read behind the training rows where none are needed."""
        return []

    def absent(self, split: Split) -> Problem | None:
        """What is wrong with a split that ``find`` does not find; None: its places are named."""
        return None

    def fingerprint(self, path: Path, split: Split) -> str | None:
        """What tells the rows of a split from others; None: the content of its files."""
        return None

    def remarks(self, scores: np.ndarray, labels: np.ndarray) -> dict[str, str]:
        """What a metric was taken over, where that is not all rows or classes, by its name."""
        return {}

    def ranked(self, scores: np.ndarray, labels: np.ndarray) -> Ranking | None:
        """(N,) what rows of a group are ranked by, higher first, and (N,) bool whether a row is relevant.

        None: no class is known to be the relevant one.
        """
        return None

    def with_positive(self, wanted: str | int | bool) -> Self | None:
        """The same task with another class that counts; None: its metrics are its own.

        Raises:
            UserError: it is no class of the task.
        """
        return None

    def skipping(self) -> Self | None:
        """The same task that leaves malformed rows out and lists them; None: it cannot."""
        return None

    def grouping(self, by: GroupsBy) -> Self | None:
        """The same task with other groups for the ranking metrics; None: it ranks by none."""
        return None

    def augmented(self, path: Path) -> Self | None:
        """The same task whose training rows are those of ``path``, as ``chatstill augment`` writes them.

        None: it reads its rows itself.
        """
        return None


class OfFiles(TaskDefaults):
    """A task whose training rows may be those of another file of its form."""

    def augmented(self, path: Path) -> Self:
        """The same task whose training rows are those of ``path``."""
        task = copy.copy(self)  # tasks are shared
        task.more_rows = path
        return task

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """The file of a split in the one folder that holds the task's files, None if none."""
        if split == "train" and self.more_rows is not None:
            return self.more_rows if self.more_rows.is_file() else None
        return self.own_file(split, data_dir)

    def own_file(self, split: Split, data_dir: Path) -> Path | None:
        """The task's file of a split."""
        raise NotImplementedError


def with_defaults(task: Any) -> Task:
    """A plugin's task with the rest of the contract."""
    if isinstance(task, TaskDefaults):
        return cast(Task, task)
    kind = type(task)
    filled = copy.copy(task)
    whole = type(kind.__name__, (kind, TaskDefaults), {"__module__": kind.__module__})
    object.__setattr__(filled, "__class__", whole)
    return cast(Task, filled)
