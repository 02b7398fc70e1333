"""Which output column of a model is which label of the task: by name or index, or one logit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem
from ..figures import names_text
from ..tasks.base import Labels, Objective
from ..tasks.label_names import index_in, same_names
from ..tasks.positive import plain_positive


@dataclass(frozen=True)
class LabelMatch:
    """How a model's outputs face the task's labels.

    Attributes:
        order: For each task label the model's column; ``[0]`` for regression and sigmoid scorers,
            empty if nothing could be matched (then ``problems`` holds an error).
        objective: How the model answers the task.
        problems: Errors and warnings.
        note: The order that was assumed where the model does not name its outputs, for the plan.
    """

    order: list[int]
    objective: Objective
    problems: list[Problem] = field(default_factory=list)
    note: str = ""

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "warning"]


def match_labels(model_config: Any, labels: Labels, *, role: str = "teacher") -> LabelMatch:
    """Matches a model's ``id2label`` with the task's labels.

    Names and synonyms are compared as ``same_names`` does it; ``LABEL_1`` and ``1`` are indices; one
    logit on a two-class task scores label 1 through a sigmoid.

    Args:
        model_config: Configuration of a transformers classifier, or anything with ``id2label``.
        labels: The task's label space.
        role: ``teacher``, ``student`` ...; appears in messages.
    """
    names = output_names(model_config)
    if labels.kind == "regression":
        if len(names) == 1:
            return LabelMatch([0], "regression")
        return LabelMatch([], "regression", [_wrong_count(names, labels, role)])
    if labels.kind == "multi_label":
        return _match_multi_label(model_config, names, labels, role)
    if len(names) == 1 and len(labels.names) == 2:
        problems = _check_scorer(names[0], labels, role)
        fits = all(problem.severity == "warning" for problem in problems)
        return LabelMatch([0] if fits else [], "sigmoid", problems)
    if len(names) != len(labels.names):
        return LabelMatch([], "cross_entropy", [_wrong_count(names, labels, role)])
    order, problems, note = _match_names(names, labels, role)
    return LabelMatch(order, "cross_entropy", problems, note)


def _match_multi_label(
    model_config: Any, names: Sequence[str], labels: Labels, role: str
) -> LabelMatch:
    """A column for each label, of a model that answers them one by one."""
    if len(names) != len(labels.names):
        return LabelMatch([], "multi_label", [_wrong_count(names, labels, role)])
    order, problems, note = _match_names(names, labels, role)
    if getattr(model_config, "problem_type", None) == "single_label_classification":
        message = (
            f"the {role} was trained to choose one label of {len(names)} (problem_type in its "
            "config), the task's rows have any number of them"
        )
        hint = "Its logits are read label by label all the same: above 0 the label applies."
        problems = [
            *problems,
            Problem(
                f"{role}: problem_type",
                message,
                hint,
                "warning",
                code="labels.trained-to-choose-one",
            ),
        ]
    return LabelMatch(order, "multi_label", problems, note)


def output_names(model_config: Any) -> list[str]:
    """The model's label names by column; gaps in the numbering become ``LABEL_<column>``."""
    by_column = {int(k): str(v) for k, v in (getattr(model_config, "id2label", None) or {}).items()}
    count = max(by_column, default=-1) + 1
    return [by_column.get(column, f"LABEL_{column}") for column in range(count)]


def _match_names(
    names: Sequence[str], labels: Labels, role: str
) -> tuple[list[int], list[Problem], str]:
    """Columns by name, then by index; what is left over is taken in order, with a warning."""
    by_name = _named(names, labels)
    if sorted(label for label in by_name if label is not None) == list(range(len(names))):
        return [by_name.index(label) for label in range(len(names))], [], ""
    by_index = [index_in(name) for name in names]
    if sorted(index for index in by_index if index is not None) == list(range(len(names))):
        order = [by_index.index(labels.numbered.index(name)) for name in labels.names]
        warned = [] if labels.settled else [_only_numbered(names, labels, role, order)]
        return order, warned, _assumed(labels, role, order)
    if (by_meaning := _by_meaning(names, labels)) is not None:
        return by_meaning, [_told_by_meaning(names, labels, role, by_meaning)], ""
    known = [label for label in by_name if label is not None]
    if len(set(known)) != len(known):  # two columns claim one label: names prove nothing
        by_name = [None] * len(names)
    free_columns = [column for column, label in enumerate(by_name) if label is None]
    free_labels = [
        label
        for label in (labels.names.index(name) for name in labels.numbered)
        if label not in by_name
    ]
    order = [0] * len(names)
    for column, label in enumerate(by_name):
        if label is not None:
            order[label] = column
    for column, label in zip(free_columns, free_labels, strict=True):
        order[label] = column
    guessed = ", ".join(
        f"{names[order[label]]!r} (column {order[label]}) as {labels.names[label]!r}"
        for label in free_labels
    )
    message = (
        f"the {role}'s labels {_listing(names)} do not match the task's {_listing(labels.numbered)} "
        f"by name; taken by index: {guessed}. It may be a {role} of another task"
    )
    return (
        order,
        [
            Problem(
                f"{role}: id2label",
                message,
                _to_be_sure(labels),
                "warning",
                code="labels.matched-by-index",
            )
        ],
        "",
    )


def _by_meaning(names: Sequence[str], labels: Labels) -> list[int] | None:
    """Columns of two classes of other names, where words tell on both sides which class counts."""
    counts = plain_positive(names)
    if counts is None or len(labels.names) != 2 or labels.positive is None:
        return None
    if any(label is not None for label in _named(names, labels)):
        return None
    column, label = list(names).index(counts), labels.names.index(labels.positive)
    return [column, 1 - column] if label == 0 else [1 - column, column]


def _told_by_meaning(
    names: Sequence[str], labels: Labels, role: str, order: Sequence[int]
) -> Problem:
    taken = ", ".join(f"{names[column]!r} as {labels.names[n]!r}" for n, column in enumerate(order))
    message = (
        f"the {role}'s labels {_listing(names)} do not match the task's {_listing(labels.numbered)} "
        f"by name; taken by their meaning: {taken}. It may be a {role} of another task"
    )
    return Problem(
        f"{role}: id2label",
        message,
        _to_be_sure(labels),
        "warning",
        code="labels.matched-by-meaning",
    )


def _assumed(labels: Labels, role: str, order: Sequence[int]) -> str:
    """The order that stands for the names that a network does not give, for the plan."""
    taken = ", ".join(f"output {order[n]} is {name}" for n, name in _in_columns(labels, order))
    key = f"; {labels.key} or id2label changes it" if labels.key else "; id2label changes it"
    return f"the {role} does not name its outputs, taken in the order of the classes: {taken}{key}"


def _in_columns(labels: Labels, order: Sequence[int]) -> list[tuple[int, str]]:
    return sorted(enumerate(labels.names), key=lambda item: order[item[0]])


def _to_be_sure(labels: Labels) -> str:
    hint = "Name the labels of the task in id2label of the model's config.json to be sure"
    if labels.key:
        hint += f", or list them in {labels.key} in the order of the outputs"
    return hint + "."


def _only_numbered(
    names: Sequence[str], labels: Labels, role: str, order: Sequence[int]
) -> Problem:
    """Numbers without names, on a task whose classes are numbered differently by different tools."""
    taken = ", ".join(f"{order[n]} as {name}" for n, name in _in_columns(labels, order))
    message = (
        f"the {role} numbers its labels {_listing(names)} and does not name them; taken: {taken}. "
        "Tools differ in this order"
    )
    return Problem(
        f"{role}: id2label", message, _to_be_sure(labels), "warning", code="labels.numbered"
    )


def _check_scorer(name: str, labels: Labels, role: str) -> list[Problem]:
    """A lone logit scores the label that it is named like: that has to be label 1."""
    label = _named([name], labels)[0]
    if index_in(name) is not None or label == 1:
        return []
    place, said = f"{role}: id2label", f"the {role} has one logit, named {name!r}"
    if label == 0:
        message = f"{said}: the class that does not count here; {labels.names[1]!r} does"
        hint = f'Write "positive_label": "{name}", or correct the name in its config.json.'
        return [Problem(place, message, hint, code="labels.scorer-of-other-label")]
    message = (
        f"{said}, which is no class of the task; it is taken as the score of {labels.names[1]!r}"
    )
    return [Problem(place, message, "", "warning", code="labels.scorer-of-unknown-name")]


def _wrong_count(names: Sequence[str], labels: Labels, role: str) -> Problem:
    found = f"{len(names)} output{'s' if len(names) != 1 else ''} {_listing(names)}"
    if labels.kind == "regression":
        wanted = "a regression of 1 output"
    else:
        wanted = f"{len(labels.names)} labels {_listing(labels.names)}"
    message = f"the {role} has {found}, the task needs {wanted}"
    hint = "Take a model that was fine-tuned on this task, or fine-tune one with `chatstill teach`."
    return Problem(f"{role}: id2label", message, hint, code="labels.wrong-count")


def _named(names: Sequence[str], labels: Labels) -> list[int | None]:
    """The label that each name is, by the label's name or one of its synonyms."""
    others = labels.synonyms or ((),) * len(labels.names)
    return same_names(
        names, [(label, *more) for label, more in zip(labels.names, others, strict=True)]
    )


def _listing(names: Sequence[str]) -> str:
    return f"({names_text(names)})"


def positive_column(labels: Labels, match: LabelMatch) -> int:
    """The output of the class that counts, of two classes; 1 for other tasks."""
    if match.objective != "cross_entropy" or len(labels.names) != 2 or len(match.order) != 2:
        return 1
    counts = 1 if labels.positive is None else labels.names.index(labels.positive)
    return match.order[counts]


def column_names(config: Any, labels: Labels, match: LabelMatch) -> list[str]:
    """Label names by output column: the model's own where it has some, else the task's."""
    of_network = output_names(config)
    named = not all(name.upper() == f"LABEL_{i}" for i, name in enumerate(of_network))
    if named or match.objective != "cross_entropy":
        return of_network if named else []
    names = [""] * len(of_network)
    for label, column in enumerate(match.order):
        names[column] = labels.names[label]
    return names
