"""GLUE results of several networks together: the overall score, and the zip for GLUE's server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.json_file import read_object
from ..errors import Problem, UserError
from ..tasks import get_task
from ..tasks.glue_score import DIAGNOSTIC, PARTS, glue_score, task_score
from ..tasks.glue_submission import (
    TASKS,
    check_target,
    find_test_sets,
    prediction_lines,
    write_submission,
)

if TYPE_CHECKING:
    from ..config.schema import RunConfig


def score_lines(folders: Sequence[Path]) -> list[str]:
    """A line for every task, and the overall score.

    Args:
        folders: Run folders, or what ``chatstill evaluate --output`` wrote: each with a
            ``metrics.json`` of another task.

    Raises:
        UserError: every folder without such a file, and tasks that are named twice.
    """
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    problems = []
    for folder in folders:
        try:
            task, metrics = _read_metrics(folder)
        except UserError as error:
            problems += error.problems
            continue
        if task in found:
            message = f"holds results of {task}, as {found[task][0]} does"
            problems.append(
                Problem(
                    str(folder),
                    message,
                    "Name one folder for each task.",
                    code="glue.two-results-of-a-task",
                )
            )
        found.setdefault(task, (folder, metrics))
    if problems:
        raise UserError(problems)
    values = {task: metrics for task, (_, metrics) in found.items()}
    result = glue_score(values)
    lines = [_line(task, values[task]) for task in (*PARTS, *DIAGNOSTIC) if task in values]
    if result.overall is not None:
        return [*lines, f"GLUE  {100 * result.overall:>6.1f}  mean over {len(PARTS)} tasks"]
    lines.append(f"no overall score: missing {', '.join(result.missing)}")
    if result.mean is not None:
        lines.append(f"mean of the {len(result.tasks)} tasks above: {100 * result.mean:.1f}")
    return lines


def _line(task: str, metrics: Mapping[str, float]) -> str:
    names = (PARTS | DIAGNOSTIC)[task]
    parts = ", ".join(f"{n} {100 * metrics[n]:.1f}" for n in names if n in metrics)
    value = f"{100 * task_score(task, metrics):.1f}" if all(n in metrics for n in names) else "-"
    note = "  (not in the score)" if task in DIAGNOSTIC else ""
    return f"{task:<6}{value:>6}  {parts}{note}"


def _read_metrics(folder: Path) -> tuple[str, dict[str, Any]]:
    path = folder / "metrics.json"
    try:
        found = read_object(path)
        task, split = found["task"], found.get("split", "dev")
        metrics = {name: float(value) for name, value in found["dev"]["metrics"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        hint = "Name run folders, or folders that `chatstill evaluate … --output` wrote."
        raise UserError(
            Problem(str(folder), "holds no metrics.json of chatstill", hint, code="glue.no-metrics")
        ) from None
    if split == "train":
        message = "holds figures of the training rows, which are no result"
        hint = "Score others: chatstill evaluate … --split dev --output FOLDER."
        raise UserError(Problem(str(folder), message, hint, code="glue.figures-of-training-rows"))
    if task not in PARTS and task not in DIAGNOSTIC:
        raise UserError(
            Problem(str(folder), f"{task} is no task of GLUE", code="glue.no-task-of-glue")
        )
    return task, metrics


def named_models(
    arguments: Sequence[str], task_of: Callable[[Path], str | None]
) -> dict[str, Path]:
    """Folders by task.

    Args:
        arguments: ``TASK=FOLDER``, or the folder of a run, which knows its task.
        task_of: The task of the run that made a network, None if it is not known.

    Raises:
        UserError: everything that is wrong, at once.
    """
    found: dict[str, Path] = {}
    problems = []
    for text in arguments:
        name, sign, path = ("", "", "") if Path(text).is_dir() else text.partition("=")
        folder = Path(path if sign else text)
        task = name if sign else task_of(folder)
        if not folder.is_dir():
            problems.append(
                Problem(text, f"there is no folder {folder}", code="glue.no-such-folder")
            )
            continue
        if task is None:
            hint = f"Write the task before it: rte={text}"
            problems.append(
                Problem(
                    text,
                    "does not say for which task it was trained",
                    hint,
                    code="glue.task-not-told",
                )
            )
            continue
        try:
            task = get_task(task).name
        except UserError as error:
            problems += [replace(problem, place=text) for problem in error.problems]
            continue
        if task not in TASKS:
            message = f"GLUE takes no network for {task}"
            hint = f"One for each of {', '.join(TASKS)}; AX is predicted by the one for mnli."
            problems.append(Problem(text, message, hint, code="glue.no-network-wanted"))
        elif task in found:
            problems.append(
                Problem(
                    text, f"is for {task}, as {found[task]} is", code="glue.two-networks-of-a-task"
                )
            )
        found.setdefault(task, folder)
    if problems:
        raise UserError(problems)
    return found


def configured(models: Mapping[str, Path]) -> list[str]:
    """Tasks whose rows the networks predict: that of MNLI reads AX too."""
    return [*models, *(["ax"] if "mnli" in models else [])]


def submit(
    models: Mapping[str, Path],
    data_dir: Path,
    target: Path,
    *,
    configs: Mapping[str, RunConfig],
    incomplete: bool = False,
    say: Callable[[str], None],
) -> list[Problem]:
    """Predicts GLUE's test sets and writes the zip; returns warnings.

    Args:
        models: Run or model folders by task.
        data_dir: GLUE's folder.
        target: The zip.
        configs: Batch size, lengths and the like, for every task of ``configured(models)``.
        incomplete: Whether a zip without some tasks is wanted.
        say: Called with a line for each file.

    Raises:
        UserError: a task without a network, a missing or broken test file, a model that does not
            fit its task, a target that must not be replaced. Nothing is written then.
    """
    missing = [task for task in TASKS if task not in models]
    problems = (
        []
        if incomplete
        else [
            Problem(
                "MODELS",
                f"no network for {task}",
                f"Add {task}=FOLDER, or give --incomplete.",
                code="glue.no-network-of-a-task",
            )
            for task in missing
        ]
    )
    if any(config.on_bad_row == "skip" for config in configs.values()):
        message = "GLUE's server wants an answer for every row"
        problems.append(
            Problem("on_bad_row", message, "Leave the key out.", code="glue.skips-rows")
        )
    problems += check_target(target)
    try:
        test_sets, warnings = find_test_sets(models, data_dir)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(problems)
    if missing:
        message = f"without {', '.join(missing)}: GLUE's server wants every file"
        warnings.append(Problem(str(target), message, severity="warning", code="glue.incomplete"))
    from ..evaluate.score_file import scores_of
    from ..models.save import kept_folder

    files: dict[str, list[str]] = {}
    for test_set in test_sets:
        name = test_set.file.model_task
        folder = kept_folder(models[name]) or models[name]
        scored = scores_of(folder, configs[test_set.file.task], test_set.path, "test", False)
        files[test_set.file.name] = prediction_lines(test_set, scored.scores)
        warnings += [warning for warning in scored.warnings if warning not in warnings]
        say(f"{test_set.file.name}: {len(scored.scores):,} rows of {test_set.path}, {folder}")
    write_submission(target, files)
    say(f"submission: {target}")
    return warnings
