"""Every key of existing method files on tiny networks, against plain arithmetic over lists."""

import json
import math

import pytest
import torch

from chatstill.errors import errors_of
from chatstill.methods.base import Context, RunValues
from chatstill.methods.matches import Config, Matches
from chatstill.train.stage import StageModule

from ..models.tiny_models import tiny_batch, tiny_model

CTX = Context(1, 0, 0, 0, 0, 10)
LENGTHS = (9, 6, 3)
LABELS = (0, 1, 1)
T = 3.0
STUDENT, TEACHER = 3, 6  # layers
WIDTH, HEADS = 16, 2
# match type -> pairs of hidden states, and of attention layers, of 3 and 6 layers.
MAPS = {
    "linear": [(0, 0), (1, 2), (2, 4), (3, 6)],
    "top": [(0, 3), (1, 4), (2, 5), (3, 6)],
    "bottom": [(0, 0), (1, 1), (2, 2), (3, 6)],
    "only_top": [(3, 6)],
    "only_bottom": [(0, 0)],
}
SCORE_MAPS = {kind: [p for p in pairs if p[0]] for kind, pairs in MAPS.items()}
SCORE_MAPS["only_bottom"] = [(1, 1)]


@pytest.fixture(scope="module")
def seen():
    """(student, teacher): logits, hidden states and raw scores of eager attention as lists."""
    return look(student()), look(teacher())


def student():
    return tiny_model("bert", STUDENT, seed=1, dropout=0.0)


def teacher():
    return tiny_model("bert", TEACHER, dropout=0.0)


def look(model):
    layers, notes = model.bert.encoder.layer, []
    for layer in layers:
        attention = layer.attention.self
        for part in (attention.query, attention.key):
            part.register_forward_hook(lambda module, args, out: notes.append(out))
    with torch.no_grad():
        out = model(**tiny_batch(), output_hidden_states=True)
    scores = []
    for query, key in zip(notes[::2], notes[1::2], strict=True):
        q, k = (x.view(3, 9, HEADS, 8).transpose(1, 2) for x in (query, key))
        scores.append((q @ k.transpose(-1, -2) / math.sqrt(8)).tolist())
    return out.logits.tolist(), [state.tolist() for state in out.hidden_states], [None, *scores]


def term(objective="cross_entropy", *, students=None, teachers=None, labels=LABELS, **keys):
    """What the engine logs of the only term."""
    config = Config.model_validate_json(json.dumps(keys), strict=True)
    run = RunValues(num_train_epochs=1, learning_rate=1e-3)
    method = Matches(
        config, students or student(), teachers or teacher(), objective=objective, run=run
    )
    assert errors_of(method.problems()) == []
    batch = {**tiny_batch(), "labels": torch.tensor(labels), "index": torch.arange(3)}
    stage = StageModule(method, method.phases()[0])
    loss, shares = stage(batch, CTX, method.counts(batch, CTX), 1.0)
    loss.backward()
    reached = [p.grad is not None and p.grad.abs().sum() > 0 for p in method.student.parameters()]
    assert any(reached), "a detached term"
    (value,) = [v for name, v in shares.items() if not name.endswith("_weighted")]
    return value.item()


def softmax(row, temperature=1.0):
    powers = [math.exp(z / temperature) for z in row]
    return [power / sum(powers) for power in powers]


def square(left, right):
    return sum((a - b) ** 2 for a, b in zip(left, right, strict=True))


def distance(left, right):
    """1 - cos."""
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return 1 - product / (math.hypot(*left) * math.hypot(*right))


def unit(row):
    return [value / math.hypot(*row) for value in row]


def tokens(left, right):
    """States of the valid tokens of two hidden states."""
    for row, length in enumerate(LENGTHS):
        yield from zip(left[row][:length], right[row][:length], strict=True)


def score_rows(left, right):
    """A query's scores over the valid keys, of every valid query and head."""
    for row, n in enumerate(LENGTHS):
        for head in range(HEADS):
            for query in range(n):
                yield left[row][head][query][:n], right[row][head][query][:n]


def test_keys_on_logits(seen):
    (students, *_), (teachers, *_) = seen
    rows = list(zip(students, teachers, strict=True))
    divergence = sum(
        p * math.log(p / q)
        for s, t in rows
        for p, q in zip(softmax(t, T), softmax(s, T), strict=True)
    )
    close = pytest.approx
    assert term(task_ce=0.5, temperature=T) == close(T**2 * divergence / 3, rel=1e-4)
    assert term(alpha_mse=2) == close(sum(square(s, t) for s, t in rows) / (3 * 2), rel=1e-4)
    assert term(task_cos=True) == close(sum(distance(s, t) for s, t in rows) / 3, rel=1e-4)
    hard = -sum(math.log(softmax(s)[label]) for s, label in zip(students, LABELS, strict=True))
    assert term(task_cros=1) == close(hard / 3, rel=1e-4)


def test_keys_on_one_score():
    """Regression: squared differences, no temperature."""
    one = {"num_labels": 1}
    nets = {
        "students": tiny_model("bert", STUDENT, seed=1, dropout=0.0, **one),
        "teachers": tiny_model("bert", TEACHER, dropout=0.0, **one),
    }
    with torch.no_grad():
        students, teachers = (net(**tiny_batch()).logits[:, 0].tolist() for net in nets.values())
    golds = (2.5, 0.0, 4.0)
    close = pytest.approx
    found = {
        key: term("regression", labels=golds, temperature=T, **nets, **{key: 1})
        for key in ("task_ce", "task_cros", "alpha_mse")
    }
    softened = {"feature": "logits", "loss": "mse", "temperature": T}
    found["mse"] = term("regression", labels=golds, **nets, terms={"mse": softened})
    assert (
        found["mse"]
        == found["task_ce"]
        == found["alpha_mse"]
        == close(square(students, teachers) / 3, rel=1e-4)
    )
    assert found["task_cros"] == close(square(students, golds) / 3, rel=1e-4)


@pytest.mark.parametrize("kind", MAPS)
def test_keys_on_hidden_states(seen, kind):
    (_, students, _), (_, teachers, _) = seen
    squares, distances = 0.0, 0.0
    for s, t in MAPS[kind]:
        squares += sum(square(a, b) for a, b in tokens(students[s], teachers[t])) / (
            sum(LENGTHS) * WIDTH
        )
        distances += sum(distance(a, b) for a, b in tokens(students[s], teachers[t])) / sum(LENGTHS)
    chosen = {"use_hidden_states": True, "hidden_match_type": kind}
    assert term(hidden_mse=1, **chosen) == pytest.approx(squares, rel=1e-4)
    assert term(hidden_cos=1, **chosen) == pytest.approx(distances, rel=1e-4)
    if kind == "only_top":
        assert term(alpha_cos=1) == pytest.approx(distances, rel=1e-4)


@pytest.mark.parametrize("kind", SCORE_MAPS)
def test_keys_on_attention_scores(seen, kind):
    (_, _, students), (_, _, teachers) = seen
    squares, distances = 0.0, 0.0
    for s, t in SCORE_MAPS[kind]:
        rows = list(score_rows(students[s], teachers[t]))
        squares += sum(square(a, b) for a, b in rows) / (HEADS * sum(n * n for n in LENGTHS))
        distances += sum(distance(a, b) for a, b in rows) / (HEADS * sum(LENGTHS))
    chosen = {"use_attentions": True, "att_match_type": kind}
    assert term(att_mse=1, **chosen) == pytest.approx(squares, rel=1e-4)
    assert term(att_cos=1, **chosen) == pytest.approx(distances, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "pairs"), [("skip", [(1, 2), (2, 4)]), ("last", [(1, 4), (2, 5)])]
)
def test_patience(seen, kind, pairs):
    (_, students, _), (_, teachers, _) = seen
    total = sum(
        square(unit(students[s][row][0]), unit(teachers[t][row][0]))
        for s, t in pairs
        for row in range(3)
    )
    paper = term(task_pkd=1, pkd_match_type=kind)
    assert paper == pytest.approx(total / 3, rel=1e-4)
    code = term(task_pkd=1, pkd_match_type=kind, reduction="mean")
    assert code == pytest.approx(total / (3 * len(pairs) * WIDTH), rel=1e-4)
