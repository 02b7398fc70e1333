"""Malformed rows: errors, the first few of a file at once, or left out, counted and listed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ..errors import Problem, UserError

OnBadRow = Literal["stop", "skip"]
MOST_LISTED = 100_000
SHOWN = 5


class BadRows:
    """What becomes of the malformed rows of one file.

    Attributes:
        count: Rows that are malformed.
        listed: Place and reason of the first hundred thousand, behind those of the files before.
    """

    def __init__(self, on_bad_row: OnBadRow = "stop", listed: list[str] | None = None) -> None:
        self._skip = on_bad_row == "skip"
        self.count = 0
        self.listed: list[str] = [] if listed is None else listed
        self._before = len(self.listed)
        self._errors: list[Problem] = []

    def take(self, error: UserError) -> None:
        """Notes a row that can't be read.

        Raises:
            UserError: such rows are errors, and there have been enough of them to see what is wrong.
        """
        self.count += 1
        if not self._skip:
            self._errors += error.problems
            if self.count == SHOWN:
                raise told(self._errors, more=True)
            return
        if len(self.listed) < MOST_LISTED:
            problem = error.problems[0]
            self.listed.append(f"{problem.place}: {problem.message}")

    def finish(self, path: Path, number: int) -> list[Problem]:
        """The warning about rows that were left out, if there were any.

        Args:
            path: What was read.
            number: Rows that were taken.

        Raises:
            UserError: there were none, or malformed rows are errors and there were some.
        """
        if self._errors:
            raise told(self._errors)
        of_file = self.listed[self._before : self._before + SHOWN]
        if not number:
            none = f"none of its {self.count:,} rows can be read: {''.join(of_file[:1])}"
            raise UserError(
                Problem(
                    str(path), none if self.count else "the file holds no rows", code="data.no-rows"
                )
            )
        if not self.count:
            return []
        shown = "\n    ".join(of_file)
        more = f"\n    and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        message = f"{self.count:,} of {self.count + number:,} rows are malformed and left out:"
        return [
            Problem(
                str(path),
                message,
                f"{shown}{more}",
                severity="warning",
                code="data.rows-left-out",
            )
        ]


class FirstStops(BadRows):
    """The first malformed row stops the reading."""

    def take(self, error: UserError) -> None:
        """Raises what it is given."""
        raise error


def told(problems: Sequence[Problem], *, more: bool = False) -> UserError:
    """Malformed rows in one error; a hint that they share stands once, behind the last.

    Args:
        problems: At least one.
        more: Whether the reading stops before the end of the file.
    """
    shown = list(problems)
    for number, (problem, following) in enumerate(pairwise(problems)):
        if problem.hint == following.hint:
            shown[number] = replace(problem, hint="")
    if more:
        end = f"The file was read no further after {len(shown)} malformed rows."
        shown[-1] = replace(shown[-1], hint=f"{shown[-1].hint} {end}".lstrip())
    return UserError(shown)
