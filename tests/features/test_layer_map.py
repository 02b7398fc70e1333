"""Which teacher layers start and face which student layers."""

import pytest

from chatstill.errors import UserError
from chatstill.features.layer_map import describe_pairs, group_layers, initial_layers, match_layers
from tests.found import refused


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
    with pytest.raises(ValueError, match="middle"):
        initial_layers(6, 3, "middle")


def test_last_and_named_layers():
    assert initial_layers(6, 3, "last") == [3, 4, 5]
    assert initial_layers(6, 3, (0, 2, 5)) == [0, 2, 5]
    with pytest.raises(UserError, match="names 2 layers, the student has 3"):
        initial_layers(6, 3, (0, 2))
    with pytest.raises(UserError, match="names layer 6"):
        initial_layers(6, 3, (0, 2, 6))


def test_whole_ratio():
    assert group_layers(6, 3) == [[0, 1], [2, 3], [4, 5]]
    assert group_layers(4, 4) == [[0], [1], [2], [3]]


def test_no_whole_ratio_asks_for_a_grouping():
    with refused("theseus.layers-not-shareable", "6 teacher", "4 student"):
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


HIDDEN = {
    "linear": [(0, 0), (1, 2), (2, 4), (3, 6)],
    "top": [(0, 3), (1, 4), (2, 5), (3, 6)],
    "bottom": [(0, 0), (1, 1), (2, 2), (3, 6)],
    "only_top": [(3, 6)],
    "only_bottom": [(0, 0)],
    "skip": [(1, 2), (2, 4)],
    "last": [(1, 4), (2, 5)],
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_layers_that_face_each_other(kind):
    assert match_layers(kind, 3, 6) == HIDDEN[kind]
    attention = [pair for pair in HIDDEN[kind] if pair[0] > 0] or [(1, 1)]
    assert match_layers(kind, 3, 6, "attention") == attention


def test_pkd_maps_of_the_paper_and_its_code():
    def teacher(kind, own, other):
        return [pair[1] for pair in match_layers(kind, own, other)]

    assert teacher("skip", 6, 12) == [2, 4, 6, 8, 10]
    assert teacher("last", 6, 12) == [7, 8, 9, 10, 11]
    assert teacher("skip", 3, 12) == [4, 8]
    assert teacher("last", 3, 12) == [10, 11]
    assert teacher("skip", 6, 24) == [4, 8, 12, 16, 20]


def test_tinyberts_map():
    assert match_layers("linear", 4, 12) == [(0, 0), (1, 3), (2, 6), (3, 9), (4, 12)]
    assert match_layers("linear", 4, 12, "attention") == [(1, 3), (2, 6), (3, 9), (4, 12)]


@pytest.mark.parametrize(
    ("kind", "own", "other", "why"),
    [
        ("linear", 4, 6, "6 is no whole multiple of 4"),
        ("skip", 4, 6, "6 is no whole multiple of 4"),
        ("top", 7, 6, "the student has more layers"),
        ("last", 1, 6, "leaves the student's last layer out"),
    ],
)
def test_maps_that_do_not_fit(kind, own, other, why):
    with pytest.raises(UserError, match=why):
        match_layers(kind, own, other)


def test_one_pair_fits_any_two_depths():
    assert match_layers("only_top", 6, 4) == [(6, 4)]
    assert match_layers("only_bottom", 6, 4) == [(0, 0)]


def test_pairs_in_words():
    assert describe_pairs([(0, 0), (1, 2)]) == "0→0, 1→2"
