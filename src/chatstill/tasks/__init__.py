"""Tasks by name: what their files look like, what their labels mean, how predictions are scored."""

import difflib

from ..errors import Problem, UserError
from .base import Task
from .chat import ChatTask
from .corpus import CorpusTask
from .files import Found, locate, normalise
from .glue import TABLE
from .glue_task import GlueTask
from .mnli import MnliTask

__all__ = ["Found", "Task", "get_task", "known", "locate", "names"]

ALIASES = {"chatqa": "chat"}
_ALL: list[Task] = [ChatTask(), *(GlueTask(row) for row in TABLE), MnliTask()]
_LABELLED = {task.name: task for task in _ALL}
WITHOUT_LABELS = (CorpusTask.name,)
_TASKS = _LABELLED | {CorpusTask.name: CorpusTask()}


def names() -> list[str]:
    """Names of all tasks with labels."""
    return sorted(_LABELLED)


def every_name() -> list[str]:
    """Names of all tasks, those without labels behind."""
    return [*names(), *WITHOUT_LABELS]


def without_labels(name: str) -> bool:
    """Whether a name is that of a built-in task of texts without labels."""
    return normalise(name) in WITHOUT_LABELS


def known(name: str) -> bool:
    """Whether a name is that of a built-in task."""
    key = normalise(name)
    return ALIASES.get(key, key) in _TASKS


def get_task(name: str) -> Task:
    """The task of a name; case, hyphens and underscores don't count, ``ChatQA`` is ``chat``.

    Raises:
        UserError: no such task, with the nearest name.
    """
    key = normalise(name)
    key = ALIASES.get(key, key)
    if key in _TASKS:
        return _TASKS[key]
    near = difflib.get_close_matches(key, [*_TASKS, *ALIASES], n=1, cutoff=0.5)
    guess = f"Did you mean {ALIASES.get(near[0], near[0])!r}? " if near else ""
    message = f"there is no task {name!r}"
    raise UserError(
        Problem(
            "task_name",
            message,
            f"{guess}Known: {', '.join(every_name())}.",
            code="task.unknown",
        )
    )
