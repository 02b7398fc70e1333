"""Runs a verb and turns whatever ends it into one message and an exit code."""

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from ..disk.full import full_disk, is_full
from ..errors import Interrupted, RunFailure, UserError
from . import SET_UP
from .messages import show_failure, show_problems, show_stop, show_usage
from .usage import UsageError, explain

INTERRUPTED = 130
_OWN_LIBRARIES = (
    "torch transformers accelerate tokenizers safetensors sentencepiece numpy scipy sklearn pydantic "
    "typer rich psutil tensorboard"
).split()


def guarded(action: Callable[[], Any]) -> int:
    """The exit code of an action: 0, 1 for a run that failed, 2 for what the user has to change.

    Errors of our own making are not caught: they show their traceback.
    """
    try:
        action()
    except SystemExit as end:
        return _code(end)
    except UserError as error:
        show_problems(error.problems)
        return error.exit_code
    except Interrupted as stop:
        show_stop(str(stop))
        return stop.exit_code
    except RunFailure as error:
        show_failure(str(error))
        return error.exit_code
    except UsageError as error:
        show_usage(*explain(error))
        return 2
    except KeyboardInterrupt:
        show_stop("interrupted: nothing that was saved before is lost.")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _OWN_LIBRARIES:
            raise
        show_failure(f"the library {error.name} is missing. {SET_UP}")
        return 1
    except Exception as error:  # whatever class a library has for a full disk
        if is_full(error):
            show_failure(f"{full_disk(error)}. Make room there, or name another place to write to.")
            return 1
        if isinstance(error, OSError):
            return _system_error(error)
        raise
    return 0


def _code(end: SystemExit) -> int:
    if end.code == INTERRUPTED:  # Ctrl-C outside training, caught by the command line's own library
        show_stop("interrupted: nothing that was saved before is lost.")
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    show_failure(str(end.code))
    return 1


def _system_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    place = f"{error.filename}: " if error.filename else ""
    show_failure(f"{place}{error.strerror or error}")
    return 1
