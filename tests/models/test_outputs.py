"""What a teacher gives, turned into logits and into scores on the labels' scale."""

import math

import pytest
import torch
from tests.found import refused
from tiny_models import tiny_batch, tiny_model

from chatstill.features.base import Needs
from chatstill.models.outputs import as_read, output_reading, same_class_problems, set_reading
from chatstill.train.teachers import LiveTeacher


def read(output, objective, values, between=None, bounds=None):
    reading = output_reading(output, between, objective, bounds)
    tensor = torch.tensor(values)
    return (tensor if reading is None else reading(tensor)).tolist()


@pytest.mark.parametrize(
    ("output", "objective"),
    [(None, "sigmoid"), ("logit", "sigmoid"), (None, "regression"), ("score", "regression")],
)
def test_what_the_task_compares_already_stays(output, objective):
    assert output_reading(output, None, objective, None) is None


def test_probabilities_of_classes_become_logits():
    assert read("probability", "sigmoid", [[0.25]])[0][0] == pytest.approx(math.log(0.25 / 0.75))
    found = read("probability", "cross_entropy", [[0.2, 0.8]])[0]
    assert found == pytest.approx([math.log(0.2), math.log(0.8)])
    found = read("probability", "multi_label", [[0.5, 0.9]])[0]
    assert found == pytest.approx([0, math.log(9)], abs=1e-6)
    assert all(map(math.isfinite, read("probability", "multi_label", [[0.0, 1.0]])[0]))


def test_shares_of_the_labels_range_become_scores():
    assert read("probability", "regression", [[0.5]], (1, 5)) == [[3.0]]
    assert read("logit", "regression", [[0.0]], None, (0, 5)) == [[2.5]]
    value = 1 + 4 / (1 + math.exp(-1.5))
    assert read("logit", "regression", [[1.5]], (1, 5))[0][0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("output", "between", "objective", "code"),
    [
        ("score", None, "sigmoid", "outputs.score-with-classes"),
        ("logit", None, "regression", "outputs.range-needed"),
        ("logit", (5, 0), "regression", "outputs.range-needed"),
        (None, (0, 5), "regression", "outputs.range-without-effect"),
        ("probability", (0, 5), "sigmoid", "outputs.range-without-effect"),
    ],
)
def test_meanings_that_do_not_fit_are_refused(output, between, objective, code):
    with refused(code):
        output_reading(output, between, objective, None)


def test_a_class_of_ones_own_that_gives_probabilities_is_not_its_own_student(monkeypatch):
    teacher, student = tiny_model("bert", 2), tiny_model("bert", 2)
    set_reading(teacher, output_reading("probability", None, "sigmoid", None))
    assert same_class_problems(student, teacher) == [], "a linear layer can learn logits"
    monkeypatch.setattr("chatstill.models.outputs.own_type", lambda kind: kind)
    (problem,) = same_class_problems(student, teacher)
    assert problem.severity == "error" and "BertForSequenceClassification" in problem.message
    assert same_class_problems(tiny_model("electra", 2), teacher) == []
    set_reading(teacher, None)
    assert same_class_problems(student, teacher) == []


def test_a_live_teacher_gives_what_is_read_and_its_network_stays_as_it_is():
    model = tiny_model("bert", 2)
    model.eval()
    batch = tiny_batch()
    plain = model(**batch).logits
    set_reading(model, output_reading("probability", None, "cross_entropy", None))
    assert torch.equal(model(**batch).logits, plain)
    found = LiveTeacher(model, Needs(logits=True)).features(batch).logits
    assert torch.equal(found, as_read(model, plain)) and not torch.equal(found, plain)
