"""The task of a configuration: what its ``data`` block describes, or the one that it names."""

from pathlib import Path
from typing import TYPE_CHECKING

from .. import lookup
from ..augment.record import Sources
from ..errors import Problem, UserError
from ..tasks.positive import no_effect
from ..tasks.query_groups import GroupsBy
from ..tasks.selection import with_metric
from ..tasks.tabular import TabularTask
from ..tasks.texts import FilesTask, TextsTask, plain_text
from .schema import RunKeys

if TYPE_CHECKING:
    from ..tasks.base import Task


def task_of(
    keys: RunKeys, plugins: tuple[str, ...] | None = None, level: str | None = None
) -> "Task":
    """The task of a run, with what the configuration says of it.

    Args:
        keys: The configuration.
        plugins: Those that could be loaded; None for all that it names.
        level: ``pretraining``: the texts of its rows, with the figures of a corpus. None takes that of
            ``keys``, where it is settled.

    Raises:
        UserError: There is no task of the name, it can't skip rows as it is asked to, a key means
            nothing in it, or it has no such metric.
    """
    at = level or getattr(keys, "level", "task")
    if at == "pretraining":
        made = _texts_of(keys, plugins)
    else:
        made = plain_task(keys, plugins)
        made = with_augmented(made, keys) if keys.use_augmented else made
    return with_metric(made, keys.selection_metric)


def with_augmented(task: "Task", keys: RunKeys) -> "Task":
    """The task whose training rows are those of `chatstill augment`; whether they are there is asked before.

    Raises:
        UserError: a task that reads its rows itself.
    """
    data_dir = Path(keys.data_dir)
    train = task.find("train", data_dir)
    if train is None:
        return task
    augmented = task.augmented(Sources(task, data_dir, train).rows_file)
    if augmented is None:
        message = f"has no effect: the task {task.name} reads its rows itself"
        raise UserError(
            Problem("use_augmented", message, "Leave the key out.", code="augment.not-for-the-task")
        )
    return augmented


def _texts_of(keys: RunKeys, plugins: tuple[str, ...] | None) -> "Task":
    """The texts that a configuration names: a corpus, or rows without their labels."""
    skip = keys.on_bad_row == "skip"
    if keys.data is None:
        rows = lookup.task(keys.task_name, keys.plugins if plugins is None else plugins)
        if rows.labels.kind == "none":
            return rows
        return TextsTask(_skipping(rows) if skip else rows)
    if plain_text(keys.data):
        return FilesTask(keys.data, keys.task_name)
    block = keys.data.without_labels()
    changed: dict[str, object] = {"on_bad_row": "skip"} if skip else {}
    if not block.label_columns:  # numbers need not be looked for in the rows, as names would be
        changed |= {"kind": "regression", "labels": None}
    return TextsTask(TabularTask(block.model_copy(update=changed), keys.task_name))


def _skipping(task: "Task") -> "Task":
    skipping = task.skipping()
    if skipping is None:
        message = f"the task {task.name} reads its rows itself and skips none"
        raise UserError(
            Problem("on_bad_row", message, "Leave the key out.", code="data.skips-no-rows")
        )
    return skipping


def plain_task(keys: RunKeys, plugins: tuple[str, ...] | None) -> "Task":
    """The task of a run's rows as they lie in its own files.

    Args:
        keys: The configuration.
        plugins: Those that could be loaded; None for all that it names.

    Raises:
        UserError: There is no task of the name, it can't skip rows as it is asked to, or the class
            of ``positive_label`` or the ``groups`` mean nothing in it.
    """
    skip = keys.on_bad_row == "skip"
    if keys.data is not None:
        if keys.groups != "neighbours":
            raise UserError(
                _no_groups("in the block data, data.group names the column of the groups")
            )
        block = keys.data.model_copy(update={"on_bad_row": "skip"}) if skip else keys.data
        return TabularTask(block, keys.task_name, positive=keys.positive_label)
    task = lookup.task(keys.task_name, keys.plugins if plugins is None else plugins)
    if keys.positive_label is not None:
        task = _counting(task, keys.positive_label)
    if keys.groups != "neighbours":
        task = _grouped(task, keys.groups)
    return _skipping(task) if skip else task


def _grouped(task: "Task", by: GroupsBy) -> "Task":
    grouped = task.grouping(by)
    if grouped is None:
        raise UserError(_no_groups(f"the task {task.name} does not rank rows by their query"))
    return grouped


def _no_groups(reason: str) -> Problem:
    return Problem(
        "groups",
        f"has no effect: {reason}",
        "Leave the key out.",
        code="data.groups-without-effect",
    )


def _counting(task: "Task", wanted: str | int | bool) -> "Task":
    counting = task.with_positive(wanted)
    if counting is None:
        raise UserError(no_effect(f"the task {task.name} has metrics of its own"))
    return counting
