"""Rows against two networks: everything that does not fit is found, by name and number."""

import pytest

from chatstill.terms.rows import Row
from chatstill.terms.spec import SHARED, Shape, needs_of, resolve, several_poolings

STUDENT, TEACHER = Shape(3, 16, 2, 2), Shape(6, 24, 4, 2)


def problems(student=STUDENT, teacher=TEACHER, **values):
    return " | ".join(map(str, resolve("own", Row(**values), student, teacher)[1]))


def test_heads_must_agree_for_scores():
    found = problems(feature="attention_scores", loss="mse")
    assert "the student has 2 attention heads, the teacher 4" in found
    assert "Give the student 4 heads" in found


def test_layers_out_of_range():
    found = problems(feature="hidden_states", loss="mse", pairs=((4, 6), (1, 7)))
    assert "the student has no 4" in found and "go from 0 to 3" in found
    assert "the teacher has no 7" in found and "go from 0 to 6" in found
    heads = Shape(3, 16, 4, 2)
    assert "go from 1 to 3" in problems(
        heads, feature="attention_scores", loss="mse", pairs=((0, 1),)
    )


def test_a_map_that_does_not_fit():
    found = problems(Shape(4, 16, 2, 2), feature="hidden_states", loss="mse")
    assert "6 is no whole multiple of 4" in found


def test_a_map_that_does_not_fit_hides_neither_heads_nor_widths():
    own = Shape(4, 16, 2, 2)
    found = problems(own, feature="attention_scores", loss="mse")
    assert "6 is no whole multiple of 4" in found and "2 attention heads, the teacher 4" in found
    found = problems(own, feature="hidden_states", loss="mse", projection="none")
    assert "6 is no whole multiple of 4" in found and "width is 16, the teacher's 24" in found


def test_widths_without_a_projection():
    found = problems(feature="hidden_states", loss="mse", projection="none")
    assert "width is 16, the teacher's 24" in found


def test_the_cosine_of_one_output():
    one = Shape(3, 16, 2, 1)
    assert "single output" in problems(one, feature="logits", loss="cos")


@pytest.mark.parametrize(
    ("projection", "wide", "keys"),
    [
        (None, TEACHER, {SHARED}),
        (None, Shape(6, 16, 2, 2), set()),
        ("auto", Shape(6, 16, 2, 2), set()),
        ("shared", Shape(6, 16, 2, 2), {SHARED}),
        ("per_layer", TEACHER, {"own_0_0", "own_1_2", "own_2_4", "own_3_6"}),
    ],
)
def test_projections(projection, wide, keys):
    row = Row(feature="hidden_states", loss="mse", projection=projection)
    spec, found = resolve("own", row, STUDENT, wide)
    assert not found and set(spec.projections.values()) == keys


def test_what_is_read_of_each_side():
    rows = {
        "hard": Row(feature="logits", loss="hard"),
        "hidden": Row(feature="hidden_states", loss="mse", pairs=((0, 0), (2, 4))),
        "patience": Row(feature="cls", loss="patience", layer_map="skip"),
    }
    specs = [resolve(name, row, STUDENT, TEACHER)[0] for name, row in rows.items()]
    student, teacher = needs_of(specs, 0), needs_of(specs, 1)
    assert student.logits and not teacher.logits, "gold labels need nothing of the teacher"
    assert (student.hidden_states, teacher.hidden_states) == ((0, 2), (0, 4))
    assert (student.cls, teacher.cls) == ((1, 2), (2, 4))
    assert (student.highest, teacher.highest) == (None, 4)


@pytest.mark.parametrize(
    ("pooling", "needed"), [(None, ""), ("mean", ""), ("cls", "cls"), ("weighted", "weighted")]
)
def test_how_a_vector_is_made_is_asked_of_both_networks(pooling, needed):
    row = Row(feature="vector", loss="mse", pooling=pooling)
    spec, _ = resolve("vectors", row, STUDENT, TEACHER)
    assert [needs_of([spec], side).pooling for side in (0, 1)] == [needed, needed]


def test_vectors_of_one_run_are_made_in_one_way():
    rows = {"one": "mean", "two": None, "three": "weighted"}
    specs = [
        resolve(name, Row(feature="vector", loss="mse", pooling=pooling), STUDENT, TEACHER)[0]
        for name, pooling in rows.items()
    ]
    assert several_poolings(specs[:2]) == []
    (problem,) = several_poolings(specs)
    assert (problem.code, problem.place) == ("terms.several-poolings", "distillation.terms.three")
    assert "'one'" in problem.message and "'three'" in problem.message


def test_a_network_that_hands_out_its_own_features_is_refused_by_what_it_gives():
    static = Shape(0, 8, 0, 2, vector=True, gives=("logits", "vector"))
    row = Row(feature="hidden_states", loss="mse")
    spec, (problem,) = resolve("inner", row, static, TEACHER)
    assert spec is None and problem.code == "terms.not-given"
    assert "no hidden_states" in problem.message and "logits and vector" in problem.message
