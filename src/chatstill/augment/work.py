"""The work of an augmentation that is not finished: a hidden folder beside the file, to go on from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..disk.json_file import JsonFault, known_object, read_json
from ..disk.lock import hold
from ..disk.write import clear_folder, open_own, remove, write_json
from ..errors import Problem, UserError
from .choices import Choices, Found

UNIT = 256  # sentences whose candidates are kept in one file
OPEN = 64  # units in memory
MOST_BYTES = 4_000_000_000
DOUBTS = "doubts.json"
MADE_OF = "made_of.json"
PENDING = "pending.json"  # size and sha256 of rows before they take their place


class Work:
    """Sentences in units of 256, in the order in which they come first, and the candidates of each unit.

    A unit is a function of the training file alone, whoever looks for its candidates and when.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = 0
        self.counts: dict[str, int] = {}
        self._open: list[str] = []
        self._choices = lru_cache(OPEN)(self._read_choices)

    @staticmethod
    def holds_others(folder: Path, made_of: dict[str, Any]) -> bool:
        """Whether candidates of other things lie there, which ``begin`` removes."""
        there = any(folder.glob("candidates-*"))
        return there and known_object(folder / MADE_OF) != made_of

    @classmethod
    @contextmanager
    def begin(cls, folder: Path, made_of: dict[str, Any]) -> Iterator[Work]:
        """The folder, held by this process alone; what an augmentation of other things left is removed.

        Raises:
            UserError: another process is at it.
        """
        folder.mkdir(exist_ok=True)
        number = open_own(folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            if not hold(number):
                message = "another process is writing these rows"
                raise UserError(Problem(str(folder), message, code="augment.at-work"))
            clear_folder(folder)
            if known_object(folder / MADE_OF) != made_of:
                for entry in list(folder.iterdir()):
                    if entry.name != "lock":
                        remove(entry)
                write_json(folder / MADE_OF, made_of)
            yield cls(folder)
        finally:
            if not any(folder.glob("candidates-*")):  # nothing to go on from
                remove(folder)
            os.close(number)

    def add(self, sentence: str) -> int:
        """A new sentence; its number. ``end_sentences`` follows the last."""
        number = self.units * UNIT + len(self._open)
        self._open.append(sentence)
        if len(self._open) == UNIT:
            self.end_sentences()
        return number

    def end_sentences(self) -> None:
        """Writes the sentences that are not written yet."""
        if self._open:
            path = sentences_file(self.folder, self.units)
            if _whole(path) != self._open:
                write_json(path, self._open)
            self.units, self._open = self.units + 1, []

    def missing(self) -> list[int]:
        """Units whose candidates are not there, or not whole."""
        return [n for n in range(self.units) if not self._is_done(n)]

    def _is_done(self, unit: int) -> bool:
        sentences, found = (_whole(of(self.folder, unit)) for of in (sentences_file, choices_file))
        return isinstance(found, list) and len(found) == len(sentences or [])

    def choices(self, sentence: int) -> list[Choices]:
        """The words of a sentence and their candidates."""
        return self._choices(sentence // UNIT)[sentence % UNIT]

    def _read_choices(self, unit: int) -> list[list[Choices]]:
        return [
            [Choices(start, end, words) for start, end, words in sentence["words"]]
            for sentence in _read(choices_file(self.folder, unit))
        ]

    def count(self) -> dict[str, int]:
        """Of all distinct sentences, kept in ``counts`` for the record."""
        found = dict.fromkeys(("sentences", "in_windows", "words", "with_candidates"), 0)
        for unit in range(self.units):
            for sentence in _read(choices_file(self.folder, unit)):
                found["sentences"] += 1
                found["in_windows"] += sentence["long"]
                found["words"] += len(sentence["words"])
                found["with_candidates"] += sum(bool(words) for _, _, words in sentence["words"])
        self.counts = found
        return found

    def keep_doubts(self, messages: list[str]) -> None:
        """What was warned of the model, for the record, whoever writes it after an interruption."""
        write_json(self.folder / DOUBTS, {"messages": messages})

    def doubts(self) -> list[str]:
        """The same again."""
        found: list[str] = known_object(self.folder / DOUBTS).get("messages", [])
        return found

    def keep_candidates(self) -> None:
        """Leaves what is slow to find; what is made anew each time goes."""
        for entry in self.folder.iterdir():
            again = entry.suffix == ".table" or entry.name.startswith("sentences-")
            if again or entry.name == PENDING:
                remove(entry)

    def remove(self) -> None:
        """Takes the folder away: the rows are written."""
        remove(self.folder)


def clear(folder: Path) -> None:
    """Removes what a process left that was killed when all was written; not what one is at."""
    if folder.is_dir():
        with suppress(UserError), Work.begin(folder, {}) as work:
            work.remove()


def _read(path: Path) -> Any:
    """A file of ours: 256 texts may be long ones."""
    return read_json(path, most=MOST_BYTES)


def _whole(path: Path) -> Any:
    """The same; None where there is none, or it is damaged: it is made anew then."""
    try:
        return _read(path)
    except (OSError, JsonFault):
        return None


def sentences_file(folder: Path, unit: int) -> Path:
    """The sentences of a unit."""
    return folder / f"sentences-{unit:06d}.json"


def choices_file(folder: Path, unit: int) -> Path:
    """Their candidates."""
    return folder / f"candidates-{unit:06d}.json"


def read_sentences(folder: Path, unit: int) -> list[str]:
    """The sentences of a unit, in order."""
    found: list[str] = _read(sentences_file(folder, unit))
    return found


def write_choices(folder: Path, unit: int, found: Sequence[Found]) -> None:
    """Writes the candidates of a unit, whole or not at all."""
    values = [{"long": one.long, "words": [list(word) for word in one.choices]} for one in found]
    write_json(choices_file(folder, unit), values)
