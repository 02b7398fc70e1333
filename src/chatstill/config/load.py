"""JSON file and ``--set`` arguments -> a checked configuration, or every problem at once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Problem, UserError
from .alone import without_teacher
from .augmented import check_augmentation, check_augmented
from .compat import legacy
from .compat.placeholders import clear_placeholders
from .files import check_corpus, check_files
from .level import level_as_written, level_of_folder, level_problems
from .methods import choose_method, read_blocks
from .networks import with_start_files
from .places import KeyPath, in_file_order
from .resolved import resolve
from .rules import TEACHERS, TRAINING, consistency, missing
from .schema import RunConfig, RunKeys
from .source import Source, read_source
from .task import task_of
from .trainer_keys import check_training_arguments, owned_at_the_top, passed_through
from .validate import validate

if TYPE_CHECKING:
    from ..methods.base import Method

VERBS = ("distill", "teach", "check", "evaluate", "predict", "augment")
_PATHS: tuple[KeyPath, ...] = (
    *((key,) for key in ("data_dir", "output_dir", "cache_dir", "tokenizer_name_or_path")),
    *(
        (block, key)
        for block in ("teacher_architectures", "student_architectures", "pretrained_architectures")
        for key in ("model_name_or_path", "config_file", "tokenizer_name_or_path")
    ),
    *(("augmentation", key) for key in ("model_name_or_path", "word_vectors")),
    *(("data", key) for key in ("train", "dev", "test", "unlabeled", "dataset", "labels")),
)


@dataclass(frozen=True)
class Loaded:
    """A configuration that passed the first report.

    Attributes:
        config: The run.
        values: Dotted key -> ``{"value": …, "origin": …}`` for every value, as JSON has it.
        trains: The method; None for verbs that train nothing.
        arguments: The command line that loads the same again: ``["distill", "my.json", …]``.
        warnings: What the user should know; the run goes on.
        raw: The values as they were read, old names and placeholders gone.
        verb: What it was loaded for; ``check`` of a file without ``model_type`` becomes ``teach``.
        name: The file as the user named it.
        idle: Its blocks, and keys, of methods that do not run: they have no effect.
    """

    config: RunConfig
    values: dict[str, dict[str, Any]]
    trains: "type[Method] | None" = None
    arguments: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    verb: str = "distill"
    name: str = ""
    idle: tuple[str, ...] = ()

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key -> ``my.json:12``, ``--set``, ``config/models_config/X.json`` or ``default``."""
        return {key: value["origin"] for key, value in self.values.items()}

    @property
    def method_class(self) -> "type[Method]":
        """The method of a verb that trains."""
        assert self.trains is not None, f"'{self.verb}' trains nothing"
        return self.trains

    @property
    def level(self) -> str:
        """``task`` or ``pretraining``; a verb that trains nothing is of a task."""
        if self.trains is None:
            return "task"
        return self.trains.level_of(self.config.method or self.trains.Config())

    def resolved(self) -> dict[str, dict[str, Any]]:
        """The whole configuration with each value's origin, for the record of a run.

        A knob of the method that was left out, and is not without effect then, has the value that counts.
        """
        if self.trains is None or self.config.method is None:
            return self.values
        counting = {
            f"{self.trains.block}.{key}": value
            for key, value in self.config.method.deciding().items()
        }
        return {
            key: {**entry, "value": counting.get(key)} if entry["value"] is None else entry
            for key, entry in self.values.items()
        }


def load(
    path: Path | None, overrides: Sequence[str], *, verb: str, model: Path | None = None
) -> Loaded:
    """Reads and checks a configuration: schema and files; torch is not imported, nothing is created.

    Args:
        path: The JSON file; None for a run that is described by ``overrides`` alone.
        overrides: ``key=value``, dots for nesting.
        verb: One of ``VERBS``; it decides what has to be there.
        model: Folder of the network that is looked at, for verbs that train nothing: a masked language model
            reads rows for their texts alone.

    Raises:
        UserError: With all problems, warnings among them, in the order of the file.
    """
    assert verb in VERBS, verb
    source, problems, complete = read_source(path, overrides)
    if not complete:
        raise UserError(sort_problems(problems))
    sets = [word for override in overrides for word in ("--set", override)]
    arguments = [verb, *([str(path)] if path else []), *sets]
    level = "task" if model is None else level_of_folder(model)
    return load_source(source, problems, arguments, verb=verb, level=level)


def load_source(
    source: Source,
    problems: list[Problem],
    arguments: list[str],
    *,
    verb: str,
    level: str = "task",
) -> Loaded:
    """Checks values that were read; ``load`` is this after reading.

    Raises:
        UserError: With all problems, ``problems`` among them.
    """
    problems = problems + legacy.translate(source)
    unfilled = clear_placeholders(source)
    _expand_home(source)
    if verb == "check" and not {"model_type", "configuration_file"} & source.values.keys():
        verb = "teach" if ("model_type",) not in unfilled else verb
        problems += _checked_as_teach(source) if verb == "teach" else []

    plugins, found = _plugins(source)
    problems += found
    choice, found = choose_method(source, unfilled, verb=verb, plugins=plugins)
    problems += found
    blocks = read_blocks(source, choice, plugins, verb=verb)
    problems += blocks.problems
    problems += check_training_arguments(source)
    problems += owned_at_the_top(source)

    keys, found, faulty = _keys(source, blocks.known, blocks.homes)
    problems += found
    if verb not in TRAINING or not keys.do_train:  # rows are looked at as they are
        keys = keys.model_copy(update={"use_augmented": False})
    trained = choice.level_of(blocks.config)
    level = trained or level_as_written(source, keys, choice.method, level)
    if verb in ("distill", "check"):
        keys, found = with_start_files(keys, source)
        problems += found
    needs_teacher = verb == "teach" or choice.method is None or choice.method.needs_teacher
    if not needs_teacher and level == "task" and choice.method is not None:
        keys, found = without_teacher(keys, source)
        problems += found
    teacher = TEACHERS[level] if needs_teacher else None
    problems += missing(keys, source, unfilled, faulty, verb=verb, teacher=teacher)
    draws = choice.draws_tokens(blocks.config)
    problems += level_problems(
        keys,
        source,
        trained,
        plugins,
        has_teacher=needs_teacher,
        draws=draws,
        of_words=choice.method is not None and choice.method.reads_words,
    )
    problems += consistency(keys, source, verb=verb)
    problems += check_files(keys, source, verb=verb, plugins=plugins, level=level)
    if verb == "augment":
        problems += check_augmentation(keys, source)
    if keys.use_augmented and level == "task" and not any(p.severity == "error" for p in problems):
        problems += check_augmented(keys, source, plugins)
    if "corpus" in choice.data_of(blocks.config):
        problems += check_corpus(keys, source)
    problems = sort_problems(problems, source.name)
    if any(problem.severity == "error" for problem in problems):
        raise UserError(problems)
    names = {"model_type": choice.model_type, "method_name": choice.method_name, "level": level}
    if keys.task_name or keys.data is not None:
        names["task_name"] = task_of(keys, plugins, level).name
    config = _run_config(keys, names | {"method": blocks.config})
    return Loaded(
        config,
        resolve(config, blocks.name, source),
        choice.method,
        arguments,
        problems,
        source.values,
        verb,
        source.name,
        tuple(blocks.idle),
    )


def _run_config(keys: RunKeys, more: Mapping[str, Any]) -> RunConfig:
    """What was asked for stays known (``model_fields_set``): a default that is written down can matter."""
    return RunConfig.model_construct({*keys.model_fields_set, *more}, **dict(keys) | dict(more))


def _checked_as_teach(source: Source) -> list[Problem]:
    message = "no 'model_type' is set, so this is checked as `chatstill teach` would run it."
    return [Problem(source.name, message, severity="warning", code="config.checked-as-teach")]


def _plugins(source: Source) -> tuple[tuple[str, ...], list[Problem]]:
    """Plugins that could be loaded, and what is wrong with the others."""
    from ..tasks.own import plugin_tasks

    names = source.get(("plugins",))
    good, problems = [], []
    for number, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str):
            path = ("plugins", number)
            try:
                plugin_tasks(name)
                good.append(name)
            except UserError as error:
                named = f"Named in {source.place(path).where}."
                problems += [
                    replace(p, hint=f"{p.hint} {named}".strip())
                    if p.place
                    else source.problem(path, p.message, code=p.code)
                    for p in error.problems
                ]
    return tuple(good), problems


def _expand_home(source: Source) -> None:
    """``~`` in paths as the home folder."""
    for path in _PATHS:
        value = source.get(path)
        if isinstance(value, str) and value.startswith("~"):
            source.put(path, os.path.expanduser(value), source.place(path))


def _keys(
    source: Source, blocks: set[str], homes: Mapping[str, Sequence[str]]
) -> tuple[RunKeys, list[Problem], set[KeyPath]]:
    """The top level without the methods' blocks; values at fault are left at their defaults."""
    values = {key: value for key, value in source.values.items() if key not in blocks}
    known = dict(homes) | {
        key: ["in training_arguments"] for key in passed_through() - homes.keys()
    }
    keys, problems, faulty = validate(RunKeys, values, source, homes=known)
    if keys is None:
        keys, _, _ = validate(RunKeys, _without(values, faulty), source)
    return keys if isinstance(keys, RunKeys) else RunKeys(), problems, faulty


def _without(values: Any, faulty: set[KeyPath]) -> Any:
    if not isinstance(values, dict):
        return values
    kept = {}
    for key, value in values.items():
        below = {path[1:] for path in faulty if path[:1] == (key,)}
        if () not in below:
            kept[key] = _without(value, below) if below and isinstance(value, dict) else value
            if below and not isinstance(value, dict):
                del kept[key]
    return kept


def sort_problems(problems: Sequence[Problem], name: str = "") -> list[Problem]:
    """Errors before warnings, each once, in the order of the file; those of other files behind.

    Args:
        problems: Of one configuration.
        name: Its file, as places name it.
    """
    unique = list(dict.fromkeys(problems))

    def key(problem: Problem) -> tuple[bool, bool, tuple[float, float]]:
        place = in_file_order(problem.place)
        elsewhere = place[0] != float("inf") and not problem.place.startswith(name)
        return problem.severity != "error", elsewhere, place

    return sorted(unique, key=key)
