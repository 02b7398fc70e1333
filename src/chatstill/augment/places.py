"""Where augmented rows lie: beside a training file, below the folder of a pattern, or in ``data_dir``."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from ..errors import Problem, UserError
from ..tasks.base import Task
from ..tasks.tabular import TabularTask
from ..tasks.tabular_files import AUGMENTED

DOUBLE_ENDING = ".data.txt"
# ``*`` and ``**`` of a pattern pass hidden names over, so it never reads these rows as originals.
HIDDEN = ".augmented"


def augmented_file(train: Path) -> Path:
    """The file of the augmented rows beside a training file, or in the folder of a task in Python."""
    if train.is_dir():
        return train / f"train{AUGMENTED}.jsonl"
    stem, ending = _parts(train)
    return train.with_name(f"{stem}{AUGMENTED}{'.jsonl' if ending == '.json' else ending}")


def record_file(train: Path) -> Path:
    """Its record, ``train_aug.json``."""
    return (
        train / f"train{AUGMENTED}.json"
        if train.is_dir()
        else train.with_name(f"{_parts(train)[0]}{AUGMENTED}.json")
    )


def _parts(train: Path) -> tuple[str, str]:
    ending = DOUBLE_ENDING if train.name.endswith(DOUBLE_ENDING) else train.suffix
    return train.name.removesuffix(ending), ending


def beside(task: Task, train: Path, data_dir: Path) -> Path:
    """The path that stands for the training rows: their own, or a made-up one where many files hold them.

    Args:
        task: The task.
        train: What ``task.find`` gives.
        data_dir: Takes the rows of a data set of the hub, as those of a task in Python.
    """
    keys = task.keys if isinstance(task, TabularTask) else None
    if keys is not None and keys.dataset is not None:
        return data_dir / folder_of_data_set(str(keys.dataset), keys.subset) / "train.jsonl"
    if not is_pattern(task, train):
        return train
    folder, rest = cut_pattern(train)
    stem = _plain("/".join(rest).removesuffix(train.suffix)) or "train"
    ending = next((file.suffix for file in task.parts(train, "train")), train.suffix)
    return folder / HIDDEN / f"{stem}{ending}"


def require_apart(task: Task, output: Path) -> None:
    """No data set of the disk would read the rows as its own.

    Raises:
        UserError: they would lie in its folder.
    """
    name = task.keys.dataset if isinstance(task, TabularTask) else None
    if name is None or not Path(name).is_dir():
        return
    if output.resolve().is_relative_to(Path(name).resolve()):
        message = (
            f"the rows would lie in the folder of the data set, {name}, which would read them too"
        )
        hint = 'Name a folder beside it: "data_dir": "augmented".'
        raise UserError(Problem("data_dir", message, hint, code="augment.in-the-data-set"))


def is_pattern(task: Task, train: Path) -> bool:
    """Whether the training rows of a ``data`` block are those of all files of a pattern."""
    block = isinstance(task, TabularTask) and task.keys.dataset is None
    return block and not train.is_file()


def cut_pattern(train: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder below which all files of a pattern lie, and the parts of the pattern behind it."""
    parts = train.parts
    at = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:at]), parts[at:]


def folder_of_data_set(name: str, subset: str | None) -> str:
    """The name of a folder for a data set of the hub; a folder's own name for one on the disk."""
    base = Path(name).resolve().name if Path(name).is_dir() else name
    return _plain(f"{base}/{subset}" if subset else base)


def _plain(text: str) -> str:
    """Letters, digits and signs that any file system takes."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.")
