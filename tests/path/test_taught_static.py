"""A network of the package in the teacher's place: fine-tuned further, and teaching another."""

import json

from tests.found import refused

from . import world
from .test_static import STATIC, made, network  # noqa: F401


def metric(folder, name="mrr"):
    return json.loads((folder / "metrics.json").read_text("utf-8"))["dev"]["metrics"][name]


def test_teach_trains_its_folder_further_with_its_words(made, run):  # noqa: F811
    folder, _ = made
    start = folder / "student"
    done = run(
        "teach",
        name="taught",
        teacher_architectures={"model_name_or_path": str(start)},
        model_type=None,
        learning_rate=0.01,
    )
    network = done.folder / "teacher"
    assert (network / "words.json").read_bytes() == (start / "words.json").read_bytes()
    before, after = world.weights_of(start), world.weights_of(network)
    assert before.keys() == after.keys()
    assert all(not before[name].equal(after[name]) for name in before)
    assert metric(done.folder) > 0.9


def test_it_teaches_another(made, run):  # noqa: F811
    folder, _ = made
    done = run(teacher=folder / "student", name="again", **{**STATIC, **network(vectors="random")})
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["teacher"]["metrics"]["mrr"] == metric(folder)
    assert metric(done.folder) > 0.9


def test_a_new_one_in_the_teachers_place_is_refused_with_what_trains_it(run):
    block = {"model_type": "static"}
    with refused("network.for-students-alone"):
        run("teach", teacher_architectures=block, model_type=None)
