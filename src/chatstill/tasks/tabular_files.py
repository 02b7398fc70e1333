"""The tables of a ``data`` block: which files a split has, and each opened for reading."""

import glob
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ..disk.json_file import known_object
from ..errors import Problem, UserError
from .dialogues import DialogueTable
from .hub_data import HubTable, hub_files
from .tables import Layout, Table
from .tabular_keys import DataKeys

AUGMENTED = "_aug"  # ends the name of a file of augmented rows, and that of its record
FORMAT_OF_RECORD = "chatstill augmentation"  # begins what the record calls itself


def layout_of(keys: DataKeys, *, bare: bool = False) -> Layout:
    """How the files of a block are read; beside a data set its keys have no effect but the encoding.

    Args:
        keys: The block.
        bare: Whether a file may hold the texts alone, a line each: one of rows without labels.
    """
    pair = [keys.text_pair] if keys.text_pair is not None else []
    texts = (*keys.texts, *pair) if bare and not keys.dialogues else ()
    if keys.dataset is not None:
        return Layout(encoding=keys.encoding, texts=texts)
    return Layout(keys.format, keys.columns, keys.delimiter, keys.encoding, texts)


def split_path(keys: DataKeys, split: str) -> Path | None:
    """The path of a split: a file, a pattern, or ``NAME:SPLIT`` of a data set; None if not named."""
    name = keys.split(split)
    if name is None:
        return None
    if keys.dataset is None:
        return Path(name)
    return Path(f"{keys.dataset}{f'/{keys.subset}' if keys.subset else ''}:{name}")


def files_of(path: Path) -> list[Path]:
    """The files that a path or pattern stands for, sorted by name; empty if there is none."""
    try:
        if path.is_file():
            return [path]
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        return [file for file in found if file.is_file()] if glob.has_magic(str(path)) else []
    except (OSError, ValueError):
        return []


def tables(keys: DataKeys, path: Path) -> Iterator[Table | HubTable | DialogueTable]:
    """The tables behind a path, opened one after another.

    Raises:
        UserError: there is none, or one can't be read.
    """
    numbers = count()
    for table in _plain_tables(keys, path):
        yield DialogueTable(table, keys, numbers) if keys.dialogues else table


def _plain_tables(keys: DataKeys, path: Path) -> Iterator[Table | HubTable]:
    split = next((s for s in ("train", "dev", "test") if split_path(keys, s) == path), None)
    if keys.dataset is not None and split is not None and not path.is_file():
        yield HubTable(keys, str(keys.split(split)), str(path))
        return
    files = files_of(path)
    if not files:
        raise UserError(Problem(str(path), "there is no such file", code="data.file-missing"))
    copies = [file for file in files if len(files) > 1 and _is_augmented(file)]
    if copies:
        message = f"the pattern takes in {copies[0]}, the augmented rows of another file"
        hint = 'Move it, or name the others by a pattern that passes it over: "use_augmented" reads it.'
        raise UserError(Problem(str(path), message, hint, code="data.pattern-of-augmented"))
    layout = layout_of(keys, bare=split is None)
    for file in files:
        if keys.dialogues and (problem := no_lists(keys, file)) is not None:
            raise UserError(problem)
        yield Table(file, layout)


def _is_augmented(file: Path) -> bool:
    """Whether `chatstill augment` wrote a file: its record lies beside it."""
    before, mark, _ = file.name.rpartition(f"{AUGMENTED}.")
    record = known_object(file.with_name(f"{before}{mark}json")) if mark else {}
    return str(record.get("format", "")).startswith(FORMAT_OF_RECORD)


def no_lists(keys: DataKeys, file: Path) -> Problem | None:
    """What is wrong with a file whose cells hold no lists, where lines are dialogues."""
    kind = layout_of(keys).format_of(file)
    if kind not in ("csv", "tsv"):
        return None
    message = f"a cell of {kind.upper()} holds no list of candidates"
    hint = "Dialogues are read from JSON lines (.jsonl) and Parquet. Of a table each candidate is a row."
    return Problem(
        str(file),
        message,
        f'{hint} "text", "text_pair", "label", "group".',
        code="data.no-lists-in-tables",
    )


def contents(keys: DataKeys, path: Path) -> list[Path]:
    """The files whose bytes decide the rows of a path: of a data set its prepared ones."""
    for split in ("train", "dev", "test"):
        if keys.dataset is not None and split_path(keys, split) == path and not path.is_file():
            return hub_files(keys, str(keys.split(split)))
    return files_of(path)
