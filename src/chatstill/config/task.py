"""The task of a configuration: what its ``data`` block describes, or the one that it names."""

from typing import TYPE_CHECKING

from .. import lookup
from ..tasks.tabular import TabularTask
from .schema import RunKeys

if TYPE_CHECKING:
    from ..tasks.base import Task


def task_of(keys: RunKeys, plugins: tuple[str, ...] | None = None) -> "Task":
    """The task of a run.

    Args:
        keys: The configuration.
        plugins: Those that could be loaded; None for all that it names.

    Raises:
        UserError: There is no task of the name.
    """
    if keys.data is not None:
        return TabularTask(keys.data, keys.task_name)
    return lookup.task(keys.task_name, keys.plugins if plugins is None else plugins)
