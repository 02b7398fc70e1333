"""What the keys of a ``data`` block say by themselves, before any file is looked at."""

from typing import NamedTuple

from ..errors import UserError
from .tabular_keys import DataKeys
from .tabular_labels import SEPARATOR, listed_names


class Finding(NamedTuple):
    """One fault: the key of the block it is about, what is wrong, what to do, or only a warning."""

    key: str
    message: str
    hint: str = ""
    warning: bool = False
    code: str = ""


def needed(keys: DataKeys) -> list[Finding]:
    """Keys that are missing, or that do not fit each other."""
    found = []
    if not keys.texts:
        hint = 'Name the column of the text: "text": "sentence"; several turns: "text": ["a", "b"].'
        found.append(Finding("text", "is missing.", hint, code="data.text-not-named"))
    if keys.dialogues or keys.rejected is not None:
        found += _of_dialogues(keys)
    elif not keys.label_columns:
        found.append(
            Finding(
                "label",
                "is missing.",
                'Name the column of the label: "label": "class".',
                code="data.label-not-named",
            )
        )
    if keys.kind == "relevance" and keys.group_column is None:
        hint = "Rows of equal value there are ranked against each other: a query's id, or its text."
        found.append(
            Finding(
                "group",
                "is missing: grades of relevance are ranked in groups.",
                hint,
                code="data.group-not-named",
            )
        )
    doubled = [name for name in keys.wanted if keys.texts.count(name) > 1]
    if len(keys.label_columns) > 1 and keys.kind != "multi_label":
        hint = 'Columns of 0 and 1, one a label: "kind": "multi_label". Else name one column.'
        found.append(
            Finding(
                "label",
                f"names several columns of a {keys.kind}.",
                hint,
                code="data.several-label-columns",
            )
        )
    for column in keys.label_columns:
        if column in (*keys.texts, keys.text_pair):
            found.append(
                Finding(
                    "label",
                    f"{column!r} is also a text.",
                    "Name another column.",
                    code="data.label-is-a-text",
                )
            )
    if doubled or (keys.text_pair in keys.texts and keys.text_pair is not None):
        name = doubled[0] if doubled else keys.text_pair
        found.append(Finding("text", f"{name!r} is named twice.", "", code="data.text-twice"))
    return [*found, *_of_dataset(keys)]


def _of_dataset(keys: DataKeys) -> list[Finding]:
    """Keys that mean nothing with a data set, or without one."""
    found = []
    if keys.subset is not None and keys.dataset is None:
        found.append(
            Finding(
                "subset",
                "has no effect without 'dataset'.",
                "",
                True,
                code="data.subset-without-effect",
            )
        )
    if keys.dataset is not None:
        for key in ("format", "columns", "delimiter"):
            if getattr(keys, key) is not None:
                message = "has no effect: 'dataset' is read by `datasets`."
                found.append(Finding(key, message, "", True, code="data.format-without-effect"))
    return found


def _of_dialogues(keys: DataKeys) -> list[Finding]:
    """Keys that fit each other where a line holds candidate replies."""
    found = []
    if keys.chosen is None and keys.rejected is not None:
        hint = 'Name the column of the reply that was chosen: "chosen": "chosen".'
        found.append(
            Finding(
                "rejected", "needs 'chosen' beside it.", hint, code="data.rejected-without-chosen"
            )
        )
    elif keys.candidates is None and keys.rejected is None:
        hint = (
            'Name the column of all candidates ("candidates"), or of those not chosen ("rejected").'
        )
        found.append(
            Finding(
                "chosen",
                "stands alone, with nothing to choose from.",
                hint,
                code="data.chosen-alone",
            )
        )
    elif not keys.label_columns:
        hint = (
            'The key that holds a candidate\'s label: "label": "label"; or the column that names the one '
            'that was chosen: "chosen": "chosen".'
        )
        found.append(
            Finding(
                "label",
                "is missing, and so is 'chosen'.",
                hint,
                code="data.neither-label-nor-chosen",
            )
        )
    if keys.chosen is not None and keys.label is not None:
        hint = "The labels are either those of each candidate, or told by the one that was chosen."
        found.append(
            Finding("label", "stands beside 'chosen'.", hint, code="data.label-beside-chosen")
        )
    if isinstance(keys.label, tuple):
        found.append(
            Finding(
                "label",
                "names several columns; a candidate has one label.",
                code="data.several-labels-of-candidates",
            )
        )
    if keys.chosen is not None and keys.kind != "classification":
        found.append(
            Finding(
                "kind",
                f"is {keys.kind!r}, and 'chosen' tells two classes.",
                code="data.kind-beside-chosen",
            )
        )
    for key in ("text_pair", "group"):
        if getattr(keys, key) is not None:
            what = (
                "the candidates are the second text" if key == "text_pair" else "a line is a group"
            )
            found.append(
                Finding(
                    key,
                    f"stands beside candidates: {what}.",
                    "Leave it out.",
                    code="data.key-beside-candidates",
                )
            )
    return found


def labels(keys: DataKeys) -> list[Finding]:
    """What is wrong with the key ``labels``."""
    try:
        names = listed_names(keys)
    except UserError as error:
        return [
            Finding("labels", f"{problem.message}.", problem.hint, code=problem.code)
            for problem in error.problems
        ]
    if names is None:
        if keys.kind == "relevance":
            hint = 'For example: "labels": ["bad", "fair", "good"] or [0, 1, 2].'
            return [
                Finding(
                    "labels",
                    "is missing: the grades from the lowest to the highest.",
                    hint,
                    code="data.grades-not-named",
                )
            ]
        return []
    if keys.kind == "regression":
        return [
            Finding(
                "labels",
                "has no effect: labels of a regression are numbers.",
                "",
                True,
                code="data.labels-without-effect",
            )
        ]
    found = []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found.append(Finding("labels", f"names {twice[0]!r} twice.", code="data.label-name-twice"))
    columns = len(keys.label_columns)
    if columns > 1 and len(names) != columns:
        message = f"names {len(names)} labels, and 'label' names {columns} columns."
        found.append(
            Finding(
                "labels",
                message,
                "One name a column, in their order; or leave it out.",
                code="data.labels-unlike-columns",
            )
        )
    least = 1 if keys.kind == "multi_label" else 2
    if len(names) < least:
        found.append(
            Finding(
                "labels",
                f"names {len(names)} labels, at least {least} are needed.",
                code="data.too-few-labels",
            )
        )
    broken = [name for name in names if any(sign in name for sign in "\t\n\r")]
    broken += [name for name in names if keys.kind == "multi_label" and SEPARATOR in name]
    if "" in names or broken:
        shown = repr(broken[0]) if broken else "an empty name"
        found.append(
            Finding(
                "labels",
                f"holds {shown}, which can't be told apart in a row.",
                code="data.label-name-faulty",
            )
        )
    return found
