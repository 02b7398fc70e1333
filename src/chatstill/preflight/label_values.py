"""The labels of a split: their names, and whether each class is there."""

import re
from collections.abc import Mapping, Sequence

from ..errors import Problem
from ..tasks.base import Labels

_IN_SEVERAL_LINES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def check_label_values(
    seen: Mapping[str, int], labels: Labels, words: Sequence[str], split: str
) -> list[Problem]:
    """Names that files of results can't hold, and classes that a split never shows.

    Training cannot learn such a class, an evaluation cannot see it.

    Args:
        seen: How often each label stands in the file, by its text; numbers other than 0 count as 1.
        labels: The task's label space.
        words: How the files write each class.
        split: ``train`` or ``dev``.
    """
    if split == "train" and (broken := [word for word in words if _IN_SEVERAL_LINES.search(word)]):
        return [_not_in_one_line(broken[0])]
    if labels.kind == "regression" or not seen:
        return []
    found = {word if word in words else words[-1] for word in seen}
    missing = [word for word in words if word not in found]
    if not missing:
        return []
    message = f"no row has the label {', '.join(missing)}"
    if split == "train" and len(found) < 2:
        return [
            Problem(
                "train",
                message,
                "With one class there is nothing to learn.",
                code="labels.absent-in-train",
            )
        ]
    return [Problem(split, message, severity="warning", code="labels.absent-in-dev")]


def _not_in_one_line(word: str) -> Problem:
    return Problem(
        "train",
        f"the label {word!r} holds a TAB, a line end or another control character",
        "Write it in one line: files of results have a line for each row, and TABs between fields.",
        code="labels.not-in-one-line",
    )
