"""The tasks of a user's own file, by name."""

from collections.abc import Callable
from functools import cache, partial

from ..errors import UserError
from ..registry.plugins import load_plugin
from .base import Task
from .defaults import with_defaults
from .processor import ProcessorTask, is_processor, task_faults


def plugin_tasks(plugin: str) -> dict[str, Callable[[], Task]]:
    """The tasks of a plugin by name, each made when it is called for.

    An object called ``task`` is one, and so is every class that gives examples and labels, but the
    bases of others.

    Raises:
        UserError: If the plugin fails, or a class lacks its name or a method.
    """
    module = load_plugin(plugin)
    found: dict[str, Callable[[], Task]] = {}
    name = getattr(getattr(module, "task", None), "name", None)
    if isinstance(name, str):
        found[name] = partial(_completed, plugin)
    classes = [
        value
        for value in vars(module).values()
        if is_processor(value) and value.__module__ == module.__name__
    ]
    classes = [one for one in classes if not any(one in other.__mro__[1:] for other in classes)]
    problems = [fault for one in classes for fault in task_faults(plugin, one)]
    if problems:
        raise UserError(problems)
    return found | {one.task_name: partial(_made, one, plugin) for one in classes}


@cache
def _completed(plugin: str) -> Task:
    return with_defaults(load_plugin(plugin).task)


@cache
def _made(cls: type, plugin: str) -> Task:
    """Made once: it remembers what its examples were."""
    return ProcessorTask(cls, plugin)
