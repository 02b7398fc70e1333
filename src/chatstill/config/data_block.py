"""The block ``data`` of a configuration: its faults and those of its files' headers, with their places."""

from collections.abc import Sequence

from ..errors import Problem
from ..tasks import known
from ..tasks.tabular_check import check_block
from .near import near_file
from .schema import RunKeys
from .source import Source


def check_data_block(keys: RunKeys, source: Source, splits: Sequence[str]) -> list[Problem]:
    """All findings about the block, and about keys that mean nothing beside it.

    Args:
        keys: The values; those at fault are left at their defaults.
        source: For places.
        splits: Those that the run reads.
    """
    problems = []
    if keys.task_name and known(keys.task_name):
        message = (
            f"'task_name': {keys.task_name} reads its own files, and the block 'data' names others."
        )
        hint = "Leave out one of the two; beside 'data', task_name is a name of your own."
        problems.append(source.problem(("task_name",), message, hint, code="data.task-and-block"))
    if source.has(("data_dir",)):
        message = "'data_dir' has no effect: the block 'data' names the files themselves."
        problems.append(
            source.problem(
                ("data_dir",), message, warning=True, code="config.data-dir-without-effect"
            )
        )
    if keys.data is None:
        return problems
    for found in check_block(keys.data, splits):
        path = ("data", found.key)
        place = path if source.has(path) else ("data",)
        name = str(getattr(keys.data, found.key) or "")
        hint = near_file(name) if found.code == "data.file-missing" else found.hint
        message = f"'data.{found.key}': {found.message}"
        problems.append(
            source.problem(place, message, hint, code=found.code, warning=found.warning)
        )
    return problems
