"""Which teacher layer faces, starts or is replaced by which student layer.

Layers are counted from 0 here, as everywhere where layers are copied or replaced.
"""

from collections.abc import Sequence
from typing import Literal

from .errors import Problem, UserError

Grouping = Sequence[int] | Sequence[Sequence[int]]


def initial_layers(
    num_teacher: int, num_student: int, how: Literal["first", "evenly"] = "first"
) -> list[int]:
    """The teacher layers that the student's layers start from.

    Args:
        num_teacher: Layers of the teacher.
        num_student: Layers of the student.
        how: ``first``: 0, 1, 2 ... ``evenly``: from the first to the last layer in equal steps,
            each rounded to the nearest layer and a half downwards: 12 -> 6 gives 0, 2, 4, 7, 9, 11
            (DistilBERT's choice), 6 -> 3 gives 0, 2, 5. One layer alone is the teacher's first.

    Raises:
        UserError: the student has more layers than the teacher, or none.
    """
    if not 1 <= num_student <= num_teacher:
        raise UserError(
            Problem(
                "student_architectures",
                f"a student of {num_student} layers cannot start from a teacher of {num_teacher}",
                f"Give the student 1 to {num_teacher} layers.",
            )
        )
    if how == "first" or num_student == 1:
        return list(range(num_student))
    if how == "evenly":
        steps = num_student - 1
        # Nearest whole number with halves downwards: ceil(x - 1/2) in whole-number arithmetic.
        return [-((steps - 2 * i * (num_teacher - 1)) // (2 * steps)) for i in range(num_student)]
    raise ValueError(f"unknown choice of layers {how!r}: expected first or evenly")


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
