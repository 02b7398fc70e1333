"""What a user is told when something is wrong: problems with a place and a way out, all at once."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# Codes for the terminal, line ends, what turns the direction of writing, and what UTF-8 cannot hold.
_CONTROL = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def shown(text: str, *, lines: bool = False) -> str:
    """A text for people, in which control characters are escapes: ``\\x1b``, ``\\n``, ``\\u202e``.

    Args:
        text: It may hold names and values of anybody.
        lines: Leaves its line ends and tabs, where they are ours.
    """

    def escape(match: re.Match[str]) -> str:
        sign = match.group()
        return sign if lines and sign in "\n\t" else repr(sign)[1:-1]

    return _CONTROL.sub(escape, text)


@dataclass(frozen=True)
class Problem:
    """One finding about a user's input.

    Attributes:
        place: Where it is: ``my.json: line 3, column 7``, ``my.json: theseus_scheduler.replacing_rate``,
            ``data/train.data.txt: line 12``.
        message: What was found and what was expected, one or two sentences.
        hint: What to do about it; empty if the message says it.
        severity: Errors stop a run before it starts, warnings are printed and the run goes on.
        code: What kind of fault it is, ``room.what``: stays as it is when the sentence gets better.
    """

    place: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    code: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        # Names in them are anybody's; a hint may have lines of its own.
        for key in ("place", "message"):
            object.__setattr__(self, key, shown(getattr(self, key)))
        object.__setattr__(self, "hint", shown(self.hint, lines=True))

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n    {self.hint}" if self.hint else text


class Said(NamedTuple):
    """What is wrong and what to do about it, from a check that does not know the place."""

    message: str
    hint: str = ""
    code: str = ""

    def under(self, key: str) -> Said:
        """The same, said of a key of the configuration."""
        return self._replace(message=f"'{key}': {self.message}")


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop a run."""
    return [problem for problem in problems if problem.severity == "error"]


class UserError(Exception):
    """Input that the user has to change. The command line prints it without a traceback, exit code 2."""

    exit_code = 2

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):  # of a plugin's
            problems = [Problem("", problems, code="plugin.says")]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RunFailure(Exception):
    """A run that had to stop midway (full disk, NaN, out of memory): one message, exit code 1."""

    exit_code = 1


class Interrupted(Exception):
    """A run that was asked to stop by a signal; its last step is saved.

    ``exit_code`` is 143 after SIGTERM, 130 after Ctrl-C.
    """

    def __init__(self, signal_number: int) -> None:
        self.exit_code = 128 + signal_number
        name = "Ctrl-C" if signal_number == signal.SIGINT else signal.Signals(signal_number).name
        super().__init__(
            f"stopped by {name}: the last step is saved; start it again to go on from there"
        )
