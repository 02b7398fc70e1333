"""The parts of a corpus in files of plain text, read once before anything is prepared; what is held out."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Problem, UserError
from .corpus import FILES, HELD_OUT, Lines, Stretch, read_lines
from .reading import BOM, whole_lines


@dataclass(frozen=True)
class Corpus:
    """The two parts of a corpus, and what reading it showed.

    Attributes:
        train, dev: Where their lines stand.
        lines: Lines with text, by split.
        documents: By split.
        notes: What was left out, by split, for the plan.
        warnings: What the user should know of it.
    """

    train: Lines
    dev: Lines
    lines: Mapping[str, int]
    documents: Mapping[str, int]
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[Problem] = ()


class Files:
    """Lines of several files one after another; a document ends with its file. See ``Lines``.

    A place is the bytes of the stretches before it.
    """

    start = 0

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self.stretches = tuple(stretches)

    @property
    def name(self) -> str:
        first, more = self.stretches[0].name, len(self.stretches) - 1
        return f"{first} and {more} more" if more else first

    @property
    def size(self) -> int:
        return sum(stretch.size for stretch in self.stretches)

    def extent(self) -> dict[str, int]:
        return {
            f"{number} {key}": value
            for number, stretch in enumerate(self.stretches)
            for key, value in stretch.extent().items()
        }

    def read(self, at: int) -> Iterator[tuple[int, list[str]]]:
        before = 0
        for stretch in self.stretches:
            end = before + stretch.size
            if at <= end:
                inside = max(at - before, 0)
                for place, some in stretch.read(stretch.start + inside):
                    yield before + place - stretch.start, some
                yield end, [""]
            before = end

    def done(self, at: int) -> int:
        return at


def survey_corpus(train: Path | Sequence[Path], dev: Path | Sequence[Path]) -> Corpus:
    """Reads all files once: bytes that are no text are found before anything is prepared.

    Args:
        train: ``train.txt``, or several files.
        dev: ``dev.txt``, or several; the same again where there is none.

    Raises:
        UserError: everything that is wrong with any.
    """
    splits = {"train": _listed(train), "dev": _listed(dev)}
    found = _counted([*splits["train"], *splits["dev"]])
    if splits["train"] == splits["dev"]:
        return _held_out(splits["train"], found)
    lines, documents = (
        {split: sum(found[path][place] for path in paths) for split, paths in splits.items()}
        for place in (0, 1)
    )
    train_lines, dev_lines = (_joined(list(map(_whole, paths))) for paths in splits.values())
    return Corpus(train_lines, dev_lines, lines, documents)


def whole_text(paths: Sequence[Path]) -> Lines:
    """The text of files, read once.

    Raises:
        UserError: everything that is wrong with any.
    """
    _counted(paths)
    return _joined(list(map(_whole, paths)))


def _counted(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """(lines with text, documents) of each file."""
    problems: list[Problem] = []
    found: dict[Path, tuple[int, int]] = {}
    for path in dict.fromkeys(paths):
        try:
            found[path] = _count(path)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)
    return found


def _listed(paths: Path | Sequence[Path]) -> list[Path]:
    return [paths] if isinstance(paths, Path) else list(paths)


def _whole(path: Path) -> Stretch:
    return Stretch(path, 0, path.stat().st_size)


def _joined(stretches: Sequence[Stretch]) -> Lines:
    return stretches[0] if len(stretches) == 1 else Files(stretches)


def _held_out(paths: list[Path], found: Mapping[Path, tuple[int, int]]) -> Corpus:
    """The last hundredth of all documents as dev."""
    lines, documents = (sum(found[path][place] for path in paths) for place in (0, 1))
    if documents < 2:
        message = "it is one document, of which no part can be held out to be scored"
        hint = (
            "Part documents by blank lines (of a file with a record in each line, one behind each), or name "
            f"text to be held out: {FILES['dev']} beside it, or 'dev' in the block 'data'."
        )
        raise UserError(Problem(str(paths[0]), message, hint, code="corpus.one-document"))
    kept = left = documents - max(1, documents // HELD_OUT)
    before: list[Stretch] = []
    lines_before = 0
    for number, path in enumerate(paths):
        if left >= found[path][1]:  # all of it
            before.append(_whole(path))
            left -= found[path][1]
            lines_before += found[path][0]
            continue
        at, some = _start_of(path, left)
        before += [Stretch(path, 0, at)] if left else []
        behind = [Stretch(path, at, path.stat().st_size), *map(_whole, paths[number + 1 :])]
        lines_before += some
        return Corpus(
            _joined(before),
            _joined(behind),
            {"train": lines_before, "dev": lines - lines_before},
            {"train": kept, "dev": documents - kept},
        )
    raise AssertionError("the documents were counted before")


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
