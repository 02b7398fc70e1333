"""What was found for the words of a sentence."""

from typing import NamedTuple


class Choices(NamedTuple):
    """A word's place in its sentence, and what may stand there; nothing keeps the word."""

    start: int
    end: int
    words: list[str]


class Found(NamedTuple):
    """The words of one sentence that may be replaced, and whether it was read in windows."""

    choices: list[Choices]
    long: bool
