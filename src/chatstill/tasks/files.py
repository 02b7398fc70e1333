"""Where the files of a task lie, and what to do when one is missing."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import Problem, UserError
from .base import Split, Task


def normalise(name: str) -> str:
    """A name as it is compared: case, hyphens, underscores and blanks don't count."""
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


@dataclass(frozen=True)
class Found:
    """The file of a split, with a warning if another split's file stands in for it."""

    path: Path
    warning: Problem | None = None


def locate(task: Task, split: Split, data_dir: Path) -> Found:
    """The file of a split, or the one that stands in for it.

    Raises:
        UserError: there is neither; names every place that was looked at.
    """
    path = task.find(split, data_dir)
    if path is not None:
        return Found(path)
    other = task.fallback(split, data_dir)
    if other is not None:
        path, message = other
        return Found(
            path, Problem(str(path), message, severity="warning", code="data.stand-in-file")
        )
    absent = task.absent(split)
    if absent is not None:
        raise UserError(absent)
    tried = " and ".join(str(place) for place in task.places(split, data_dir))
    if not tried:
        message = f"the task {task.name} has no {split} file: it is for networks of another task"
        hint = "Name the task that the network was made on."
        raise UserError(Problem("task_name", message, hint, code="task.no-such-split"))
    message = f"no {split} file for the task {task.name}: looked for {tried}"
    hint = _what_is_there(data_dir)
    raise UserError(Problem("data_dir", message, hint, code="data.no-file-of-the-split"))


def parts(task: Task, path: Path, split: Split, labelled: bool = True) -> list[Path]:
    """All files that ``task.read(path, split, labelled)`` reads; most tasks read just the one."""
    files = task.parts(path, split)
    return files if labelled or split != "train" else [*files, *task.transfer(path)]


def listed(task: Task, split: Split, data_dir: Path, labelled: bool = True) -> str:
    """The files of a split, for the plan."""
    path = locate(task, split, data_dir).path
    return " and ".join(str(part) for part in parts(task, path, split, labelled))


def task_folder(data_dir: Path, names: tuple[str, ...], files: tuple[str, ...]) -> Path | None:
    """The one folder that all files of a task are taken from.

    A folder inside ``data_dir`` named like the task (case, hyphens and underscores don't count; the
    first of ``names`` is preferred) if it holds any of ``files``, else ``data_dir`` itself if it
    does, else None.
    """
    for folder in (*_named_folders(data_dir, names), data_dir):
        if any((folder / file).is_file() for file in files):
            return folder
    return None


def _named_folders(data_dir: Path, names: tuple[str, ...]) -> list[Path]:
    wanted = [normalise(name) for name in names]
    try:
        folders = [entry for entry in data_dir.iterdir() if normalise(entry.name) in wanted]
    except OSError:
        return []
    exact = {name: number for number, name in enumerate(names)}
    folders.sort(key=lambda entry: (exact.get(entry.name, len(names)), entry.name))
    return [entry for entry in folders if entry.is_dir()]


def _what_is_there(data_dir: Path) -> str:
    try:
        names = sorted(entry.name for entry in data_dir.iterdir())
    except OSError as error:
        return f"{data_dir} can't be read: {error.strerror or error}"
    if not names:
        return f"{data_dir} is empty."
    return f"{data_dir} holds: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
