"""A file of any kind as a ``data`` block: its format, encoding, header, columns and other splits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..tasks.base import Labels
from ..tasks.positive import why_no_f1, with_positive
from ..tasks.tables import Layout, Table
from ..tasks.tabular import TabularTask
from ..tasks.tabular_keys import DataKeys
from ..tasks.tabular_labels import labels_of
from .beside import TEST, UNLABELED, beside, dev_beside, texts_beside
from .columns import Column, Roles, roles_of
from .dialogues import Dialogues, dialogues_in
from .encoding import GUESS, as_decoded, require_one
from .label_keys import (
    kind_of_candidates,
    label_keys,
    marked,
    names_in_rows,
    no_values,
    numbers_beside,
    values_of,
)
from .layout import SAMPLE, layout_of, sample
from .unlabelled import rows_without

ID = "what a row is called; it stands in predictions.tsv"


@dataclass
class Drafted:
    """What the data say of a configuration.

    Attributes:
        name: For the output folder.
        keys: Key, value and comment of each key that describes them.
        num_outputs: Of a network for them: classes, or 1 for a score.
        texts: First and second text of sampled rows.
        seen: Lines that say what was seen.
        unlabeled: A file of rows without labels beside the training file; empty if there is none.
        classes: Names of which one may count; empty where none may, or the data define it.
        without: How many training rows have no label, in words; empty where all have one.
        columns: Of a table.
    """

    name: str
    keys: list[tuple[str, Any, str]]
    num_outputs: int
    texts: list[tuple[str, str | None]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    unlabeled: str = ""
    without: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def draft_table(file: Path) -> Drafted:
    """The ``data`` block of a training file.

    Raises:
        UserError: the file can't be read, its columns can't be told, or there is no dev file.
    """
    layout = layout_of(file)
    dialogues = dialogues_in(file, layout, layout.format_of(file))
    if dialogues is not None:
        return _of_dialogues(file, layout, dialogues)
    rows = sample(file, layout)
    names = Table(file, layout).columns
    columns = [Column.of(name, [row[n] for row in rows]) for n, name in enumerate(names)]
    roles = roles_of(columns)
    if isinstance(roles, str):
        listed = ", ".join(names)
        hint = "Write the block by hand: docs/data.md. Or make it query TAB reply TAB label."
        if {"chosen", "rejected"} <= set(names):
            hint = "Preferences are read from JSON lines (.jsonl) and Parquet: docs/data.md, Dialogues."
        raise UserError(
            Problem(str(file), f"{roles}. Columns: {listed}.", hint, code="draft.roles-not-told")
        )
    if layout.columns is not None:
        layout, roles, columns = _named(layout, roles, columns)
    label = next(column for column in columns if column.name == roles.label)
    named = [name for name in (roles.text, roles.text_pair) if name]
    files = _files(file, layout, named)
    keys = [*files, *_columns(file, roles, columns, label, layout.encoding)]
    told = [column for column in columns if column.name == roles.names]
    for column in (*told, *numbers_beside(label, columns)):
        keys += names_in_rows(keys, label, column, _labels(keys))
    order = [column.name for column in columns]
    at = [order.index(name) for name in named]
    texts = [(row[at[0]], row[at[1]] if len(at) > 1 else None) for row in rows]
    labels = with_positive(_labels(keys), None)
    listed = ", ".join(order)
    seen = [f"data: {file}, columns {listed}; {_told(roles, labels)}"]
    found = _drafted(file, keys, labels, texts, seen, ranks=roles.group is not None)
    return replace(found, columns=tuple(order))


def _of_dialogues(file: Path, layout: Layout, found: Dialogues) -> Drafted:
    """The block of a file whose lines are dialogues with candidate replies."""
    keys = [*_files(file, layout), *found.keys]
    if found.id:
        keys.append(("id", found.id, ID))
    if found.labels:
        keys = _with_kind(keys, Column.of("label", found.labels))
    labels = _labels(keys)
    labels = labels if labels.positive else with_positive(labels, None)
    told = ", ".join(f"{key} '{value}'" for key, value, _ in found.keys)
    what = f"{len(labels.names)} classes" if labels.names else "a score"
    seen = [f"data: {file}, a dialogue in each line: {told} ({what})"]
    task = TabularTask(DataKeys(**{key: value for key, value, _ in keys}))
    texts = [(row.first_text, row.text_b) for row in islice(task.read(file, "train"), SAMPLE)]
    return _drafted(file, keys, labels, texts, seen, ranks=True)


def _with_kind(keys: list[tuple[str, Any, str]], label: Column) -> list[tuple[str, Any, str]]:
    """The keys of dialogues with what their candidates' labels are."""
    kind = kind_of_candidates(label)
    score = any(value == "regression" for _, value, _ in kind)
    said = marked(values_of(label), no_values(label, score=score))
    found = []
    for key, value, comment in keys:
        if key == "label":
            comment = marked(said, comment)
        elif key == "candidates" and score:
            comment = "each is a row"
        found.append((key, value, comment))
    return [*found, *kind]


def _drafted(
    file: Path,
    keys: list[tuple[str, Any, str]],
    labels: Labels,
    texts: list[tuple[str, str | None]],
    seen: list[str],
    *,
    ranks: bool,
) -> Drafted:
    """The block, and the class that counts."""
    block: list[tuple[str, Any, str]] = [("data", dict_of(keys), "")]
    name = file.parent.name or file.stem
    unlabeled = next((value for key, value, _ in keys if key == "unlabeled"), "")
    encoding = next((value for key, value, _ in keys if key == "encoding"), "utf-8")
    seen += [line for line in [as_decoded(file, encoding)] if line]
    found = Drafted(
        name, block, labels.num_outputs, texts, seen, unlabeled, rows_without(file, _block(keys))
    )
    defined = any(key == "chosen" for key, _, _ in keys)
    if defined:  # the candidate that was chosen counts, whatever it is called
        return found
    graded = any((key, value) == ("kind", "relevance") for key, value, _ in keys)
    if labels.kind == "classification" and not graded:
        found.classes = labels.names
    if labels.positive is not None:
        comment = "the class that counts in f1 and ranking, told by its name"
        block.append(("positive_label", labels.positive, comment))
    elif labels.kind == "classification" and len(labels.names) == 2:
        what = "rows are not ranked" if ranks else "f1 is left out"
        seen.append(f"{what}: {why_no_f1(labels.names)}")
    return found


def dict_of(keys: Sequence[tuple[str, Any, str]]) -> dict[str, tuple[Any, str]]:
    """Key -> value and comment."""
    return {key: (value, comment) for key, value, comment in keys}


def _named(
    layout: Layout, roles: Roles, columns: Sequence[Column]
) -> tuple[Layout, Roles, list[Column]]:
    """Telling names for the columns of a file without a header line."""
    names = {roles.text: "text_a" if roles.text_pair else "text", roles.label: "label"}
    if roles.text_pair:
        names[roles.text_pair] = "text_b"
    renamed = [replace(column, name=names.get(column.name, column.name)) for column in columns]
    pair = names[roles.text_pair] if roles.text_pair else None
    given = tuple(column.name for column in renamed)
    return (
        Layout(layout.format, given, layout.delimiter, layout.encoding),
        replace(roles, text=names[roles.text], text_pair=pair, label="label", group=None),
        renamed,
    )


def _files(file: Path, layout: Layout, texts: Sequence[str] = ()) -> list[tuple[str, Any, str]]:
    """The keys of the files and of how they are laid out; ``texts`` are columns of a table."""
    dev, comment = dev_beside(file)
    keys: list[tuple[str, Any, str]] = [("train", str(file), ""), ("dev", str(dev), comment)]
    if (test := beside(file, TEST)) is not None and test != dev:
        keys.append(("test", str(test), ""))
    more = beside(file, UNLABELED)
    if more is None:
        more = texts_beside(file, texts, layout.encoding)
    if more is not None and not layout.columns:  # of a file without names, labels are columns too
        keys.append(("unlabeled", str(more), "rows without labels; the teacher answers them"))
    if layout.format_of(file) != "parquet":
        require_one(file, layout.encoding, [Path(value) for _, value, _ in keys[1:]])
    if layout.format:
        keys.append(("format", layout.format, ""))
    if layout.columns:
        keys.append(("columns", list(layout.columns), "the file has no header line"))
    if layout.delimiter:
        keys.append(("delimiter", layout.delimiter, ""))
    if layout.encoding != "utf-8":
        guess = GUESS if layout.encoding == "gb18030" else ""
        keys.append(("encoding", layout.encoding, guess))
    return keys


def _columns(
    file: Path, roles: Roles, columns: Sequence[Column], label: Column, encoding: str
) -> list[tuple[str, Any, str]]:
    keys: list[tuple[str, Any, str]] = [("text", roles.text, roles.guessed.get("text", ""))]
    if roles.text_pair:
        keys.append(("text_pair", roles.text_pair, roles.guessed.get("text_pair", "")))
    keys += label_keys(file, roles, columns, label, encoding)
    return [*keys, ("id", roles.id, ID)] if roles.id else keys


def _labels(keys: Sequence[tuple[str, Any, str]]) -> Labels:
    """The label space of the block: of classes that no file lists, those of all training rows."""
    return labels_of(_block(keys))


def _block(keys: Sequence[tuple[str, Any, str]]) -> DataKeys:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v, _ in keys}
    return DataKeys(**values)


def _told(roles: Roles, labels: Labels) -> str:
    if roles.labels:
        return (
            f"text '{roles.text}', labels {', '.join(map(repr, roles.labels))} (columns of 0 and 1)"
        )
    texts = f"text '{roles.text}'" + (f" and '{roles.text_pair}'" if roles.text_pair else "")
    what = f"{len(labels.names)} classes" if labels.names else "a score"
    if labels.kind == "multi_label":
        what = f"any of {len(labels.names)}"
    return f"{texts}, label '{roles.label}' ({what})"
