"""What there is: tasks, methods and students, as tables on a terminal and as plain lines elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..figures import names_text
from .terminal import write

if TYPE_CHECKING:
    from rich.console import Console

    from ..tasks.base import Task

What = Literal["tasks", "methods", "students"]
Rows = list[tuple[str, ...]]
HEADS: dict[What, tuple[str, ...]] = {
    "tasks": ("task_name", "labels", "main metric", "training rows"),
    "methods": ("model_type", "also", "block", "what it does"),
    "students": ("model_type of student or teacher", "what it is"),
}


def show(console: "Console", kinds: Sequence[What], plugins: Sequence[str]) -> None:
    """Prints the tables.

    Raises:
        UserError: a plugin that can't be loaded.
    """
    makers = {"tasks": _tasks, "methods": _methods, "students": _students}
    for number, kind in enumerate(kinds):
        rows = makers[kind](plugins)
        if console.is_terminal:
            console.print(_table(kind, rows))
            continue
        if len(kinds) > 1:
            write(f"{'' if number == 0 else chr(10)}{kind}")
        write("\n".join("\t".join(row) for row in rows))


def _table(kind: What, rows: Rows) -> object:
    from rich.table import Table

    table = Table(title=kind, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, head in enumerate(HEADS[kind]):
        table.add_column(head, no_wrap=number == 0, overflow="fold", header_style="dim")
    for row in rows:
        table.add_row(*row)
    return table


def _tasks(plugins: Sequence[str]) -> Rows:
    from .. import lookup
    from ..config.jsonschema import task_names

    rows: Rows = [_task_row(lookup.task(name, plugins)) for name in task_names(plugins)]
    return [*rows, ("any other", "as its block says", "", 'the block "data": any file or data set')]


def _task_row(task: "Task") -> tuple[str, ...]:
    names = task.labels.names
    labels = names_text(names, 6) or ("none" if task.labels.kind == "none" else "a score")
    places = task.places("train", Path("data"))
    return task.name, labels, task.main_metric, str(places[0]) if places else "none"


def _methods(plugins: Sequence[str]) -> Rows:
    from .. import lookup

    files = lookup.method_files()
    carried = {file.method for file in files.values()}
    rows: Rows = []
    for name, file in sorted(files.items()):
        block = lookup.method(file.method, plugins).block
        rows.append((name, ", ".join(file.aliases), block, file.description))
    for module in lookup.method_names(plugins):
        if module not in carried:
            method = lookup.method(module, plugins)
            text = (method.__doc__ or "").strip().split("\n")[0]
            rows.append((module, "", method.block, text))
    return rows


def _students(plugins: Sequence[str]) -> Rows:
    from ..config.trainer_keys import architectures
    from ..models.networks import networks
    from ..registry.model_types import BUILT_IN, own_models

    of_plugins: Rows = [
        (name, f"{one.model.__name__} of {one.plugin}") for name, one in own_models(plugins).items()
    ]
    known = sorted(architectures())
    usual = [
        name for name in ("bert", "roberta", "electra", "distilbert", "llama") if name in known
    ]
    return [
        *BUILT_IN.items(),
        *((name, one.summary) for name, one in networks().items()),
        *of_plugins,
        (", ".join([*usual, "…"]), "a type of transformers that has a sequence classifier"),
    ]
