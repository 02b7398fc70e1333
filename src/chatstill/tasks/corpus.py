"""A corpus: texts without labels, ``train.txt`` and ``dev.txt``, a sentence or paragraph a line.

Blank lines part documents. Where there is no ``dev.txt``, the last hundredth of the documents of
``train.txt`` is held out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ..errors import Problem, UserError
from .base import Groups, Labels, MetricFunction, Rows, Split
from .defaults import TaskDefaults
from .files import task_folder
from .intervals import Parts, Ratio
from .reading import BOM, undecodable, whole_lines

FOLDERS = ("corpus",)
FILES: dict[Split, str] = {"train": "train.txt", "dev": "dev.txt"}
HELD_OUT = 100  # every so-manieth document, taken from the end
LOSS, RIGHT, COUNTED = range(3)  # columns of scores
LARGEST = 700.0  # exp of more is no float


class CorpusTask(TaskDefaults):
    """The task ``corpus``; see ``tasks.base.Task`` for the contract.

    Its scores are (N, 3) sums of each row: the loss at the predicted positions, how many of them are right,
    and how many there are.
    """

    name = "corpus"
    labels = Labels("none")
    label_words: tuple[str, ...] = ()
    main_metric = "loss"
    ranking = False
    right, whole = "masked_acc", "pseudo_perplexity"  # how its figures beside the loss are called
    of_other_networks = ("next_acc",)  # which of them is meant, the network tells

    def of_next_tokens(self) -> Self:
        """The same for a decoder: what is predicted is the next token of each."""
        other = copy(self)
        other.right, other.whole = "next_acc", "perplexity"
        return other

    def find(self, split: Split, data_dir: Path) -> Path | None:
        folder = task_folder(data_dir, FOLDERS, (FILES["train"], FILES["dev"]))
        if folder is None or split not in FILES:
            return None
        file = folder / FILES[split]
        return file if file.is_file() else None

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        file = self.find("train", data_dir) if split == "dev" else None
        if file is None:
            return None
        return file, f"there is no {FILES['dev']}: the last 1 % of its documents is held out"

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        if split not in FILES:
            return []
        return [folder / FILES[split] for folder in (data_dir / FOLDERS[0], data_dir)]

    def absent(self, split: Split) -> Problem | None:
        if split in FILES:
            return None
        message = f"a corpus has a {FILES['train']} and a {FILES['dev']}, and no {split} file"
        hint = f"Name other text {FILES['dev']}, in a folder of its own, and score that: --data-dir FOLDER."
        return Problem("task_name", message, hint, code="corpus.no-such-split")

    def read(self, path: Path, split: Split, labelled: bool | None = None) -> Rows:
        """Refused: a corpus has no rows with labels."""
        raise UserError(
            Problem(
                "task_name",
                f"the task {self.name} is text without labels: {path} has no rows to be scored",
                "Name a task with labels, or a method of the pre-training level (MaskedLM).",
                code="corpus.no-rows",
            )
        )

    def metrics(self, scores: np.ndarray, labels: np.ndarray, groups: Groups) -> dict[str, float]:
        """Figures over all predicted positions of all rows."""
        loss = LOSS_OF(scores, labels, groups)
        found = {
            "loss": loss,
            self.right: RIGHT_OF(scores, labels, groups),
            self.whole: perplexity(loss),
        }
        return {name: value for name, value in found.items() if value < math.inf}

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        """One figure, to be resampled row by row."""
        if name == self.whole:
            return lambda scores, labels, groups: perplexity(LOSS_OF(scores, labels, groups))
        return {"loss": LOSS_OF, self.right: RIGHT_OF}[name]

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric


def perplexity(loss: float) -> float:
    """exp(loss); infinite where no float holds it."""
    return math.exp(loss) if loss < LARGEST else math.inf


def _loss_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    return scores[:, LOSS], scores[:, COUNTED]


def _right_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    return scores[:, RIGHT], scores[:, COUNTED]


LOSS_OF, RIGHT_OF = Ratio(_loss_parts), Ratio(_right_parts)


class Lines(Protocol):
    """Lines of a part of a corpus, many at a time; blank ones part documents.

    Attributes:
        name: Where they stand, for messages.
        start: Place of the first line.
        size: In bytes, about.
    """

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def size(self) -> int: ...

    def extent(self) -> dict[str, int]:
        """Which part of the whole it is, for the fingerprint of what is prepared of it."""
        ...

    def read(self, at: int) -> Iterator[tuple[int, list[str]]]:
        """Lines from ``at`` on, each lot with the place behind it, from where reading can go on.

        Raises:
            UserError: what cannot be read as text.
        """
        ...

    def done(self, at: int) -> int:
        """Bytes before a place, about."""
        ...


@dataclass(frozen=True)
class Stretch:
    """Lines of a file that lie together; places are offsets. See ``Lines``.

    Attributes:
        path: The file.
        start: Offset of the first line.
        stop: Offset behind the last one.
    """

    path: Path
    start: int
    stop: int

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        return self.stop - self.start

    def extent(self) -> dict[str, int]:
        return {"from": self.start, "to": self.stop}

    def read(self, at: int) -> Iterator[tuple[int, list[str]]]:
        return read_lines(Stretch(self.path, at, self.stop))

    def done(self, at: int) -> int:
        return at - self.start


def read_lines(stretch: Stretch) -> Iterator[tuple[int, list[str]]]:
    """Its lines without their ends, many at a time, each lot with the offset behind it.

    Raises:
        UserError: bytes that are no UTF-8, or NUL.
    """
    at, first = stretch.start, 1
    for chunk in whole_lines(stretch.path, stretch.start, stretch.stop):
        text = _decoded(stretch.path, chunk, at, first)
        at += len(chunk)
        first += chunk.count(b"\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        yield at, [line.strip() for line in lines]


def _decoded(path: Path, chunk: bytes, at: int, first: int) -> str:
    skipped = len(BOM) if at == 0 and chunk.startswith(BOM) else 0
    try:
        text = chunk[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        place = skipped + error.start
        line = first + chunk.count(b"\n", 0, place)
        start, end = chunk.rfind(b"\n", 0, place) + 1, chunk.find(b"\n", place)
        raw = chunk[start : end if end >= 0 else None]
        raise undecodable(path, line, at + place, raw, place - start) from None
    if "\0" in text:
        line = first + text.count("\n", 0, text.index("\0"))
        message = "found a NUL character: this is no text file"
        hint = "Give plain UTF-8 text, a sentence or paragraph a line."
        raise UserError(Problem(f"{path}: line {line}", message, hint, code="corpus.binary"))
    return text
