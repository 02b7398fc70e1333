"""A user's own Python file: run once, and whatever is wrong in it told by file and line."""

import ast
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from ..errors import Problem, UserError

_PACKAGE = Path(__file__).resolve().parent


def load_plugin(path: str) -> ModuleType:
    """Runs a user's Python file once and gives its module. Files beside it can be imported there.

    Raises:
        UserError: If it is not there (then without a place), or fails when it is run.
    """
    return _run(path, Path(path).resolve())


@cache
def _run(path: str, file: Path) -> ModuleType:
    name = f"chatstill_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file) if file.suffix == ".py" else None
    if spec is None or spec.loader is None or not file.is_file():
        message = f"{path}: a plugin is a Python file, and there is none of that name."
        raise UserError(Problem("", message, code="plugin.missing"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # at the end: it hides nothing
    try:
        with faults(path, "the plugin fails when it is imported"):
            spec.loader.exec_module(module)
    except UserError:
        del sys.modules[name]
        raise
    return module


@contextmanager
def faults(path: str, doing: str) -> Iterator[None]:
    """Whatever a user's code raises, as a ``UserError`` with the line of their file.

    Args:
        path: Their file, as they named it.
        doing: What failed, the beginning of the message.
    """
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(_told(error, path, doing)) from error


def _told(error: BaseException, path: str, doing: str) -> Problem:
    if isinstance(error, SyntaxError) and (name := _own_name(path, error.filename)):
        place = f"{name}: line {error.lineno}, column {error.offset}"
        return Problem(
            place, f"{doing}: {type(error).__name__}: {error.msg}.", code="plugin.syntax"
        )
    place = path
    for frame in traceback.extract_tb(error.__traceback__):
        name = _own_name(path, frame.filename)
        place = f"{name}: line {frame.lineno}" if name else place
    reason = " ".join(str(error).split()).rstrip(".")
    return Problem(
        place,
        f"{doing}: {type(error).__name__}{': ' if reason else ''}{reason}.",
        code="plugin.raises",
    )


def line_of(path: str, thing: object) -> str:
    """Where a function or class of a user's file stands: ``mine.py: line 12``."""
    if isinstance(thing, type):
        number = _class_line(path, thing.__name__)
        return f"{path}: line {number}" if number else path
    code = getattr(getattr(thing, "__func__", thing), "__code__", None)
    name = _own_name(path, code.co_filename) if code is not None else None
    return f"{name}: line {code.co_firstlineno}" if code is not None and name else path


def _own_name(path: str, other: str | None) -> str | None:
    """The name of a file in messages; None unless it is the plugin or a file beside it."""
    if other is None or other.startswith("<"):
        return None
    file, found = Path(path).resolve(), Path(other).resolve()
    if found == file:
        return path
    foreign = "site-packages" in found.parts or found.is_relative_to(_PACKAGE)
    if foreign or not found.is_relative_to(file.parent):
        return None
    return str(Path(path).parent / found.relative_to(file.parent))


def _class_line(path: str, name: str) -> int | None:
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node.lineno
    return None
