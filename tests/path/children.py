"""Runs in forked children that can be killed: at a chosen file operation, or from outside."""

import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..processes import skip_where_forks_fail

STACKS: dict[BaseProcess, tuple[Path, Path]] = {}
"""What each child prints to, and where it writes its stacks when it is asked to."""
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"}


def fork(action: Callable[[], Any], output: Path) -> BaseProcess:
    """Starts ``action`` in a child; what it prints goes to ``output``, its result is the exit code."""
    skip_where_forks_fail()

    def child() -> None:
        faulthandler.register(signal.SIGUSR1, file=open(stacks, "w"), all_threads=True)
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
        gc.freeze()  # accelerate collects garbage: not that of the whole test session
        os.fsync = lambda descriptor: None  # a killed process loses nothing that was written
        code = 99
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code = action() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    process = get_context("fork").Process(target=child)
    stacks = f"{output}.stacks-{id(process)}"
    process.start()
    STACKS[process] = (output, Path(stacks))
    return process


def wait(process: BaseProcess, seconds: float = 120) -> int:
    """The exit code; negative for a signal."""
    process.join(seconds)
    if process.exitcode is None:
        report = _state(process)
        process.kill()
        process.join()
        raise AssertionError(f"a child did not end within {seconds} s\n{report}")
    return process.exitcode


def _state(process: BaseProcess) -> str:
    """Where a hanging child and its siblings stand, and what they printed."""
    output, _ = STACKS[process]
    lines = [output.read_text(encoding="utf-8", errors="replace")[-3000:]]
    for sibling, (where, stacks) in STACKS.items():
        if where == output:
            lines.append(f"-- process {sibling.pid}, exit code {sibling.exitcode}")
            if sibling.exitcode is None:
                os.kill(sibling.pid, signal.SIGUSR1)
                lines.append(_written(sibling, stacks))
    return "\n".join(lines)


def _written(child: BaseProcess, stacks: Path, seconds: float = 10) -> str:
    """What a child writes when asked for its stacks; the end of the child ends the waiting too."""
    last, end = "", time.monotonic() + seconds
    while child.exitcode is None and time.monotonic() < end:
        child.join(0.1)
        text = stacks.read_text(encoding="utf-8", errors="replace")
        if text and text == last:  # it is all there
            break
        last = text
    return last or "(no stacks)"


def count_changes(folder: Path, on_change: Callable[[int, str], None]) -> Callable[[], int]:
    """From now on, in this process: calls back before every change to a file, and at every fsync.

    Only for children: an audit hook cannot be taken out again.
    """
    number = [0]
    inside = str(folder)

    def count(what: str) -> None:
        number[0] += 1
        on_change(number[0], what)

    def hook(event: str, arguments: tuple) -> None:
        if event in CHANGES and str(os.getcwd()):
            count(f"{event} {arguments[0]}")
        elif event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(inside):
            writes = (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes:
                count(f"open {arguments[0]}")

    fsync = os.fsync

    def counted(descriptor: int) -> None:
        count("fsync")
        fsync(descriptor)

    os.fsync = counted
    sys.addaudithook(hook)
    return lambda: number[0]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
