"""Runs of methods that listen to no teacher: what their file names in vain."""

from ..errors import Problem
from .rules import TEACHER
from .schema import RunKeys
from .source import Source


def without_teacher(keys: RunKeys, source: Source) -> tuple[RunKeys, list[Problem]]:
    """The keys without a teacher, and a warning where one is named all the same.

    A chain's file may name it for other links.
    """
    if keys.teacher_architectures is None:
        return keys, []
    keys = keys.model_copy(update={TEACHER: None})
    if TEACHER in source.of_the_file:
        return keys, []
    name = source.get(("model_type",)) or source.get(("configuration_file",))
    message = f"'{TEACHER}' has no effect: '{name}' listens to no teacher."
    return keys, [source.problem((TEACHER,), message, warning=True, code="teacher.without-effect")]
