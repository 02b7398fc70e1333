"""Texts without labels that are no ``train.txt``: those of another task's rows, or files of a ``data`` block.

Their figures are those of a corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import Problem
from .base import Example, Split, Task
from .corpus import CorpusTask
from .tables import ENDINGS
from .tabular_files import files_of, split_path
from .tabular_keys import DataKeys

OF_FILES = frozenset(("note", "train", "dev", "test", "on_bad_row"))
TABLES = frozenset(ENDINGS) - {".txt"}


class TextsTask(CorpusTask):
    """The texts of a task's rows, each a document; see ``tasks.base.Task`` for the contract.

    Args:
        rows: The task. Its labels are not used; rows without labels that follow its training rows are among
            them.
    """

    def __init__(self, rows: Task) -> None:
        self.rows, self.name = rows, rows.name
        self.reads_folders = rows.reads_folders

    def find(self, split: Split, data_dir: Path) -> Path | None:
        return self.rows.find(split, data_dir)

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        return self.rows.fallback(split, data_dir)

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return self.rows.places(split, data_dir)

    def absent(self, split: Split) -> Problem | None:
        return self.rows.absent(split)

    def parts(self, path: Path, split: Split) -> list[Path]:
        return self.rows.parts(path, split)

    def transfer(self, path: Path) -> list[Path]:
        return self.rows.transfer(path)

    def fingerprint(self, path: Path, split: Split) -> str | None:
        return self.rows.fingerprint(path, split)

    @property
    def reading(self) -> str:
        return self.rows.reading


class FilesTask(CorpusTask):
    """Files of plain text that a ``data`` block names, as ``train.txt`` and ``dev.txt`` of a corpus.

    Args:
        keys: The block.
        name: What the task is called.
    """

    def __init__(self, keys: DataKeys, name: str) -> None:
        self.keys, self.name = keys, name or CorpusTask.name

    def find(self, split: Split, data_dir: Path) -> Path | None:
        """The file or pattern; ``data_dir`` plays no part."""
        path = split_path(self.keys, split)
        return path if path is not None and files_of(path) else None

    def fallback(self, split: Split, data_dir: Path) -> tuple[Path, str] | None:
        path = self.find("train", data_dir)
        if split != "dev" or self.keys.dev is not None or path is None:
            return None
        return path, "data.dev is not named: the last 1 % of its documents is held out"

    def places(self, split: Split, data_dir: Path) -> list[Path]:
        return [split_path(self.keys, split) or Path(f"data.{split}")]

    def absent(self, split: Split) -> Problem | None:
        path = split_path(self.keys, split)
        if path is None:
            hint = f"For example: --set data.{split}=path/to/{split}.txt"
            message = "is missing: the block 'data' names no such file"
            return Problem(f"data.{split}", message, hint, code="data.split-not-named")
        return Problem(f"data.{split}", f"{path} does not exist", code="data.file-missing")

    def parts(self, path: Path, split: Split) -> list[Path]:
        return files_of(path)


def plain_text(keys: DataKeys) -> bool:
    """Whether a block names files of plain text: it says nothing but where they lie."""
    said = {key for key, value in keys if value != DataKeys.model_fields[key].default}
    named = [name for name in (keys.train, keys.dev, keys.test) if name is not None]
    return said <= OF_FILES and not any(Path(name).suffix.lower() in TABLES for name in named)


def texts_of(example: Example) -> Iterator[str]:
    """The texts of a row: turns, first and second text."""
    yield from example.context
    yield example.text_a
    if example.text_b is not None:
        yield example.text_b
