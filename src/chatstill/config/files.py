"""The files that a configuration names: there, readable and of the right kind. Nothing is created."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import lookup
from ..disk.run_names import CACHE, NETWORKS, is_taken
from ..errors import Problem, UserError
from .data_block import check_data_block
from .near import near_file
from .networks import PRETRAINED, STUDENT, TEACHER, check_network
from .rules import starts_pretrained
from .schema import RunKeys
from .source import Source
from .tokenizers import check_tokenizer
from .weights import kind_of


def check_files(
    keys: RunKeys,
    source: Source,
    *,
    verb: str,
    plugins: tuple[str, ...] = (),
    level: str = "task",
) -> list[Problem]:
    """All findings about files.

    Args:
        keys: The values; those at fault are left at their defaults.
        source: For places.
        verb: What is going to run: evaluating needs no teacher, teaching no student.
        plugins: Plugins that could be loaded.
        level: ``pretraining``: texts are read without their labels.
    """
    problems = []
    # The teacher is looked at on dev rows before anything starts, so even do_eval false needs them.
    if verb != "predict":
        problems += _data(keys, source, verb, plugins, level)
    if verb in ("distill", "check", "teach"):
        problems += [*_output(keys, source), *_cache(keys, source)]
        for block in (TEACHER, STUDENT, PRETRAINED) if verb != "teach" else (TEACHER,):
            network = getattr(keys, block)
            if network is not None:
                required = keys.do_train and (block != PRETRAINED or _starts_from_it(keys))
                problems += check_network(
                    network, source, block, required=required, plugins=plugins
                )
        problems += check_tokenizer(keys, source)
    return problems


def _starts_from_it(keys: RunKeys) -> bool:
    """Whether the student starts as the pre-trained model, by its key or because there is no teacher."""
    student = keys.student_architectures
    if keys.teacher_architectures is not None or student is None:
        return starts_pretrained(keys) or keys.teacher_architectures is None
    return student.model_name_or_path is None and student.copy_from != "none"


def _data(
    keys: RunKeys, source: Source, verb: str, plugins: tuple[str, ...], level: str
) -> list[Problem]:
    problems: list[Problem] = []
    splits = {"evaluate": [], "augment": ["train"]}.get(
        verb, ["train", "dev"] if keys.do_train else ["dev"]
    )
    if source.has(("data",)):
        texts_alone = level == "pretraining"
        return check_data_block(keys, source, splits, texts_alone=texts_alone)
    task = None
    if keys.task_name:
        try:
            task = lookup.task(keys.task_name, plugins)
        except UserError as error:
            for found in error.problems:
                if ".py" in found.place:  # in a task of the user's own
                    problems.append(found)
                    continue
                if _a_plugin_fails(source, plugins):
                    continue  # it is said, and the task may be in it
                message = f"'task_name': {found.message.rstrip('.')}."
                problems.append(
                    source.problem(("task_name",), message, found.hint, code=found.code)
                )
    folder = Path(keys.data_dir)
    path = ("data_dir",)
    finds_its_files = task is not None and task.reads_folders and not source.has(path)
    if kind_of(folder) != "folder" and not finds_its_files:
        return [*problems, _no_folder(keys.data_dir, source)]
    if task is None:
        return problems
    for split in splits:
        try:
            problems += _split(task, split, folder, source)
        except UserError as error:
            where = source.place(path).where
            problems += [replace(problem, place=where) for problem in error.problems]
    return problems


def check_corpus(keys: RunKeys, source: Source) -> list[Problem]:
    """The text of a method that learns from a corpus beside the rows of its task."""
    folder, task = Path(keys.data_dir), lookup.task("corpus", ())
    if kind_of(folder) != "folder":
        return [_no_folder(keys.data_dir, source)]
    return [found for split in ("train", "dev") for found in _split(task, split, folder, source)]


def _no_folder(name: str, source: Source) -> Problem:
    path = ("data_dir",)
    if kind_of(Path(name)):
        message = f"'data_dir': {name} is a file, not a folder."
        hint = f"Name the folder of the files: {Path(name).parent}, or the one that it lies in."
        return source.problem(path, message, hint, code="data.dir-is-a-file")
    message = f"'data_dir': the folder {name} does not exist."
    return source.problem(path, message, near_file(name), code="data.dir-missing")


def _a_plugin_fails(source: Source, plugins: tuple[str, ...]) -> bool:
    named = source.get(("plugins",))
    return isinstance(named, list) and len(plugins) < len(named)


def _split(task: Any, split: str, folder: Path, source: Source) -> list[Problem]:
    """The file of one split, or the one that stands in for it."""
    path = ("data_dir",)
    if task.find(split, folder) is not None:
        return []
    other = task.fallback(split, folder)
    if other is not None:
        return [
            Problem(str(other[0]), f"{other[1]}.", severity="warning", code="data.stand-in-file")
        ]
    tried = " and ".join(str(place) for place in task.places(split, folder))
    message = f"no {split} file for the task {task.name}: looked for {tried}."
    names = sorted(entry.name for entry in folder.iterdir())
    hint = f"{folder} holds: {', '.join(names[:8])}." if names else f"{folder} is empty."
    return [source.problem(path, message, hint, code="data.no-file-of-the-split")]


def _cache(keys: RunKeys, source: Source) -> list[Problem]:
    """``cache_dir`` is a folder, and none that a run replaces as a whole."""
    if not keys.cache_dir:
        return []
    cache, path = Path(keys.cache_dir), ("cache_dir",)
    if kind_of(cache) == "file":
        return [
            source.problem(
                path,
                f"'cache_dir': {cache} is a file.",
                "Name a folder.",
                code="cache.dir-is-a-file",
            )
        ]
    run = Path(os.path.abspath(keys.output_dir))
    for folder, extra in ((run, NETWORKS), *([(run.parent, ())] if source.link else [])):
        below = Path(os.path.abspath(cache))
        name = below.relative_to(folder).parts[:1] if below.is_relative_to(folder) else ()
        if name and name != (CACHE,) and (is_taken(name[0]) or name[0].casefold() in extra):
            message = f"'cache_dir': {name[0]} in {folder} is a name that the run itself writes to."
            hint = f"Leave it out (prepared data then lie in {CACHE}), or name another folder."
            return [source.problem(path, message, hint, code="cache.dir-of-the-run")]
    return []


def _output(keys: RunKeys, source: Source) -> list[Problem]:
    """``output_dir`` can be written or made."""
    if not keys.output_dir:
        return []
    folder, path = Path(keys.output_dir), ("output_dir",)
    if kind_of(folder) == "file":
        return [
            source.problem(
                path,
                f"'output_dir': {folder} is a file.",
                "Name a folder.",
                code="run.output-is-a-file",
            )
        ]
    if not keys.do_train and not kind_of(folder):
        message = (
            f"'do_train' is false, so the student in {folder} is evaluated, and there is none."
        )
        return [
            source.problem(
                path,
                message,
                'Set "do_train": true, or name the run\'s folder.',
                code="run.nothing-to-evaluate",
            )
        ]
    ancestor = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path())
    if kind_of(ancestor) != "folder":
        return [
            source.problem(
                path,
                f"'output_dir': {ancestor} is not a folder.",
                "Name another.",
                code="run.output-below-a-file",
            )
        ]
    if not os.access(ancestor, os.W_OK | os.X_OK):
        message = f"'output_dir': {ancestor} can't be written to."
        return [
            source.problem(
                path,
                message,
                "Name another folder, or change its permissions.",
                code="run.output-not-writable",
            )
        ]
    return []
