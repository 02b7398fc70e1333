"""What a ``data`` block and the headers of its files say before anything else is read."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from ..errors import Problem, UserError
from .dialogues import DialogueTable
from .hub_data import HubTable
from .tables import Table
from .tabular_block import Finding, labels, needed
from .tabular_files import files_of, layout_of, no_lists, split_path
from .tabular_keys import DataKeys


def check_block(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    """All that can be known from the block and from the first line of each file.

    Args:
        keys: The block.
        splits: Those that the run reads.
    """
    return [*needed(keys), *labels(keys), *_files(keys, splits), *_unlabeled(keys, splits)]


def missing_columns(
    keys: DataKeys, table: Table | HubTable | DialogueTable, needed: Sequence[str]
) -> list[tuple[str, str, str]]:
    """(key of the block, column, hint) of each needed column that is not there."""
    columns = table.columns
    more = f" {table.no_texts}" if isinstance(table, Table) and table.no_texts else ""
    names = [("text", name) for name in keys.texts]
    names += [("label", name) for name in keys.label_columns]
    others = ("text_pair", "candidates", "chosen", "rejected", "group", "id")
    names += [(key, name) for key in others if (name := getattr(keys, key)) is not None]
    found = []
    for key, name in names:
        if name in columns or name not in needed:
            continue
        near = difflib.get_close_matches(name, columns, n=1, cutoff=0.5)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        if len(columns) == 1 and (parts := [one for one in ";\t|," if one in columns[0]]):
            guess = f'The fields seem to be parted by {parts[0]!r}: set "delimiter" to it. '
        listed = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        found.append((key, name, f"{guess}Columns: {listed}.{more}"))
        more = ""  # once is enough
    return found


def _files(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for split in splits:
        path = split_path(keys, split)
        if path is None:
            hint = f'Name the file: "{split}": "path/to/{split}.csv".'
            found.append(Finding(split, "is missing.", hint, code="data.split-not-named"))
        elif keys.dataset is None:
            found += _file(keys, split, path)
    return found


def _unlabeled(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    """The file of rows without labels: there, and with the columns of the texts."""
    if keys.unlabeled is None or "train" not in splits:
        return []
    texts = keys.without_labels().model_copy(update={"id": None})
    found = _file(texts, "unlabeled", Path(keys.unlabeled))
    if keys.unlabeled == keys.split("train"):
        found.append(
            Finding(
                "unlabeled",
                "is the file of 'train' itself.",
                "Name other rows.",
                code="data.unlabeled-is-train",
            )
        )
    return found


def _labelled_elsewhere(keys: DataKeys) -> bool:
    """Whether the dev file has the label column, so that its name is no slip."""
    path = split_path(keys, "dev")
    files = files_of(path) if path is not None and keys.dataset is None else []
    try:
        columns = Table(files[0], layout_of(keys)).columns if files else ()
        return bool(columns) and set(keys.label_columns) <= set(columns)
    except UserError:
        return False


def _in_file(split: str, problem: Problem) -> Finding:
    message = f"{problem.place}: {problem.message}."
    return Finding(split, message, problem.hint, code=problem.code)


def _file(keys: DataKeys, split: str, path: Path) -> list[Finding]:
    """The first file of a split: there, of a known format, with the columns."""
    files = files_of(path)
    if not files:
        if not path.is_dir():
            return [Finding(split, f"{path} does not exist.", code="data.file-missing")]
        hint = f"A pattern names several files: {path / '*.csv'}"
        return [Finding(split, f"{path} is a folder, not a file.", hint, code="data.folder")]
    if keys.dialogues and (problem := no_lists(keys, files[0])) is not None:
        return [_in_file(split, problem)]
    try:
        table = Table(files[0], layout_of(keys, bare=split == "unlabeled"))
    except UserError as error:
        return [_in_file(split, problem) for problem in error.problems]
    wanted = keys.columns_of_dialogues if keys.dialogues else keys.wanted
    if keys.candidates is not None and keys.rejected is not None:  # a line has one or the other
        lacks = (keys.candidates, keys.chosen, keys.rejected)
        wanted = tuple(name for name in wanted if name not in lacks)
    twice = sorted({n for n in wanted if table.columns.count(n) > 1})
    found = [
        Finding(split, f"{files[0]} has several columns {name!r}.", code="data.column-twice")
        for name in twice
    ]
    lines = layout_of(keys).format_of(files[0]) == "jsonl"
    for key, name, hint in missing_columns(keys, table, wanted):
        message = f"{files[0]} has no column {name!r}."
        if lines:
            message = f"the first row of {files[0]} has no key {name!r}."
        unlabelled = not lines and (key, split) == ("label", "train") and _labelled_elsewhere(keys)
        if unlabelled:
            message, hint = f"{files[0]} has no column {name!r}: rows without labels.", ""
        found.append(
            Finding(
                key,
                message,
                hint,
                unlabelled or (lines and bool(table.columns)),
                code="data.column-missing",
            )
        )
    return found
