"""A corpus: texts without labels, ``train.txt`` and ``dev.txt``, a sentence or paragraph a line.

Blank lines part documents. Where there is no ``dev.txt``, the last hundredth of the documents of
``train.txt`` is held out.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
        return {
            "loss": loss,
            "masked_acc": RIGHT_OF(scores, labels, groups),
            "pseudo_perplexity": math.exp(loss) if loss < 700 else math.inf,
        }

    def missing(self, labels: np.ndarray, groups: Groups) -> dict[str, str]:
        return {}

    def metric(self, name: str) -> MetricFunction:
        """One figure, to be resampled row by row."""
        if name == "pseudo_perplexity":
            return lambda scores, labels, groups: math.exp(LOSS_OF(scores, labels, groups))
        return {"loss": LOSS_OF, "masked_acc": RIGHT_OF}[name]

    def main_metric_of(self, metrics: Mapping[str, float]) -> str:
        return self.main_metric


def _loss_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    return scores[:, LOSS], scores[:, COUNTED]


def _right_parts(scores: np.ndarray, labels: np.ndarray, groups: Groups) -> Parts:
    return scores[:, RIGHT], scores[:, COUNTED]


LOSS_OF, RIGHT_OF = Ratio(_loss_parts), Ratio(_right_parts)


@dataclass(frozen=True)
class Stretch:
    """Lines of a file that lie together.

    Attributes:
        path: The file.
        start: Offset of the first line.
        stop: Offset behind the last one.
    """

    path: Path
    start: int
    stop: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stop - self.start


@dataclass(frozen=True)
class Corpus:
    """The two parts of a corpus, and what reading it showed.

    Attributes:
        train, dev: Where their lines stand.
        lines: Lines with text, by split.
        documents: By split.
    """

    train: Stretch
    dev: Stretch
    lines: Mapping[str, int]
    documents: Mapping[str, int]


def survey_corpus(train: Path, dev: Path) -> Corpus:
    """Reads both files once: bytes that are no text are found before anything is prepared.

    Args:
        train: ``train.txt``.
        dev: ``dev.txt``, or the same file again where there is none.

    Raises:
        UserError: everything that is wrong with either.
    """
    problems: list[Problem] = []
    found: dict[Path, tuple[int, int]] = {}
    for path in dict.fromkeys((train, dev)):
        try:
            found[path] = _count(path)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)
    lines, documents = found[train]
    whole = Stretch(train, 0, train.stat().st_size)
    if dev != train:
        other = Stretch(dev, 0, dev.stat().st_size)
        return Corpus(
            whole,
            other,
            {"train": lines, "dev": found[dev][0]},
            {"train": documents, "dev": found[dev][1]},
        )
    if documents < 2:
        message = "it is one document, of which no part can be held out to be scored"
        hint = f"Part documents by blank lines, or give a {FILES['dev']}."
        raise UserError(Problem(str(train), message, hint, code="corpus.one-document"))
    kept = documents - max(1, documents // HELD_OUT)
    at, before = _start_of(train, kept)
    return Corpus(
        Stretch(train, 0, at),
        Stretch(train, at, whole.stop),
        {"train": before, "dev": lines - before},
        {"train": kept, "dev": documents - kept},
    )


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
        raise undecodable(path, line, at + place, chunk[place:]) from None
    if "\0" in text:
        line = first + text.count("\n", 0, text.index("\0"))
        message = "found a NUL character: this is no text file"
        hint = "Give plain UTF-8 text, a sentence or paragraph a line."
        raise UserError(Problem(f"{path}: line {line}", message, hint, code="corpus.binary"))
    return text


def _count(path: Path) -> tuple[int, int]:
    """(lines with text, documents) of a file."""
    lines = documents = 0
    inside = False
    for _, some in read_lines(Stretch(path, 0, path.stat().st_size)):
        for line in some:
            documents += bool(line) and not inside
            inside = bool(line)
            lines += inside
    if not lines:
        hint = (
            "Give plain UTF-8 text, a sentence or paragraph a line, blank lines between documents."
        )
        raise UserError(Problem(str(path), "it holds no text", hint, code="corpus.empty"))
    return lines, documents


def _start_of(path: Path, document: int) -> tuple[int, int]:
    """Offset of a document's first line, counted from 0, and the lines with text before it."""
    at = lines = documents = 0
    inside = False
    for chunk in whole_lines(path):
        for raw in io.BytesIO(chunk):
            text = bool(raw.removeprefix(BOM if at == 0 else b"").decode("utf-8").strip())
            if text and not inside:
                if documents == document:
                    return at, lines
                documents += 1
            inside = text
            lines += text
            at += len(raw)
    raise AssertionError("the documents were counted before")
