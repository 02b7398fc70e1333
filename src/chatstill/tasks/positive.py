"""The class that counts: which of two classes ``f1``, the threshold and the ranking metrics are about.

A key of the configuration says it, or a pair of words whose meaning is plain. The order of the classes
never does: names found in rows are sorted, and a sort knows no meaning.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from ..errors import Problem, UserError
from ..figures import names_text
from .base import Labels

KEY = "positive_label"

# (the other class, the one that counts). docs/data.md lists them.
PLAIN_PAIRS: tuple[tuple[str, str], ...] = (
    ("0", "1"),
    ("-1", "1"),
    ("-1", "+1"),
    ("0.0", "1.0"),
    ("false", "true"),
    ("f", "t"),
    ("no", "yes"),
    ("n", "y"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("incorrect", "correct"),
    ("wrong", "correct"),
    ("wrong", "right"),
    ("bad", "good"),
    ("irrelevant", "relevant"),
    ("unrelated", "related"),
    ("mismatch", "match"),
    ("unmatched", "matched"),
    ("dissimilar", "similar"),
    ("different", "same"),
    ("unacceptable", "acceptable"),
    ("invalid", "valid"),
    ("unanswerable", "answerable"),
    ("rejected", "accepted"),
    ("reject", "accept"),
    ("fail", "pass"),
    ("ham", "spam"),
    ("否", "是"),
    ("错", "对"),
    ("错误", "正确"),
    ("负", "正"),
    ("负面", "正面"),
    ("负向", "正向"),
    ("消极", "积极"),
    ("差评", "好评"),
    ("差", "好"),
    ("坏", "好"),
    ("假", "真"),
    ("无", "有"),
    ("无关", "相关"),
    ("无关", "有关"),
    ("失败", "成功"),
    ("拒绝", "接受"),
)
# One name is the other one behind a word of negation: not_duplicate, no-match, non entailment, 不相关.
NEGATIONS = re.compile(r"(?:not|no|non)[\s_-]+(.+)|(?:没有|[不非未无没])(.+)")
_PLAIN = frozenset(PLAIN_PAIRS)


def plain_positive(names: Sequence[str]) -> str | None:
    """The one of two class names that counts by its meaning, such as ``good``; None if neither does."""
    if len(names) != 2:
        return None
    words = [" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in names]
    for other, word in ((0, 1), (1, 0)):
        if (words[other], words[word]) in _PLAIN:
            return names[word]
        denied = NEGATIONS.fullmatch(words[other])
        if denied and words[word] == (denied[1] or denied[2]):
            return names[word]
    return None


def with_positive(labels: Labels, wanted: str | int | bool | None) -> Labels:
    """The label space with the class that counts; of two classes it comes last in ``names``.

    Args:
        labels: As the rows, the block or a class of a plugin give it.
        wanted: The configuration's ``positive_label``, None where it has none.

    Raises:
        UserError: the key names no class of the task, or the task has no classes.
    """
    if labels.kind != "classification":
        if wanted is None:
            return labels
        what = "numbers" if labels.kind == "regression" else "any number of labels a row"
        raise UserError(no_effect(f"this task's labels are {what}, and none of them counts alone"))
    name = plain_positive(labels.names) if wanted is None else named_class(wanted, labels.names)
    if name is None or len(labels.names) != 2 or name == labels.names[1]:
        return replace(labels, positive=name)
    synonyms = labels.synonyms[::-1] if len(labels.synonyms) == 2 else labels.synonyms
    return replace(
        labels,
        names=labels.names[::-1],
        synonyms=synonyms,
        columns=labels.numbered,
        positive=name,
    )


def only_positive(labels: Labels, wanted: str | int | bool | None, task: str) -> None:
    """Of a task that defines itself which class counts, the key may say that, and nothing else.

    Raises:
        UserError: it names another class, or no class.
    """
    if wanted is None:
        return
    if labels.positive is None:
        raise UserError(no_effect(f"no figure of {task} is about one class"))
    known = {labels.positive, "1", *(labels.synonyms[-1:] or ((),))[0]}
    if (
        str(int(wanted) if isinstance(wanted, bool) else wanted) not in known
        and named_class(wanted, labels.names) != labels.positive
    ):
        message = f"is {wanted!r}, but {task} defines that {labels.positive!r} counts"
        hint = 'Leave it out; for a task of your own, describe the rows in the block "data".'
        raise UserError(Problem(KEY, message, hint, code="positive-label.defined-by-the-task"))


def no_effect(reason: str) -> Problem:
    """The key stands where no class counts alone."""
    return Problem(
        KEY, f"has no effect: {reason}", "Leave it out.", code="positive-label.without-effect"
    )


def missing_positive(names: Sequence[str]) -> Problem:
    """Rows are to be ranked by two classes, and nothing tells which of them belongs in front."""
    first, second = (repr(name) for name in names)
    message = (
        f"is missing: rows of a group are ranked, and neither {first} nor {second} says by its name "
        "that it is the relevant class"
    )
    hint = (
        f'Name the class of the rows that belong in front: "{KEY}": "{names[0]}", or "{names[1]}".'
    )
    return Problem(KEY, message, hint, code="positive-label.missing")


def why_no_f1(names: Sequence[str]) -> str:
    """Why ``f1`` has no value: nothing tells which of two classes it is about."""
    first, second = (repr(name) for name in names)
    return f'neither {first} nor {second} says by its name that it counts; "{KEY}" names the one'


def why_no_ranking(names: Sequence[str]) -> str:
    """Why rows in groups are not ranked: nothing tells by which of several classes."""
    return f'nothing tells which of {len(names)} classes belongs in front; "{KEY}" names it'


def named_class(wanted: str | int | bool, names: Sequence[str]) -> str:
    """The class that a value of the key names.

    Raises:
        UserError: no class is called so.
    """
    text = str(wanted).strip()
    if isinstance(wanted, bool):  # JSON's true; a file may hold True, true or 1
        text = next((n for n in names if n.casefold() == text.casefold()), str(int(wanted)))
    if text in names:
        return text
    raise UserError(
        Problem(
            KEY,
            f"names {text!r}, which is no class of the task",
            f"One of: {names_text(names, 12)}.",
            code="positive-label.no-class",
        )
    )
