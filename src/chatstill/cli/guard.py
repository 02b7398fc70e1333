"""Runs a verb and turns whatever ends it into one message and an exit code."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..disk.full import full_disk, is_full
from ..errors import Interrupted, Problem, RunFailure, UserError
from . import INTERRUPTED, SET_UP, STOPPED
from .messages import show_failure, show_problems, show_stop, show_usage
from .usage import UsageError, explain

_OWN_LIBRARIES = (
    "torch transformers accelerate tokenizers safetensors sentencepiece numpy scipy sklearn pydantic "
    "typer rich psutil tensorboard filelock jinja2 matplotlib"
).split()


def guarded(action: Callable[[], Any]) -> int:
    """The exit code of an action, once all that it printed has gone out; see ``_run``."""
    code = _run(action)
    try:
        sys.stdout.flush()
    except OSError as error:
        return _lost_output(error) if code == 0 else code
    return code


def _lost_output(error: OSError) -> int:
    """Standard output cannot be written; Python would try again when it ends, and say so at length."""
    _print_nowhere()
    if error.errno != errno.EPIPE:  # else its reader has gone, as with `| head`
        show_failure(f"standard output cannot be written: {error.strerror}")
    return 1


def _print_nowhere() -> None:
    with suppress(OSError, ValueError):  # a stream without a descriptor needs nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(action: Callable[[], Any]) -> int:
    """The exit code of an action: 0, 1 for a run that failed, 2 for what the user has to change.

    Errors of our own making are not caught: they show their traceback.
    """
    try:
        action()
    except SystemExit as end:
        return _code(end)
    except KeyboardInterrupt:
        show_stop(STOPPED)
        return INTERRUPTED
    except Exception as error:
        return _told(error)
    return 0


def _told(error: Exception) -> int:
    """One message for what is the user's or the system's; the rest is raised again as it came."""
    if isinstance(error, UserError):
        show_problems(error.problems)
        return error.exit_code
    if isinstance(error, Interrupted):
        show_stop(str(error))
        return error.exit_code
    if isinstance(error, RunFailure):
        show_failure(str(error))
        return error.exit_code
    if isinstance(error, UsageError):
        show_usage(*explain(error))
        return 2
    library = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if library in _OWN_LIBRARIES:
        show_failure(f"the library {library} is missing. {SET_UP}")
        return 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        return _lost_output(error)
    if is_full(error):  # whatever class a library has for it
        show_failure(f"{full_disk(error)}. Make room there, or name another place to write to.")
        return 1
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return _name_error(error)
    if isinstance(error, OSError):
        return _system_error(error)
    raise error


def _code(end: SystemExit) -> int:
    if end.code == INTERRUPTED:  # Ctrl-C outside training, caught by the command line's own library
        show_stop(STOPPED)
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    show_failure(str(end.code))
    return 1


def _name_error(error: UnicodeEncodeError) -> int:
    """A file's name in letters that this process cannot hand to the system."""
    hint = "Start it with LC_ALL=C.UTF-8, or with PYTHONUTF8=1."
    message = f"file names are in {error.encoding} here, which has no '{error.object}'"
    show_problems([Problem("", message, hint, code="files.name-not-writable-here")])
    return 2


def _system_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        return _lost_output(error)
    place = f"{error.filename}: " if error.filename else ""
    show_failure(f"{place}{error.strerror or error}")
    return 1
