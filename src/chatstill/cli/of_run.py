"""What the run that made a network says of its task, its data and how it read its rows."""

import json
from collections.abc import Mapping
from pathlib import Path

from ..disk.json_file import known_object
from ..disk.run_files import last_link, resolved_values
from ..disk.run_names import RECORD
from ..errors import Problem, UserError

# What rows and figures mean: without these a network is judged by other figures than its run was.
OF_FIGURES = ("on_bad_row", "skip_unlabeled", "groups", "positive_label", "selection_metric")


def _folders_of_run(model: Path) -> list[Path]:
    """Where a network's run may have left its configuration: a chain's is that of its last link."""
    last = last_link(model)
    return [model, model.parent] if last is None else [last]


def of_run(model: Path, plugins: list[str] | None) -> dict[str, str]:
    """What the run that made a network says of its task and data; empty for other networks.

    Raises:
        UserError: it had plugins and none is named: they are code, which is not run unasked; a run that
            has not ended and left no configuration, such as a chain's.
    """
    for folder in _folders_of_run(model):
        values = resolved_values(folder)
        if not values.keys() >= {"plugins", "task_name", "data_dir"}:
            continue
        named = values["plugins"]
        plugins_of_run = [str(name) for name in named] if isinstance(named, list) else []
        known = {
            key: value for key in ("task_name", "data_dir") if isinstance(value := values[key], str)
        }
        if plugins_of_run and not plugins:
            message = (
                f"the run that made {model} had plugins of its own: {', '.join(plugins_of_run)}."
            )
            more = " ".join(f"--plugin {name}" for name in plugins_of_run)
            raise UserError(
                Problem(
                    "",
                    message,
                    f"Name them: {more}, or --config CONFIG.",
                    code="run.plugins-not-named",
                )
            )
        return known
    if _is_unfinished(model):
        message = f"{model} is the folder of a run that has not ended: it holds no network yet"
        hint = (
            "Start the run again with its configuration, name the folder of one of its links, or end it with "
            f"what it has: chatstill finish {model}"
        )
        raise UserError(Problem("", message, hint, code="run.not-ended"))
    return {}


def data_of_run(model: Path, known: Mapping[str, str]) -> str | None:
    """The folder that the run read its rows from; None for other networks.

    Raises:
        UserError: it is not there, as paths of a run count from where it was started.
    """
    folder = known.get("data_dir")
    if folder is not None and not Path(folder).exists():
        message = f"the run that made {model} read its rows from {folder}, which is not here"
        hint = "Name the folder of the rows: --data-dir FOLDER."
        raise UserError(Problem("", message, hint, code="run.data-not-here"))
    return folder


def _is_unfinished(folder: Path) -> bool:
    running = known_object(folder / RECORD).get("state") == "running"
    return running and not (folder / "config.json").is_file()


def block_of_run(model: Path) -> list[str]:
    """How the run that made a network read its rows, as overrides; empty for other networks."""
    for folder in _folders_of_run(model):
        values = resolved_values(folder)
        if not values:
            continue
        return [
            f"{key}={json.dumps(value)}"
            for key, value in values.items()
            if (key.startswith("data.") or key in OF_FIGURES) and value is not None
        ]
    return []
