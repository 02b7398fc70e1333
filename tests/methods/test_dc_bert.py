"""DC-BERT's terms on literal tensors: the task's loss, soft labels, and the two towers."""

import math
from types import SimpleNamespace

import pytest
import torch

from chatstill.methods.base import Context, Features, RunValues
from chatstill.methods.dc_bert import Config, DcBert
from chatstill.terms.towers import TowerFeatures
from tests.draws import reseeded

CTX = Context(3, 0, 0, 0, 0, 10)


def method(objective="cross_entropy", outputs=2, positive=1, **knobs):
    student = SimpleNamespace(config=SimpleNamespace(num_labels=outputs))
    run = RunValues(1, 1e-3, positive=positive)
    return DcBert(Config(**knobs), student, None, objective=objective, run=run)


def features(logits, query=((1.0, 0.0, 0.0, 0.0),), document=((1.0, 0.0, 0.0, 0.0),)):
    parts = (torch.tensor(part) for part in (logits, query, document))
    return TowerFeatures(**dict(zip(("logits", "query", "document"), parts, strict=True)))


def batch(labels, **more):
    labels = torch.tensor(labels)
    return {"labels": labels, "input_ids": torch.zeros(len(labels), 3), **more}


def logistic(score, label):
    return math.log(1 + math.exp(-score if label else score))


QUERY = [[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 0.0, 4.0], [1.0, 1.0, 1.0, 1.0]]
DOCUMENT = [[3.0, 1.0, 5.0, 0.0], [0.0, 2.0, 7.0, -1.0], [1.0, 0.0, 0.0, 1.0]]
SCORES = [5 / 2, -2 / 2, 2 / 2]  # q · d / √4


def test_usually_the_tasks_loss_is_all():
    own = method()
    found = own.terms(batch([1, 0]), features([[0.0, 1.0], [0.0, 2.0]]), None, CTX)
    assert set(found) == {"task"} == set(own.counts(batch([1, 0]), CTX))
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))
    assert float(found["task"].sum) == pytest.approx(expected)
    assert not own.needs(own.phases()[0])["teacher"].any
    assert own.needs_labels


@pytest.mark.parametrize(
    ("objective", "labels"), [("cross_entropy", [1, 0, 1]), ("sigmoid", [1.0, 0.0, 1.0])]
)
def test_two_towers_is_a_logistic_loss_of_the_scaled_dot_product_row_by_row(objective, labels):
    outputs = 2 if objective == "cross_entropy" else 1
    own = method(objective, outputs, two_tower=0.5)
    rows = features([[0.0] * outputs] * 3, QUERY, DOCUMENT)
    term = own.terms(batch(labels), rows, None, CTX)["two_tower"]
    expected = sum(logistic(score, label) for score, label in zip(SCORES, labels, strict=True))
    assert (float(term.sum), term.count, term.weight) == (pytest.approx(expected), 3, 0.5)


def test_the_class_that_counts_may_stand_in_column_0():
    own = method(positive=0, two_tower=1)
    term = own.terms(batch([0, 1, 1]), features([[0.0, 0.0]] * 3, QUERY, DOCUMENT), None, CTX)
    expected = logistic(2.5, True) + logistic(-1, False) + logistic(1, False)
    assert float(term["two_tower"].sum) == pytest.approx(expected)


def test_rows_without_a_label_and_weights_of_rows():
    own = method(two_tower=1)
    rows = batch([1, -100, 0], row_weights=torch.tensor([2.0, 5.0, 3.0]))
    term = own.terms(rows, features([[0.0, 0.0]] * 3, QUERY, DOCUMENT), None, CTX)["two_tower"]
    assert term.count == own.counts(rows, CTX)["two_tower"] == 2
    assert float(term.sum) == pytest.approx(2 * logistic(2.5, True) + 3 * logistic(1, False))


def test_soft_labels_are_the_divergence_from_the_teacher():
    own = method(weight_soft=0.5, temperature=2, weight_hard=0)
    assert own.needs(own.phases()[0])["teacher"].logits and not own.needs_labels
    teacher = Features(logits=torch.tensor([[2.0, 0.0]]))
    found = own.terms(batch([-100]), features([[0.0, 2.0]]), teacher, CTX)
    assert set(found) == {"soft"}
    p = 1 / (1 + math.exp(-1))  # at temperature 2
    expected = 4 * (p * math.log(p / (1 - p)) + (1 - p) * math.log((1 - p) / p))
    assert float(found["soft"].sum) == pytest.approx(expected, rel=1e-6)
    assert (found["soft"].count, found["soft"].weight) == (1, 0.5)


# -- projected states ------------------------------------------------------------------------------


def projected(logits=((0.0, 1.0), (2.0, 0.0)), beside=((1.0, 0.0), (0.0, 3.0)), grads=False):
    """Both forms of two rows: a head, two [CLS] rows, three keys, of which row 1 has the last padded."""
    generator = torch.Generator().manual_seed(reseeded(3))
    scores, targets = (torch.randn(1, 2, 1, 2, 3, generator=generator) for _ in range(2))
    tensors = [torch.tensor(logits), torch.tensor(beside), scores, targets]
    logits, beside, scores, targets = (t.requires_grad_(grads) for t in tensors)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    also = SimpleNamespace(logits=beside, scores=scores, targets=targets, mask=mask)
    vectors = torch.ones(2, 4)
    return TowerFeatures(logits=logits, query=vectors, document=vectors, unprojected=also)


def with_heads(**knobs):
    own = method(document_width=3, **knobs)
    own.student.config.num_attention_heads = 1
    return own


def divergence(teacher, student):
    p, q = torch.tensor(teacher).softmax(-1), torch.tensor(student).softmax(-1)
    return float((p * (p / q).log()).sum())


def test_projected_states_are_trained_beside_the_form_without_a_projection():
    own, made = with_heads(weight_hard=0.7), projected()
    found = own.terms(batch([1, 0]), made, None, CTX)
    assert {name: term.weight for name, term in found.items()} == {
        "task": 0.7,
        "task_unprojected": 0.7,
        "attention": 1.0,
        "logits": 1.0,
    }
    assert {name: term.count for name, term in found.items()} == own.counts(batch([1, 0]), CTX)
    assert found["attention"].count == 2 * 1 * 2  # rows, heads, [CLS] rows
    assert float(found["task"].sum) == pytest.approx(logistic(1, 1) + logistic(-2, 0))
    assert float(found["task_unprojected"].sum) == pytest.approx(logistic(-1, 1) + logistic(3, 0))
    soft = [((0.5, 0.0), (0.0, 0.5)), ((0.0, 1.5), (1.0, 0.0))]  # at temperature 2
    assert float(found["logits"].sum) == pytest.approx(4 * sum(divergence(*row) for row in soft))
    beside, expected = made.unprojected, 0.0
    for row, keys in ((0, 3), (1, 2)):
        for place in (0, 1):
            sides = (side[0, row, 0, place, :keys] for side in (beside.targets, beside.scores))
            expected += divergence(*(side.tolist() for side in sides))
    assert float(found["attention"].sum) == pytest.approx(expected, rel=1e-5)
    assert set(own.label_terms) == {"task", "task_unprojected"}


def test_soft_labels_train_both_forms():
    own = with_heads(weight_soft=0.5, weight_hard=0)
    teacher = Features(logits=torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
    rows = batch([-100, -100])
    found = own.terms(rows, projected(), teacher, CTX)
    assert set(found) == {"soft", "soft_unprojected", "attention", "logits"}
    assert found["soft"].weight == found["soft_unprojected"].weight == 0.5
    assert {name: term.count for name, term in found.items()} == own.counts(rows, CTX)
    assert not own.label_terms


def test_the_form_without_a_projection_is_not_moved_towards_the_projected_one():
    made = projected(grads=True)
    found = with_heads().terms(batch([1, 0]), made, None, CTX)
    (found["attention"].sum + found["logits"].sum).backward()
    beside = made.unprojected
    assert beside.logits.grad is None and beside.targets.grad is None
    assert made.logits.grad.any() and beside.scores.grad.any()


def test_of_one_way_one_row_attends():
    own = with_heads(interaction="one_way", num_interaction_layers=3)
    assert own.counts(batch([1, 0]), CTX)["attention"] == 2 * 1 * 3


def test_a_form_without_layers_projects_nothing():
    own = method(document_width=3, last_layer_model_type="lstm")
    assert set(own.counts(batch([1, 0]), CTX)) == {"task"}


@pytest.mark.parametrize(
    ("objective", "outputs"), [("regression", 1), ("multi_label", 2), ("cross_entropy", 3)]
)
def test_two_towers_needs_rows_that_are_right_or_wrong(objective, outputs):
    (problem,) = method(objective, outputs, two_tower=1).problems()
    assert problem.place == "dc_bert_model_config.two_tower"
    assert not method(objective, outputs).problems()


def test_knobs_that_another_form_would_read_are_told():
    knobs = {
        "copy_from_bert_layer_num": 0,
        "num_interaction_layers": 2,
        "interaction": "one_way",
        "document_width": 8,
    }
    own = method(last_layer_model_type="Linear", **knobs)
    assert [(p.place, p.severity) for p in own.problems()] == [
        (f"dc_bert_model_config.{key}", "warning") for key in knobs
    ]
    assert not method(last_layer_model_type="Linear").problems()


def test_encoders_are_as_deep_as_the_teacher():
    assert DcBert.default_depth(Config(), 12) == 12
