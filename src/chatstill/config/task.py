"""The task of a configuration: what its ``data`` block describes, or the one that it names."""

from typing import TYPE_CHECKING

from .. import lookup
from ..errors import Problem, UserError
from ..tasks.positive import no_effect
from ..tasks.query_groups import GroupsBy
from ..tasks.selection import with_metric
from ..tasks.tabular import TabularTask
from .schema import RunKeys

if TYPE_CHECKING:
    from ..tasks.base import Task


def task_of(keys: RunKeys, plugins: tuple[str, ...] | None = None) -> "Task":
    """The task of a run, with what the configuration says of it.

    Args:
        keys: The configuration.
        plugins: Those that could be loaded; None for all that it names.

    Raises:
        UserError: There is no task of the name, it can't skip rows as it is asked to, a key means
            nothing in it, or it has no such metric.
    """
    return with_metric(_task_of(keys, plugins), keys.selection_metric)


def _task_of(keys: RunKeys, plugins: tuple[str, ...] | None) -> "Task":
    """The task of a run.

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
    if not skip:
        return task
    skipping = task.skipping()
    if skipping is None:
        message = f"the task {task.name} reads its rows itself and skips none"
        raise UserError(
            Problem("on_bad_row", message, "Leave the key out.", code="data.skips-no-rows")
        )
    return skipping


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
