"""Which teacher layer faces, starts or is replaced by which student layer.

Layers that are copied or replaced are counted from 0; layers that are matched as features are:
hidden state 0 is the embedding output.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from ..errors import Problem, UserError

InitialLayers = Literal["first", "last", "evenly"] | Sequence[int]
Grouping = Sequence[int] | Sequence[Sequence[int]]


def initial_layers(num_teacher: int, num_student: int, how: InitialLayers = "first") -> list[int]:
    """The teacher layers that the student's layers start from.

    Args:
        num_teacher: Layers of the teacher.
        num_student: Layers of the student.
        how: ``first``: 0, 1, 2 ... ``evenly``: from the first to the last layer in equal steps,
            each rounded to the nearest layer and a half downwards: 12 -> 6 gives 0, 2, 4, 7, 9, 11
            (DistilBERT's choice), 6 -> 3 gives 0, 2, 5. One layer alone is the teacher's first.
            ``last``: its last ones. A list names them.

    Raises:
        UserError: the student has more layers than the teacher, or none; a list of another length or
            of layers that are not there.
    """
    if not isinstance(how, str):
        return _named_layers(num_teacher, num_student, how)
    if not 1 <= num_student <= num_teacher:
        raise UserError(
            Problem(
                "student_architectures",
                f"a student of {num_student} layers cannot start from a teacher of {num_teacher}",
                f'Give the student 1 to {num_teacher} layers, or random weights: "copy_from": "none".',
                code="student.deeper-than-its-start",
            )
        )
    if how == "last":
        return list(range(num_teacher - num_student, num_teacher))
    if how == "first" or num_student == 1:
        return list(range(num_student))
    if how == "evenly":
        steps = num_student - 1
        # Nearest whole number with halves downwards: ceil(x - 1/2) in whole-number arithmetic.
        return [-((steps - 2 * i * (num_teacher - 1)) // (2 * steps)) for i in range(num_student)]
    raise ValueError(f"unknown choice of layers {how!r}: expected first, last or evenly")


def _named_layers(num_teacher: int, num_student: int, layers: Sequence[int]) -> list[int]:
    wrong = None
    if len(layers) != num_student:
        wrong = f"names {len(layers)} layers, the student has {num_student}"
    elif strangers := [layer for layer in layers if not 0 <= layer < num_teacher]:
        wrong = f"names layer {strangers[0]}; there are the layers 0 to {num_teacher - 1}"
    if wrong:
        raise UserError(
            Problem(
                "student_architectures.copy_layers",
                f"{list(layers)} {wrong}",
                code="student.copy-layers-do-not-fit",
            )
        )
    return list(layers)


def group_layers(
    num_teacher: int, num_student: int, grouping: Grouping | None = None
) -> list[list[int]]:
    """The teacher layers (predecessors) that each student layer (successor) replaces.

    Args:
        num_teacher: Layers of the teacher.
        num_student: Layers of the student.
        grouping: None for groups of equal size. Else one entry per student layer: either how many
            teacher layers it replaces (``[1, 2, 3]``) or which (``[[0], [1, 2], [3, 4, 5]]``).

    Raises:
        UserError: no whole ratio without a grouping, or a grouping that does not cover every
            teacher layer once and in order.
    """
    if grouping is None:
        return _equal_groups(num_teacher, num_student)
    groups = _as_groups(grouping)
    wrong = None
    if len(groups) != num_student:
        wrong = f"it has {len(groups)} groups, but the student has {num_student} layers"
    elif any(not group for group in groups):
        wrong = "a group is empty"
    elif [layer for group in groups for layer in group] != list(range(num_teacher)):
        wrong = f"it must name the layers 0 to {num_teacher - 1} of the teacher once each, in order"
    if wrong:
        raise UserError(
            Problem(
                "grouping",
                f"{list(grouping)} does not fit: {wrong}",
                f"Give one entry per student layer: numbers that add up to {num_teacher}, or "
                "lists of "
                "neighbouring teacher layers counted from 0.",
                code="theseus.grouping-does-not-fit",
            )
        )
    return groups


def _equal_groups(num_teacher: int, num_student: int) -> list[list[int]]:
    if num_student < 1 or num_teacher % num_student:
        raise UserError(
            Problem(
                "student_architectures",
                f"{num_teacher} teacher layers cannot be shared out evenly among {num_student} "
                "student layers",
                f"Choose a number of student layers that divides {num_teacher}, or give an "
                "explicit "
                "grouping, such as [1, 2, 3]: how many teacher layers each student layer replaces.",
                code="theseus.layers-not-shareable",
            )
        )
    size = num_teacher // num_student
    return [list(range(start, start + size)) for start in range(0, num_teacher, size)]


def _as_groups(grouping: Grouping) -> list[list[int]]:
    groups: list[list[int]] = []
    start = 0
    for entry in grouping:
        if isinstance(entry, int):
            groups.append(list(range(start, start + entry)))
            start += entry
        else:
            groups.append(list(entry))
    return groups


MatchType = Literal["linear", "top", "bottom", "only_top", "only_bottom", "skip", "last"]
MATCH_TYPES: tuple[MatchType, ...] = get_args(MatchType)


def match_layers(
    kind: MatchType,
    num_student: int,
    num_teacher: int,
    feature: Literal["hidden_states", "attention"] = "hidden_states",
) -> list[tuple[int, int]]:
    """Which teacher layer faces which student layer: (student, teacher) pairs.

    Counted as features are: hidden state 0 is the embedding output, hidden state i and attention i
    belong to layer i from 1.

    Args:
        kind: With r = teacher / student layers: ``linear``: (i, i·r). ``top``: the teacher's last
            layers. ``bottom``: its first ones, and last to last. ``only_top``, ``only_bottom``: one
            pair. ``skip``, ``last``: PKD's maps, without the student's last layer: (i, i·r), or the
            layers below the teacher's last.
        num_student: Layers of the student.
        num_teacher: Layers of the teacher.
        feature: ``attention`` has no layer 0.

    Raises:
        UserError: the teacher has fewer layers, no whole ratio for ``linear`` and ``skip``, or a PKD
            map for a student of one layer.
    """
    student, teacher = num_student, num_teacher
    first = 1 if feature == "attention" else 0
    if teacher < student and kind not in ("only_top", "only_bottom"):
        raise _no_map(kind, student, teacher, "the student has more layers")
    if kind in ("linear", "skip") and teacher % student:
        raise _no_map(kind, student, teacher, f"{teacher} is no whole multiple of {student}")
    if kind in ("skip", "last") and student < 2:
        raise _no_map(kind, student, teacher, "it leaves the student's last layer out")
    ratio = teacher // student
    if kind == "linear":
        return [(i, i * ratio) for i in range(first, student + 1)]
    if kind == "top":
        return [(i, i + teacher - student) for i in range(first, student + 1)]
    if kind == "bottom":
        return [*((i, i) for i in range(first, student)), (student, teacher)]
    if kind == "only_top":
        return [(student, teacher)]
    if kind == "only_bottom":
        return [(first, first)]
    if kind == "skip":
        return [(i, i * ratio) for i in range(1, student)]
    if kind == "last":
        return [(i, i + teacher - student) for i in range(1, student)]
    raise ValueError(f"unknown match type {kind!r}: expected {', '.join(MATCH_TYPES)}")


def describe_pairs(pairs: Sequence[tuple[int, int]]) -> str:
    """``0→0, 1→2, 2→4`` (student → teacher)."""
    return ", ".join(f"{student}→{teacher}" for student, teacher in pairs)


def _no_map(kind: str, student: int, teacher: int, why: str) -> UserError:
    message = (
        f"the layer map '{kind}' does not fit {student} student and {teacher} teacher layers: {why}"
    )
    hint = 'Choose another layer_map, another depth, or name the layers: "pairs": [[1, 2], …].'
    return UserError(Problem("layer_map", message, hint, code="terms.layer-map-does-not-fit"))
