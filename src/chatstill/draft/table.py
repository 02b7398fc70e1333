"""A file of any kind as a ``data`` block: its format, encoding, header, columns and other splits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..tasks.base import Labels
from ..tasks.label_cells import vector_of
from ..tasks.positive import why_no_f1, with_positive
from ..tasks.tables import Layout, Table
from ..tasks.tabular import TabularTask
from ..tasks.tabular_keys import DataKeys
from ..tasks.tabular_labels import label_parts, labels_of
from .class_names import class_names
from .columns import Column, Roles, roles_of
from .dialogues import Dialogues, dialogues_in
from .layout import SAMPLE, layout_of, sample
from .unlabelled import rows_without

DEV = ("dev", "valid", "validation", "val", "eval", "test")
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
        without: How many training rows have no label, in words; empty where all have one.
    """

    name: str
    keys: list[tuple[str, Any, str]]
    num_outputs: int
    texts: list[tuple[str, str | None]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    unlabeled: str = ""
    without: str = ""


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
        raise UserError(
            Problem(str(file), f"{roles}. Columns: {listed}.", hint, code="draft.roles-not-told")
        )
    if layout.columns is not None:
        layout, roles, columns = _named(layout, roles, columns)
    label = next(column for column in columns if column.name == roles.label)
    keys = [*_files(file, layout), *_columns(file, roles, label, layout.encoding)]
    order = [column.name for column in columns]
    at = [order.index(name) for name in (roles.text, roles.text_pair) if name]
    texts = [(row[at[0]], row[at[1]] if len(at) > 1 else None) for row in rows]
    labels = with_positive(_labels(keys), None)
    listed = ", ".join(order)
    seen = [f"data: {file}, columns {listed}; {_told(roles, labels)}"]
    return _drafted(file, keys, labels, texts, seen, ranks=roles.group is not None)


def _of_dialogues(file: Path, layout: Layout, found: Dialogues) -> Drafted:
    """The block of a file whose lines are dialogues with candidate replies."""
    keys = [*_files(file, layout), *found.keys]
    if found.id:
        keys.append(("id", found.id, ID))
    values = Column.of("label", found.labels)
    if found.labels:
        at = next(n for n, (key, _, _) in enumerate(keys) if key == "label")
        keys[at] = (*keys[at][:2], _marked(_values(values), keys[at][2]))
        if grades := _grades(values):
            keys.append(("kind", "relevance", "a guess: grades, the highest belongs in front"))
            keys.append(("labels", grades, "from the lowest to the highest"))
    labels = _labels(keys)
    labels = labels if labels.positive else with_positive(labels, None)
    told = ", ".join(f"{key} '{value}'" for key, value, _ in found.keys)
    seen = [f"data: {file}, a dialogue in each line: {told} ({len(labels.names)} classes)"]
    task = TabularTask(DataKeys(**{key: value for key, value, _ in keys}))
    texts = [(row.first_text, row.text_b) for row in islice(task.read(file, "train"), SAMPLE)]
    return _drafted(file, keys, labels, texts, seen, ranks=True)


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
    found = Drafted(
        name, block, labels.num_outputs, texts, seen, unlabeled, rows_without(file, _block(keys))
    )
    defined = any(key == "chosen" for key, _, _ in keys)
    if defined:  # the candidate that was chosen counts, whatever it is called
        return found
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


def _dev(file: Path) -> tuple[Path, str]:
    """The dev file beside a training file, and a comment.

    Raises:
        UserError: there is none.
    """
    for word in DEV:
        if (other := _beside(file, (word,))) is not None:
            return other, "figures on it are of a test set" if word == "test" else ""
    named = file.stem.casefold()
    stems = (named.replace("train", word) if "train" in named else word for word in DEV[:3])
    names = ", ".join(f"{stem}{file.suffix}" for stem in stems)
    message = f"there are no dev rows beside it: looked for {names} …"
    hint = "Take some rows out of the training file (a tenth, whole groups) and put them there."
    raise UserError(Problem(str(file), message, hint, code="draft.no-dev-rows"))


def _beside(file: Path, words: Sequence[str]) -> Path | None:
    """The file of the same kind that is called as the training file is, with a word for ``train``."""
    stem = file.stem.casefold()
    names = [stem.replace("train", word) if "train" in stem else word for word in words]
    for other in sorted(file.parent.iterdir()):
        if other.stem.casefold() in names and other.suffix == file.suffix and other != file:
            return other
    return None


def _files(file: Path, layout: Layout) -> list[tuple[str, Any, str]]:
    """The keys of the files and of how they are laid out."""
    dev, comment = _dev(file)
    keys: list[tuple[str, Any, str]] = [("train", str(file), ""), ("dev", str(dev), comment)]
    if (test := _beside(file, ("test",))) is not None and test != dev:
        keys.append(("test", str(test), ""))
    more = _beside(file, ("unlabeled", "unlabelled"))
    if more is not None and not layout.columns:  # of a file without names, labels are columns too
        keys.append(("unlabeled", str(more), "rows without labels; the teacher answers them"))
    if layout.format:
        keys.append(("format", layout.format, ""))
    if layout.columns:
        keys.append(("columns", list(layout.columns), "the file has no header line"))
    if layout.delimiter:
        keys.append(("delimiter", layout.delimiter, ""))
    if layout.encoding != "utf-8":
        keys.append(("encoding", layout.encoding, ""))
    return keys


def _columns(file: Path, roles: Roles, label: Column, encoding: str) -> list[tuple[str, Any, str]]:
    keys: list[tuple[str, Any, str]] = [("text", roles.text, roles.guessed.get("text", ""))]
    if roles.text_pair:
        keys.append(("text_pair", roles.text_pair, roles.guessed.get("text_pair", "")))
    keys += _label_keys(file, roles, label, encoding)
    return [*keys, ("id", roles.id, ID)] if roles.id else keys


def _label_keys(
    file: Path, roles: Roles, label: Column, encoding: str
) -> list[tuple[str, Any, str]]:
    """The keys of label and group, and the kind of label."""
    if roles.labels:
        keys: list[tuple[str, Any, str]] = [
            ("label", list(roles.labels), "columns of 0 and 1, one a label")
        ]
        return [*keys, ("kind", "multi_label", "any number of labels a row")]
    keys = [("label", roles.label, _marked(_values(label), roles.guessed.get("label", "")))]
    if roles.group:
        comment = "rows of one group are ranked against each other"
        keys.append(("group", roles.group, _marked(comment, roles.guessed.get("group", ""))))
        if grades := _grades(label):
            keys.append(("kind", "relevance", "a guess: grades, the highest belongs in front"))
            return [*keys, ("labels", grades, "from the lowest to the highest")]
    if label.numeric and not (label.whole and label.few):
        return [*keys, ("kind", "regression", "the labels are numbers of many values")]
    if places := _places(label):
        keys.append(("kind", "multi_label", f"vectors of {places} places, 0 or 1 each"))
        names = class_names(file, places - 1, encoding)
        if names is not None:
            return [*keys, ("labels", names, "the label of each place, one a line")]
        listed = [f"label_{number}" for number in range(1, places + 1)]
        return [*keys, ("labels", listed, "a guess: write the label of each place, in their order")]
    found = [label_parts(value) for value in label.values]
    parts = {part for row in found for part in row}
    if any(len(row) > 1 for row in found) and len(parts) < len(label.values):
        keys.append(("kind", "multi_label", "several labels a row, with commas between them"))
    highest = max(int(float(value)) for value in label.values) if label.whole else 0
    names = class_names(file, highest, encoding) if label.whole else None
    if names is not None:
        keys.append(("labels", names, "one class name a line; the rows hold their numbers"))
    return keys


def _marked(comment: str, guess: str) -> str:
    """A comment with what makes it a guess in front."""
    return f"{guess}; {comment}" if guess else comment


def _grades(label: Column) -> list[int]:
    """Whole numbers of more than two values one after the other, lowest first; else empty."""
    if not (label.whole and label.few):
        return []
    found = sorted({int(float(value)) for value in label.values})
    return found if 2 < len(found) <= 10 and found[-1] - found[0] == len(found) - 1 else []


def _places(label: Column) -> int:
    """Places of the cells, where all of them are vectors of 0 and 1; else 0."""
    found = {len(vector_of(value) or ()) for value in label.values}
    return next(iter(found)) if len(found) == 1 else 0


def _values(label: Column) -> str:
    shown = ", ".join(f"{value} ({count})" for value, count in label.values.most_common(6))
    more = f" … {len(label.values)} values" if len(label.values) > 6 else ""
    return f"in {label.filled:,} rows: {shown}{more}"


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
