"""Problems as a list that reads well on a terminal and as plain lines elsewhere."""

import os
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ..errors import Problem, shown
from .terminal import standard_error

_STYLES = {"error": "bold red", "warning": "bold yellow"}


def is_first_process() -> bool:
    """Whether this process speaks; under torchrun and accelerate the others keep silent."""
    return os.environ.get("RANK", "0") == "0"


def show_problems(problems: Sequence[Problem], console: Console | None = None) -> None:
    """Every problem with its place and the way out; a last line says what became of the run."""
    if not is_first_process():
        return
    console = console or standard_error()
    for problem in problems:
        console.print(_as_text(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        found = "1 problem" if errors == 1 else f"{errors} problems"
        console.print(Text(f"{found} to fix; nothing was started.", style="bold"))


def show_failure(message: str) -> None:
    """One message for a run that had to stop."""
    if is_first_process():
        console = standard_error()
        console.print(Text.assemble(("error: ", _STYLES["error"]), shown(message)))


def show_usage(message: str, usage: str) -> None:
    """A slip of the command line; without a message the usage alone."""
    if not is_first_process():
        return
    console = standard_error()
    if message:
        console.print(Text.assemble(("error: ", _STYLES["error"]), shown(message)))
    console.print(usage)


def show_stop(message: str) -> None:
    """A stop that was asked for is no error."""
    if is_first_process():
        standard_error().print(message)


def _as_text(problem: Problem) -> Text:
    text = Text()
    text.append(f"{problem.severity}: ", _STYLES[problem.severity])
    if problem.place:
        text.append(f"{problem.place}: ", "bold")
    text.append(problem.message)
    if problem.hint:
        text.append(
            "\n" + textwrap.indent(problem.hint, "    "), "dim" if "\n" not in problem.hint else ""
        )
    return text
