"""How an augmentation speaks: lines, warnings, progress."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..errors import Problem


@dataclass(frozen=True)
class Desk:
    """The ways to speak.

    Attributes:
        say: A line.
        warn: A warning.
        display: (what, total) -> what is called with numbers that are done.
    """

    say: Callable[[str], None]
    warn: Callable[[Problem], None]
    display: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
