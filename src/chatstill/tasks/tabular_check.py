"""What a ``data`` block and the headers of its files say before anything else is read."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from .tables import Table
from .tabular_files import files_of, layout_of, no_lists, split_path
from .tabular_keys import DataKeys
from .tabular_labels import SEPARATOR, listed_names


class Finding(NamedTuple):
    """One fault: the key of the block it is about, what is wrong, what to do, or only a warning."""

    key: str
    message: str
    hint: str = ""
    warning: bool = False


def check_block(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    """All that can be known from the block and from the first line of each file.

    Args:
        keys: The block.
        splits: Those that the run reads.
    """
    return [*_needed(keys), *_labels(keys), *_files(keys, splits), *_unlabeled(keys, splits)]


def missing_columns(
    keys: DataKeys, columns: Sequence[str], needed: Sequence[str]
) -> list[tuple[str, str, str]]:
    """(key of the block, column, hint) of each needed column that is not there."""
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
        listed = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        found.append((key, name, f"{guess}Columns: {listed}."))
    return found


def _needed(keys: DataKeys) -> list[Finding]:
    found = []
    if not keys.texts:
        hint = 'Name the column of the text: "text": "sentence"; several turns: "text": ["a", "b"].'
        found.append(Finding("text", "is missing.", hint))
    if keys.dialogues or keys.rejected is not None:
        found += _of_dialogues(keys)
    elif not keys.label_columns:
        found.append(
            Finding("label", "is missing.", 'Name the column of the label: "label": "class".')
        )
    if keys.kind == "relevance" and keys.group_column is None:
        hint = "Rows of equal value there are ranked against each other: a query's id, or its text."
        found.append(
            Finding("group", "is missing: grades of relevance are ranked in groups.", hint)
        )
    doubled = [name for name in keys.wanted if keys.texts.count(name) > 1]
    if len(keys.label_columns) > 1 and keys.kind != "multi_label":
        hint = 'Columns of 0 and 1, one a label: "kind": "multi_label". Else name one column.'
        found.append(Finding("label", f"names several columns of a {keys.kind}.", hint))
    for column in keys.label_columns:
        if column in (*keys.texts, keys.text_pair):
            found.append(Finding("label", f"{column!r} is also a text.", "Name another column."))
    if doubled or (keys.text_pair in keys.texts and keys.text_pair is not None):
        name = doubled[0] if doubled else keys.text_pair
        found.append(Finding("text", f"{name!r} is named twice.", ""))
    return [*found, *_of_dataset(keys)]


def _of_dataset(keys: DataKeys) -> list[Finding]:
    """Keys that mean nothing with a data set, or without one."""
    found = []
    if keys.subset is not None and keys.dataset is None:
        found.append(Finding("subset", "has no effect without 'dataset'.", "", True))
    if keys.dataset is not None:
        for key in ("format", "columns", "delimiter"):
            if getattr(keys, key) is not None:
                message = "has no effect: 'dataset' is read by `datasets`."
                found.append(Finding(key, message, "", True))
    return found


def _of_dialogues(keys: DataKeys) -> list[Finding]:
    """Keys that fit each other where a line holds candidate replies."""
    found = []
    if keys.chosen is None and keys.rejected is not None:
        hint = 'Name the column of the reply that was chosen: "chosen": "chosen".'
        found.append(Finding("rejected", "needs 'chosen' beside it.", hint))
    elif keys.candidates is None and keys.rejected is None:
        hint = (
            'Name the column of all candidates ("candidates"), or of those not chosen ("rejected").'
        )
        found.append(Finding("chosen", "stands alone, with nothing to choose from.", hint))
    elif not keys.label_columns:
        hint = (
            'The key that holds a candidate\'s label: "label": "label"; or the column that names the one '
            'that was chosen: "chosen": "chosen".'
        )
        found.append(Finding("label", "is missing, and so is 'chosen'.", hint))
    if keys.chosen is not None and keys.label is not None:
        hint = "The labels are either those of each candidate, or told by the one that was chosen."
        found.append(Finding("label", "stands beside 'chosen'.", hint))
    if isinstance(keys.label, tuple):
        found.append(Finding("label", "names several columns; a candidate has one label."))
    if keys.chosen is not None and keys.kind != "classification":
        found.append(Finding("kind", f"is {keys.kind!r}, and 'chosen' tells two classes."))
    for key in ("text_pair", "group"):
        if getattr(keys, key) is not None:
            what = (
                "the candidates are the second text" if key == "text_pair" else "a line is a group"
            )
            found.append(Finding(key, f"stands beside candidates: {what}.", "Leave it out."))
    return found


def _labels(keys: DataKeys) -> list[Finding]:
    try:
        names = listed_names(keys)
    except UserError as error:
        return [
            Finding("labels", problem.message + ".", problem.hint) for problem in error.problems
        ]
    if names is None:
        if keys.kind == "relevance":
            hint = 'For example: "labels": ["bad", "fair", "good"] or [0, 1, 2].'
            return [
                Finding("labels", "is missing: the grades from the lowest to the highest.", hint)
            ]
        return []
    if keys.kind == "regression":
        return [Finding("labels", "has no effect: labels of a regression are numbers.", "", True)]
    found = []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found.append(Finding("labels", f"names {twice[0]!r} twice."))
    columns = len(keys.label_columns)
    if columns > 1 and len(names) != columns:
        message = f"names {len(names)} labels, and 'label' names {columns} columns."
        found.append(
            Finding("labels", message, "One name a column, in their order; or leave it out.")
        )
    least = 1 if keys.kind == "multi_label" else 2
    if len(names) < least:
        found.append(Finding("labels", f"names {len(names)} labels, at least {least} are needed."))
    broken = [name for name in names if any(sign in name for sign in "\t\n\r")]
    broken += [name for name in names if keys.kind == "multi_label" and SEPARATOR in name]
    if "" in names or broken:
        shown = repr(broken[0]) if broken else "an empty name"
        found.append(Finding("labels", f"holds {shown}, which can't be told apart in a row."))
    return found


def _files(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for split in splits:
        path = split_path(keys, split)
        if path is None:
            hint = f'Name the file: "{split}": "path/to/{split}.csv".'
            found.append(Finding(split, "is missing.", hint))
        elif keys.dataset is None:
            found += _file(keys, split, path)
    return found


def _unlabeled(keys: DataKeys, splits: Sequence[str]) -> list[Finding]:
    """The file of rows without labels: there, and with the columns of the texts."""
    if keys.unlabeled is None or "train" not in splits:
        return []
    texts = keys.without_labels()
    found = _file(texts, "unlabeled", Path(keys.unlabeled))
    if keys.unlabeled == keys.split("train"):
        found.append(Finding("unlabeled", "is the file of 'train' itself.", "Name other rows."))
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


def _file(keys: DataKeys, split: str, path: Path) -> list[Finding]:
    """The first file of a split: there, of a known format, with the columns."""
    files = files_of(path)
    if not files:
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        hint = f"A pattern names several files: {path / '*.csv'}" if path.is_dir() else ""
        return [Finding(split, f"{path} {what}.", hint)]
    if keys.dialogues and (problem := no_lists(keys, files[0])) is not None:
        return [Finding(split, f"{problem.place}: {problem.message}.", problem.hint)]
    try:
        table = Table(files[0], layout_of(keys))
    except UserError as error:
        return [
            Finding(split, f"{problem.place}: {problem.message}.", problem.hint)
            for problem in error.problems
        ]
    wanted = keys.columns_of_dialogues if keys.dialogues else keys.wanted
    if keys.candidates is not None and keys.rejected is not None:  # a line has one or the other
        lacks = (keys.candidates, keys.chosen, keys.rejected)
        wanted = tuple(name for name in wanted if name not in lacks)
    twice = sorted({n for n in wanted if table.columns.count(n) > 1})
    found = [Finding(split, f"{files[0]} has several columns {name!r}.") for name in twice]
    lines = layout_of(keys).format_of(files[0]) == "jsonl"
    for key, name, hint in missing_columns(keys, table.columns, wanted):
        message = f"{files[0]} has no column {name!r}."
        if lines:
            message = f"the first row of {files[0]} has no key {name!r}."
        unlabelled = not lines and (key, split) == ("label", "train") and _labelled_elsewhere(keys)
        if unlabelled:
            message, hint = f"{files[0]} has no column {name!r}: rows without labels.", ""
        found.append(Finding(key, message, hint, unlabelled or (lines and bool(table.columns))))
    return found
