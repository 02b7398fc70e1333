"""The texts of a task's rows as a corpus: each distinct one a document, in dev those that train has not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...config.task import task_of
from ...data.fingerprint import file_sha256
from ...data.preparing import chunked
from ...errors import Problem, UserError
from ...readers.word_lists import texts_of
from ...tasks.base import Rows, Split
from ...tasks.corpus import Lines
from ...tasks.corpus_repeats import check_repeats
from ...tasks.corpus_survey import Corpus, Files, survey_corpus
from ...tasks.files import locate
from ...tasks.texts import TextsTask
from ...text.preprocess import preprocess_version, preprocessed
from ..fingerprint import rows_fingerprint

if TYPE_CHECKING:
    from ...config.schema import RunConfig

LABELLED = False  # rows without labels that follow the training rows are read too


class Seen:
    """Which texts came before: eight bytes of memory each, by a 64-bit digest.

    Of ten million texts two different ones have the same digest with a chance of 3 in a million.
    """

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []  # of ever smaller size

    def __len__(self) -> int:
        return sum(map(len, self._sorted))

    def new(self, texts: list[str]) -> list[bool]:
        """Of each text, whether it comes for the first time; they have come then."""
        digests = np.fromiter(map(_digest, texts), np.uint64, len(texts))
        found, first = np.unique(digests, return_index=True)
        known = np.zeros(len(found), bool)
        for one in self._sorted:
            known |= one[np.minimum(np.searchsorted(one, found), len(one) - 1)] == found
        fresh = np.zeros(len(texts), bool)
        fresh[first[~known]] = True
        if not known.all():
            self._sorted.append(found[~known])
        while len(self._sorted) > 1 and len(self._sorted[-2]) <= 2 * len(self._sorted[-1]):
            last, before = self._sorted.pop(), self._sorted.pop()
            self._sorted.append(np.sort(np.concatenate([before, last])))
        found_fresh: list[bool] = fresh.tolist()
        return found_fresh


@dataclass(frozen=True)
class RowTexts:
    """The distinct texts of rows as lines, a blank one behind each; see ``tasks.corpus.Lines``.

    A place is the number of texts that were read, those left out among them.

    Attributes:
        name: Of their files.
        content: What tells the rows from others.
        size: Bytes of the texts that are kept.
        texts: Their number, those left out among them.
        read_rows: Gives the rows from the first on.
        left_out: Gives the rows whose texts are left out.
    """

    name: str
    content: str
    size: int
    texts: int
    read_rows: Callable[[], Rows]
    left_out: Callable[[], Rows] | None = None
    start = 0

    def extent(self) -> dict[str, int]:
        return {"texts": 1}

    def read(self, at: int) -> Iterator[tuple[int, list[str]]]:
        seen = Seen()
        for some in _lots(self.left_out) if self.left_out is not None else ():
            seen.new(some)
        place = 0
        for some in _lots(self.read_rows):
            fresh = seen.new(some)
            begin = max(at - place, 0)
            place += len(some)
            if place > at:
                kept = [t for t, new in zip(some[begin:], fresh[begin:], strict=True) if new]
                yield place, [line for text in kept for line in (text, "")]

    def done(self, at: int) -> int:
        return self.size * at // max(self.texts, 1)


def corpus_from(config: RunConfig, held_out: Split = "dev") -> Corpus:
    """The corpus of a configuration, read once.

    Args:
        config: The keys.
        held_out: The split that is scored: the corpus's ``dev``.

    Raises:
        UserError: files that are missing, empty or no text; rows that are malformed.
    """
    task, folder = task_of(config), Path(config.data_dir)
    paths: dict[Split, Path] = {
        split: locate(task, split, folder).path for split in ("train", held_out)
    }
    if isinstance(task, TextsTask):
        return _survey(config, task, paths)
    return survey_corpus(*(task.parts(path, split) for split, path in paths.items()))


def repeats(corpus: Corpus) -> list[Problem]:
    """What of dev stands in train too; of texts of rows it was left out."""
    return [] if isinstance(corpus.train, RowTexts) else check_repeats(corpus.train, corpus.dev)


@dataclass
class _Counted:
    """Of a split: texts with something in them, those that are kept, their bytes."""

    texts: int = 0
    kept: int = 0
    size: int = 0


def _survey(config: RunConfig, task: TextsTask, paths: dict[Split, Path]) -> Corpus:
    """Counts the texts of train, and of what is held out."""
    seen, splits = Seen(), tuple(paths)
    counted = {split: _Counted() for split in splits}
    warnings: list[Problem] = []
    read = {split: _reader(config, task, path, split) for split, path in paths.items()}
    in_train = 0
    for split in splits:
        rows, here, inside = read[split](), counted[split], Seen()
        for some in _texts(rows):
            fresh = seen.new(some)
            here.texts += len(some)
            here.kept += sum(fresh)
            here.size += sum(len(_bytes(t)) for t, new in zip(some, fresh, strict=True) if new)
            in_train += sum(inside.new(some)) - sum(fresh)
        warnings += rows.warnings
    _check(counted, paths)
    notes, numbers = {}, {}
    for name, one in zip(("train", "dev"), counted.values(), strict=True):
        notes[name] = f"{one.texts:,} texts, {one.kept:,} of them kept: each once"
        numbers[name] = one.kept
    if in_train:
        notes["dev"] += f"; {in_train:,} that stand in train are left out"
    train, dev = (
        RowTexts(
            " and ".join(map(str, [paths[split], *_further(task, paths[split], split)])),
            rows_fingerprint(task.rows, paths[split], split, LABELLED)
            + preprocess_version(config.preprocess),
            counted[split].size,
            counted[split].texts,
            read[split],
        )
        for split in splits
    )
    dev = replace(dev, content=f"{dev.content}-without-{train.content}", left_out=train.read_rows)
    return Corpus(train, dev, numbers, numbers, notes, warnings)


def _further(task: TextsTask, path: Path, split: Split) -> list[Path]:
    """Files of rows without labels, whose texts are read behind those of the training rows."""
    return task.rows.transfer(path) if split == "train" else []


def _reader(config: RunConfig, task: TextsTask, path: Path, split: Split) -> Callable[[], Rows]:
    return lambda: preprocessed(task.rows.read(path, split, LABELLED), config.preprocess)


def _check(counted: dict[Split, _Counted], paths: dict[Split, Path]) -> None:
    for split, found in counted.items():
        if found.kept:
            continue
        message = "its rows hold no text"
        hint = "Name rows with texts."
        if found.texts:
            message = f"all of its {found.texts:,} texts stand in train, so none is held out"
            hint = "Give a dev file of other texts."
        raise UserError(Problem(str(paths[split]), message, hint, code="corpus.no-texts"))


def _lots(read: Callable[[], Rows]) -> Iterator[list[str]]:
    return _texts(read())


def _texts(rows: Rows) -> Iterator[list[str]]:
    """Texts with something in them, of many rows at a time; each in one line."""
    for some in chunked(rows):
        yield [" ".join(text.split()) for row in some for text in texts_of(row) if text.strip()]


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(_bytes(text), digest_size=8).digest(), "little")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def content_of(lines: Lines) -> str:
    """What tells the texts of a part of a corpus from others."""
    if isinstance(lines, RowTexts):
        return lines.content
    stretches = lines.stretches if isinstance(lines, Files) else [lines]
    return "-".join(file_sha256(stretch.name) for stretch in stretches)
