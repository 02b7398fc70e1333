"""The block ``data`` of a configuration: its faults and those of its files' headers, with their places."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import Problem
from ..tasks import known, without_labels
from ..tasks.tabular_block import Finding
from ..tasks.tabular_check import check_block
from ..tasks.tabular_files import files_of, split_path
from ..tasks.tabular_keys import DataKeys
from ..tasks.texts import plain_text
from .near import near_file
from .schema import RunKeys
from .source import Source

OF_LABELS = ("label", "labels", "group", "kind")  # keys that are not read where texts alone are


def check_data_block(
    keys: RunKeys, source: Source, splits: Sequence[str], *, texts_alone: bool = False
) -> list[Problem]:
    """All findings about the block, and about keys that mean nothing beside it.

    Args:
        keys: The values; those at fault are left at their defaults.
        source: For places.
        splits: Those that the run reads.
        texts_alone: Whether labels are not read.
    """
    problems = []
    corpus = texts_alone and without_labels(keys.task_name)
    if keys.task_name and known(keys.task_name) and not corpus:
        message = (
            f"'task_name': {keys.task_name} reads its own files, and the block 'data' names others."
        )
        hint = "Leave out one of the two; beside 'data', task_name is a name of your own."
        problems.append(source.problem(("task_name",), message, hint, code="data.task-and-block"))
    of_hub = keys.data is not None and keys.data.dataset is not None
    if source.has(("data_dir",)) and not of_hub:  # augmented rows of a data set lie there
        message = "'data_dir' has no effect: the block 'data' names the files themselves."
        problems.append(
            source.problem(
                ("data_dir",), message, warning=True, code="config.data-dir-without-effect"
            )
        )
    if keys.data is None:
        return problems
    for found in _findings(keys.data, splits, texts_alone):
        path = ("data", found.key)
        place = path if source.has(path) else ("data",)
        name = str(getattr(keys.data, found.key) or "")
        hint = _near(keys.data, name) if found.code == "data.file-missing" else found.hint
        message = f"'data.{found.key}': {found.message}"
        problems.append(
            source.problem(place, message, hint, code=found.code, warning=found.warning)
        )
    return problems


def _near(keys: DataKeys, name: str) -> str:
    """What may be meant by a file that is not there: never one that the block names itself."""
    hint = near_file(name)
    named = [str(path) for path in (keys.train, keys.dev, keys.test) if path]
    if any(hint == f"Did you mean {path}?" for path in named):
        return f"Paths count from the working directory, {Path.cwd()}."
    return hint


def _findings(keys: DataKeys, splits: Sequence[str], texts_alone: bool) -> list[Finding]:
    if not texts_alone:
        return check_block(keys, splits)
    if plain_text(keys):
        return [found for split in splits for found in _file(keys, split)]
    return [f for f in check_block(keys.without_labels(), splits) if f.key not in OF_LABELS]


def _file(keys: DataKeys, split: str) -> list[Finding]:
    """The files of plain text of a split: there, and of dev others than of train."""
    path = split_path(keys, split)
    if path is None:
        hint = f'Name the file: "{split}": "path/to/{split}.txt".'
        missing = Finding(split, "is missing.", hint, code="data.split-not-named")
        return [missing] if split == "train" else []  # dev is held out
    files = files_of(path)
    if not files:
        return [Finding(split, f"{path} does not exist.", code="data.file-missing")]
    train = keys.split("train")
    both = set(files) & set(files_of(Path(train))) if split != "train" and train else set()
    if not both:
        return []
    message = f"{min(both)} is a file of 'train' too."
    hint = "Name other files, or leave 'dev' out: the last 1 % of the documents is held out then."
    return [Finding(split, message, hint, code="data.dev-is-train")]
