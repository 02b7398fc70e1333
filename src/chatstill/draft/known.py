"""Files of a built-in task, known by their names and their first rows."""

from itertools import islice
from pathlib import Path

from ..errors import Problem, UserError
from ..figures import names_text
from ..tasks import get_task, names
from ..tasks.base import Example, Split, Task
from ..tasks.files import normalise
from .layout import spread
from .table import Drafted

ENOUGH = 50


def draft_known(path: Path) -> Drafted | None:
    """The configuration's part for files of a built-in task; None for other data.

    Args:
        path: A folder of data, or the training file in it.

    Raises:
        UserError: the folder holds several tasks.
    """
    folder = path if path.is_dir() else path.parent
    found: list[tuple[bool, Task, list[Example]]] = []
    for name in names():
        task = get_task(name)
        file = task.find("train", folder)
        if file is None or (
            task.find("dev", folder) is None and task.fallback("dev", folder) is None
        ):
            continue
        if path.is_file() and file.resolve() != path.resolve():
            continue
        rows = _rows(task, file, "train")
        if rows and _rows(task, _dev(task, folder), "dev"):
            named = normalise(name) in {normalise(part) for part in file.parent.parts[-2:]}
            found.append((not named, task, rows))
    if not found:
        return None
    files = {str(task.find("train", folder)) for _, task, _ in found}
    if len(files) > 1:
        listed = ", ".join(sorted(task.name for _, task, _ in found))
        message = f"it holds the files of several tasks: {listed}."
        raise UserError(
            Problem(
                str(path), message, "Name the folder of one of them.", code="draft.several-tasks"
            )
        )
    _, task, rows = min(found, key=lambda one: one[0])
    file = task.find("train", folder)
    labels = names_text(task.labels.names, 50) or "a score"
    keys = [("task_name", task.name, labels), ("data_dir", str(folder), f"holds {file}")]
    counts = task.labels.positive
    told = f"; {counts!r} is the class that counts" if counts else ""
    seen = [f"data: {file}, the task {task.name} ({labels}){told}"]
    texts = [(row.text_a, row.text_b) for row in rows]
    unlabeled = ", ".join(map(str, task.transfer(file) if file else []))
    return Drafted(task.name, keys, task.labels.num_outputs, texts, seen, unlabeled)


def _dev(task: Task, folder: Path) -> Path:
    found = task.find("dev", folder)
    other = task.fallback("dev", folder)
    return found if found is not None else other[0] if other is not None else folder


def _rows(task: Task, file: Path, split: Split) -> list[Example]:
    """The first rows; none if they are not of this task."""
    try:
        rows = task.read(file, split, True)
        return spread(rows) if split == "train" else list(islice(rows, ENOUGH))
    except UserError:
        return []
