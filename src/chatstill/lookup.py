"""A name in a configuration -> the file that carries it. The directories are the registry.

``chatstill/methods`` holds the methods, ``config/models_config`` one JSON file per ``model_type``, a
folder of the same name in the working directory goes first, and plugins add to both from outside.
"""

import importlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import Problem, UserError
from .registry.method_file import KNOWN, MethodFile, key_problems, read_block
from .registry.names import plain, unknown
from .registry.plugins import load_plugin

if TYPE_CHECKING:
    from .methods.base import Method
    from .tasks.base import Task

FOLDER = Path("config") / "models_config"
TERMS = "matches"  # the method of files that only name terms
_PACKAGE = Path(__file__).resolve().parent


def builtin_folder() -> Path:
    """The shipped ``models_config``: in an installed wheel inside the package, in a clone at the root."""
    installed = _PACKAGE / "_config" / "models_config"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / FOLDER


def method_files(user_folder: Path | None = None) -> dict[str, MethodFile]:
    """All method files by their ``model_type``, the user's first: a name leads to the first that has it.

    Args:
        user_folder: Default: ``config/models_config`` of the working directory.

    Raises:
        UserError: For files that can't be read and for names that two files of one folder claim.
    """
    user = user_folder or FOLDER
    builtin = builtin_folder()
    found = _index(builtin, {})
    if user.is_dir() and user.resolve() != builtin.resolve():
        users = _index(user, found)
        taken = {plain(name) for name in users}
        found = users | {name: file for name, file in found.items() if plain(name) not in taken}
    return found


def read_method_file(
    path: Path, label: str | None = None, model_type: str | None = None
) -> MethodFile:
    """One method file. Knobs of its method may stand at its top: they become defaults of its block.

    Args:
        path: Where it lies.
        label: How it is called in messages.
        model_type: Its name, where the file itself has none.

    Raises:
        UserError: If it is no JSON object, lacks ``model_type`` or ``method``, or has unknown keys.
    """
    name = label or str(path)
    values = read_block(path, name)
    if model_type is not None:
        values.setdefault("model_type", model_type)
    knobs = _take_knobs(values, KNOWN)
    if problems := key_problems(values, name, knobs):
        raise UserError(problems)
    aliases = tuple(str(alias) for alias in values.pop("aliases", ()))
    return MethodFile(path=path, label=name, aliases=aliases, **values)


def _take_knobs(values: dict[str, Any], known: Mapping[str, type]) -> list[str]:
    """Moves knobs at the top of a method file into ``defaults``; a file of terms needs no ``method``.

    Returns:
        All knobs of its method, for near matches.
    """
    carrier = values.get("method", TERMS)
    if not isinstance(carrier, str) or plain(carrier) not in map(plain, method_names()):
        return []  # a plugin's method, or none: its knobs stand in defaults
    carried = method(carrier)
    fields = [name for name in carried.Config.model_fields if name != "note"]
    found = {key: values.pop(key) for key in list(values) if key in fields and key not in known}
    defaults = values.setdefault("defaults", {}) if found else values.get("defaults")
    if found and isinstance(defaults, dict):
        values.setdefault("method", carrier)
        defaults[carried.block] = found | defaults.get(carried.block, {})
    return fields


def find_method_file(
    model_type: str | None, configuration_file: str | None, modules: Sequence[str]
) -> MethodFile:
    """The method that a configuration asks for.

    Args:
        model_type: Its name; case, hyphens and underscores do not count.
        configuration_file: A user's own method file: a path, or a bare name in ``FOLDER``.
        modules: Names of method modules, which are also known by themselves.

    Raises:
        UserError: If there is none of that name, or the two arguments disagree.
    """
    if configuration_file is not None:
        named = read_method_file(_user_file(configuration_file), model_type=model_type)
        names = {plain(name) for name in (named.model_type, *named.aliases)}
        if model_type is not None and plain(model_type) not in names:
            message = (
                f"its model_type is '{named.model_type}', the configuration says '{model_type}'."
            )
            raise UserError(
                Problem(
                    str(named.path),
                    message,
                    "Make them agree, or leave one out.",
                    code="method.file-of-another-type",
                )
            )
        return named
    files = method_files()
    wanted = plain(model_type or "")
    for file in files.values():
        if wanted in {plain(name) for name in (file.model_type, *file.aliases)}:
            return file
    for module in modules:
        if wanted == plain(module):
            return MethodFile(Path(), "", model_type=module, method=module)
    names_known = [*files, *(m for m in modules if m not in {f.method for f in files.values()})]
    pairs = [f"{alias}={file.model_type}" for file in files.values() for alias in file.aliases]
    raise UserError(
        Problem("", unknown("method", model_type or "", names_known, pairs), code="method.unknown")
    )


def method_names(plugins: Sequence[str] = ()) -> list[str]:
    """Modules that carry a method: every file of ``chatstill/methods`` but the contract, and plugins."""
    folder = _PACKAGE / "methods"
    built_in = _modules_in(folder, folder.stat().st_mtime_ns)
    of_plugins = [Path(plugin).stem for plugin in plugins if _method_in(load_plugin(plugin))]
    return [*built_in, *of_plugins]


@lru_cache(maxsize=1)
def _modules_in(folder: Path, changed: int) -> tuple[str, ...]:
    """Listed once, and again after the folder has changed."""
    names = (file.stem for file in sorted(folder.glob("*.py")))
    return tuple(name for name in names if name != "base" and not name.startswith("_"))


def method(name: str, plugins: Sequence[str] = ()) -> "type[Method]":
    """The method that a module of ``chatstill/methods``, or a plugin, carries.

    Raises:
        UserError: If there is none, with the nearest name.
    """
    for plugin in plugins:
        of_plugin = _method_in(load_plugin(plugin))
        if of_plugin is not None and plain(Path(plugin).stem) == plain(name):
            return of_plugin
    for module in method_names():
        if plain(module) == plain(name):
            found = _method_in(importlib.import_module(f"{__package__}.methods.{module}"))
            assert found is not None, f"methods/{module}.py holds no subclass of Method"
            return found
    raise UserError(
        Problem("", unknown("method", name, method_names(plugins)), code="method.unknown")
    )


def _method_in(module: ModuleType) -> "type[Method] | None":
    """The subclass of ``Method`` that a module defines, whatever its name."""
    base = importlib.import_module(f"{__package__}.methods.base").Method
    for value in vars(module).values():
        defined_here = isinstance(value, type) and value.__module__ == module.__name__
        if defined_here and issubclass(value, base) and value is not base:
            return value
    return None


def task(name: str, plugins: Sequence[str] = ()) -> "Task":
    """The task of a name; plugins go first.

    Raises:
        UserError: If there is none, with the nearest name, or a plugin's is faulty.
    """
    from .tasks.own import plugin_tasks

    of_plugins = {known: make for plugin in plugins for known, make in plugin_tasks(plugin).items()}
    for known, make in of_plugins.items():
        if plain(known) == plain(name):
            return make()
    builtin = importlib.import_module(f"{__package__}.tasks")
    try:
        return builtin.get_task(name)
    except UserError:
        if not of_plugins:
            raise
    raise UserError(
        Problem(
            "",
            unknown("task", name, [*builtin.every_name(), *of_plugins]),
            code="task.unknown",
        )
    )


def _user_file(name: str) -> Path:
    """A path as it stands, else a name in the user's or the built-in folder, with or without .json."""
    candidates = [Path(name)]
    if Path(name).name == name:
        candidates += [
            folder / f for folder in (FOLDER, builtin_folder()) for f in (name, f"{name}.json")
        ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    hint = f"It is a path, or the name of a file in {FOLDER}."
    raise UserError(
        Problem("", f"there is no method file '{name}'.", hint, code="method.file-missing")
    )


def _index(folder: Path, builtin: Mapping[str, MethodFile]) -> dict[str, MethodFile]:
    """The files of one folder by model_type; two that claim one name are an error."""
    found: dict[str, MethodFile] = {}
    claimed: dict[str, MethodFile] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.json")):
        label = str(path) if builtin else f"{FOLDER.as_posix()}/{path.name}"
        try:
            file = read_method_file(path, label)
        except UserError as error:
            problems += error.problems
            continue
        for name in (file.model_type, *file.aliases):
            other = claimed.setdefault(plain(name), file)
            if other is not file:
                message = f"'{name}' is also claimed by {other.label}."
                problems.append(
                    Problem(
                        label,
                        message,
                        "Each model_type and alias has one file.",
                        code="method.name-claimed-twice",
                    )
                )
        found[file.model_type] = file
    if problems:
        raise UserError(problems)
    return found
