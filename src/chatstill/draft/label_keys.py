"""The keys of a ``data`` block that say what a label is, told by the cells of its column."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..tasks.base import Labels
from ..tasks.label_cells import vector_of
from ..tasks.positive import with_positive
from ..tasks.tabular_found import INTEGER
from ..tasks.tabular_labels import label_parts
from .class_names import class_names
from .columns import Column, Roles
from .label_words import told_by, words_of

Key = tuple[str, Any, str]
SIGNS = ";；、|"  # that stand between labels in exports
MOST_GRADES = 20  # of candidates; more whole numbers than these are a score
# Written by programs where there is no value. The reader takes an empty cell alone for that.
NO_VALUE = frozenset(("nan", "none", "null", "nil", "n/a", "na", "<na>", "#n/a"))


def label_keys(
    file: Path, roles: Roles, columns: Sequence[Column], label: Column, encoding: str
) -> list[Key]:
    """The keys of label and group, and the kind of label.

    Args:
        file: The training rows.
        roles: What the columns are.
        columns: All of them.
        label: That of the label, or the first of those of 0 and 1.
        encoding: Of the rows.
    """
    names = next((column for column in columns if column.name == roles.names), None)
    if roles.labels:
        comment = marked("columns of 0 and 1, one a label", _said_again(names))
        keys: list[Key] = [("label", list(roles.labels), comment)]
        return [*keys, ("kind", "multi_label", "any number of labels a row")]
    _require_commas(file, label)
    numbers = _numbers(label)
    score = numbers.numeric and not (numbers.whole and numbers.few)
    guess = marked(no_values(label, score=score), roles.guessed.get("label", ""))
    keys = [("label", roles.label, marked(values_of(label), marked(_said_again(names), guess)))]
    if roles.group:
        comment = "rows of one group are ranked against each other"
        comment = "rows of one group; scores are learned as numbers" if score else comment
        keys.append(("group", roles.group, marked(comment, roles.guessed.get("group", ""))))
        if grades := _grades(label):
            return [*keys, *_of_grades(grades)]
    if score:
        return [*keys, ("kind", "regression", "the labels are numbers of many values")]
    if places := _places(label):
        keys.append(("kind", "multi_label", f"vectors of {places} places, 0 or 1 each"))
        listed = class_names(file, places - 1, encoding)
        if listed is not None:
            return [*keys, ("labels", listed, "the label of each place, one a line")]
        listed = [f"label_{number}" for number in range(1, places + 1)]
        return [*keys, ("labels", listed, "a guess: write the label of each place, in their order")]
    found = [label_parts(value) for value in label.values]
    parts = {part for row in found for part in row}
    if any(len(row) > 1 for row in found) and len(parts) < len(label.values):
        keys[0] = (*keys[0][:2], marked(_parts_of(label), guess))
        keys.append(("kind", "multi_label", "several labels a row: lists, or commas between them"))
    highest = max(int(float(value)) for value in label.values) if label.whole else 0
    listed = class_names(file, highest, encoding) if label.whole else None
    if listed is not None:
        keys.append(("labels", listed, "one class name a line; the rows hold their numbers"))
    return keys


def kind_of_candidates(label: Column) -> list[Key]:
    """The kind of label of candidates: none for classes, grades of relevance, or a score."""
    if grades := _grades(label):
        return _of_grades(grades)
    numbers = _numbers(label)
    if numbers.numeric and (not numbers.whole or len(numbers.values) > MOST_GRADES):
        return [("kind", "regression", "a guess: numbers of many values, learned as they are")]
    return []


def numbers_beside(label: Column, columns: Sequence[Column]) -> list[Column]:
    """A column of whole numbers that has one of them for each name of a label."""
    if label.numeric:
        return []
    others = [column for column in columns if column is not label]
    return [column for column in told_by([label], others) if column.whole][:1]


def names_in_rows(keys: Sequence[Key], label: Column, other: Column, found: Labels) -> list[Key]:
    """Class names in the order of the numbers beside them; empty where they tell no order.

    Numbers count from 0 without a gap, in all training rows as in the sample, and each has a name of its
    own. Of two classes the names have to tell which one counts, as 0 and 1 do.

    Args:
        keys: The block so far.
        label: Column of the label: the numbers, or their names.
        other: A column with one value for each label: the names, or their numbers.
        found: The label space of all training rows.
    """
    words = words_of(label, other) if label.whole else words_of(other, label)
    counted = sorted(words, key=lambda cell: (len(cell), cell))
    numbers = [str(number) for number in range(len(words))]
    listed = [words[number] for number in counted]
    if any(key in ("kind", "labels") for key, _, _ in keys) or counted != numbers:
        return []
    held = numbers if label.whole else listed
    if sorted(found.names) != sorted(held) or len(set(listed)) < max(2, len(listed)):
        return []
    if any(INTEGER.fullmatch(name) or set(name) & set("\t\r\n") for name in listed):
        return []
    space = Labels("classification", tuple(listed))
    if len(listed) == 2 and with_positive(space, None).positive is None:
        return []
    if label.whole:
        return [("labels", listed, f"from '{other.name}', in the order of the numbers")]
    return [("labels", listed, f"in the order of the numbers in '{other.name}'")]


def marked(comment: str, guess: str) -> str:
    """A comment with what makes it a guess in front."""
    return "; ".join(part for part in (guess, comment) if part)


def values_of(label: Column) -> str:
    """The values of a label for its comment: the most frequent ones, and how many there are."""
    shown = ", ".join(f"{value} ({count})" for value, count in label.values.most_common(6))
    more = f" … {len(label.values)} values" if len(label.values) > 6 else ""
    return f"in {label.filled:,} rows: {shown}{more}"


def _parts_of(label: Column) -> str:
    """The same of the labels that several of stand in a cell, each for itself."""
    counts: Counter[str] = Counter()
    for value, count in label.values.items():
        for part in label_parts(value):
            counts[part] += count
    shown = ", ".join(f"{part} ({count})" for part, count in counts.most_common(6))
    more = f" … {len(counts)} labels" if len(counts) > 6 else ""
    return f"in {label.filled:,} rows with labels: {shown}{more}"


def no_values(label: Column, *, score: bool) -> str:
    """What becomes of cells such as ``NaN``, where a label has them; else empty."""
    found = sorted(value for value in label.values if value.casefold() in NO_VALUE)
    if not found:
        return ""
    listed = " and ".join(f"'{value}' ({label.values[value]})" for value in found)
    verb = "is" if len(found) == 1 else "are"
    if score:
        return f"{listed} {verb} no number and will be refused: an empty cell means no label"
    what = "a class" if len(found) == 1 else "classes"
    return f"{listed} {verb} read as {what}: an empty cell means no label"


def _said_again(names: Column | None) -> str:
    if names is None:
        return ""
    return f"'{names.name}' has one value for each label: as a text it would give it away"


def _require_commas(file: Path, label: Column) -> None:
    """Several labels a row stand with commas between them.

    Raises:
        UserError: another sign stands between labels that come alone, or with others, too.
    """
    for sign in SIGNS:
        cells = [[part.strip() for part in value.split(sign)] for value in label.values]
        parts = {part for cell in cells for part in cell}
        if sum(len(cell) > 1 for cell in cells) > 1 and len(parts) < len(cells):
            shown = ", ".join(repr(part) for part in sorted(parts)[:4])
            message = f"'{label.name}' holds several labels a row, with {sign!r} between them ({shown} …)."
            hint = "A comma parts them, or they are a JSON list (names may hold commas there): write them so."
            raise UserError(Problem(str(file), message, hint, code="draft.labels-between-others"))


def _numbers(label: Column) -> Column:
    """The column without cells such as ``NaN``."""
    return Column.of(label.name, [cell for cell in label.cells if cell.casefold() not in NO_VALUE])


def _of_grades(grades: list[int]) -> list[Key]:
    return [
        ("kind", "relevance", "a guess: grades, the highest belongs in front"),
        ("labels", grades, "from the lowest to the highest"),
    ]


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
