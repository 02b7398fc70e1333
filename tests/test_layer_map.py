"""Which teacher layers start and face which student layers."""

import pytest

from chatstill.errors import UserError
from chatstill.layer_map import group_layers, initial_layers


def test_first():
    assert initial_layers(12, 6) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("teacher", "student", "expected"),
    [
        (12, 6, [0, 2, 4, 7, 9, 11]),
        (6, 3, [0, 2, 5]),
        (12, 4, [0, 4, 7, 11]),
        (6, 6, [0, 1, 2, 3, 4, 5]),
        (6, 1, [0]),
        (3, 2, [0, 2]),
    ],
)
def test_evenly(teacher, student, expected):
    assert initial_layers(teacher, student, "evenly") == expected


def test_evenly_is_always_rising_from_first_to_last():
    for teacher in range(1, 49):
        for student in range(2, teacher + 1):
            found = initial_layers(teacher, student, "evenly")
            assert len(found) == student and found == sorted(set(found))
            assert (found[0], found[-1]) == (0, teacher - 1)


@pytest.mark.parametrize("student", [0, 7])
def test_too_many_or_none(student):
    with pytest.raises(UserError, match="teacher of 6"):
        initial_layers(6, student)


def test_unknown_choice():
    with pytest.raises(ValueError, match="last"):
        initial_layers(6, 3, "last")


def test_whole_ratio():
    assert group_layers(6, 3) == [[0, 1], [2, 3], [4, 5]]
    assert group_layers(4, 4) == [[0], [1], [2], [3]]


def test_no_whole_ratio_asks_for_a_grouping():
    with pytest.raises(UserError, match=r"6 teacher layers .* 4 student layers"):
        group_layers(6, 4)
    with pytest.raises(UserError):
        group_layers(3, 6)


def test_explicit_grouping_by_size_or_by_layer():
    wanted = [[0], [1, 2], [3, 4, 5]]
    assert group_layers(6, 3, [1, 2, 3]) == wanted
    assert group_layers(6, 3, wanted) == wanted


@pytest.mark.parametrize(
    ("grouping", "reason"),
    [
        ([2, 4], "2 groups"),
        ([1, 2, 2], "0 to 5"),
        ([0, 3, 3], "empty"),
        ([[0], [2, 1], [3, 4, 5]], "in order"),
        ([[0, 1], [1, 2], [3, 4, 5]], "once each"),
        ([[0, 1], [2], [4, 5]], "once each"),
        ([-1, 3, 4], "empty"),
    ],
)
def test_groupings_that_do_not_fit(grouping, reason):
    with pytest.raises(UserError, match=reason):
        group_layers(6, 3, grouping)
