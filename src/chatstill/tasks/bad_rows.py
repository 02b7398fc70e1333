"""Malformed rows: an error, or left out, counted and listed."""

from pathlib import Path
from typing import Literal

from ..errors import Problem, UserError

OnBadRow = Literal["stop", "skip"]
MOST_LISTED = 100_000
SHOWN = 5


class BadRows:
    """What becomes of the malformed rows of one file.

    Attributes:
        count: Rows left out.
        listed: Place and reason of the first hundred thousand, behind those of the files before.
    """

    def __init__(self, on_bad_row: OnBadRow = "stop", listed: list[str] | None = None) -> None:
        self._skip = on_bad_row == "skip"
        self.count = 0
        self.listed: list[str] = [] if listed is None else listed
        self._before = len(self.listed)

    def take(self, error: UserError) -> None:
        """Notes a row that can't be read.

        Raises:
            UserError: the one given, where such rows stop the reading.
        """
        if not self._skip:
            raise error
        self.count += 1
        if len(self.listed) < MOST_LISTED:
            problem = error.problems[0]
            self.listed.append(f"{problem.place}: {problem.message}")

    def finish(self, path: Path, number: int) -> list[Problem]:
        """The warning about rows that were left out, if there were any.

        Args:
            path: What was read.
            number: Rows that were taken.

        Raises:
            UserError: there were none.
        """
        own = self.listed[self._before : self._before + SHOWN]
        if not number:
            none = f"none of its {self.count:,} rows can be read: {''.join(own[:1])}"
            raise UserError(Problem(str(path), none if self.count else "the file holds no rows"))
        if not self.count:
            return []
        shown = "\n    ".join(own)
        more = f"\n    and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        message = f"{self.count:,} of {self.count + number:,} rows are malformed and left out:"
        return [Problem(str(path), f"{message}\n    {shown}{more}", severity="warning")]
