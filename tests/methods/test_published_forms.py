"""Losses of public codes, written as those codes compute them, against the options that ask for them."""

import json

import pytest
import torch
from torch.nn import functional as F

from chatstill.methods.base import RunValues
from chatstill.methods.matches import Config, Matches
from chatstill.train.stage import StageModule

from ..models.tiny_models import tiny_batch, tiny_model
from .test_existing_keys import CTX, HEADS, LABELS, STUDENT, TEACHER, WIDTH, look

SOFT = {"feature": "logits", "loss": "kl"}
HARD = {"feature": "logits", "loss": "hard"}


@pytest.fixture(scope="module")
def nets():
    own = tiny_model("bert", STUDENT, seed=1, dropout=0.0)
    return own, tiny_model("bert", TEACHER, dropout=0.0)


@pytest.fixture(scope="module")
def seen(nets):
    """(student, teacher): logits, hidden states and raw scores, all positions."""
    found = []
    for net in nets:
        logits, states, scores = look(net)
        scores = [None, *(torch.tensor(layer) for layer in scores[1:])]
        found.append((torch.tensor(logits), [torch.tensor(state) for state in states], scores))
    return found


def total(nets, terms):
    config = Config.model_validate_json(json.dumps({"terms": terms}), strict=True)
    run = RunValues(num_train_epochs=1, learning_rate=1e-3)
    method = Matches(config, *nets, objective="cross_entropy", run=run)
    assert method.problems() == []
    batch = {**tiny_batch(), "labels": torch.tensor(LABELS), "index": torch.arange(3)}
    stage = StageModule(method, method.phases()[0])
    return stage(batch, CTX, method.counts(batch, CTX), 1.0)[0].item()


@pytest.mark.parametrize("normalize", [True, False])
def test_the_total_of_pkds_code(nets, seen, normalize):
    """alpha · T² · KLDivLoss("mean") + (1 − alpha) · CE + beta · mean of squares of [CLS]."""
    alpha, beta, t = 0.7, 100.0, 10.0
    (students, states, _), (teachers, theirs, _) = seen
    each = F.kl_div((students / t).log_softmax(-1), (teachers / t).softmax(-1), reduction="none")
    first = [
        torch.stack([side[layer][:, 0] for layer in layers])
        for side, layers in ((states, (1, 2)), (theirs, (2, 4)))
    ]
    if normalize:
        first = [F.normalize(side, dim=-1) for side in first]
    expected = alpha * t**2 * each.mean() + (1 - alpha) * F.cross_entropy(
        students, torch.tensor(LABELS)
    )
    expected = expected + beta * F.mse_loss(*first)
    terms = {
        "soft": {**SOFT, "temperature": t, "reduction": "mean", "weight": alpha},
        "hard": {**HARD, "weight": 1 - alpha},
        "patience": {
            "feature": "cls",
            "loss": "patience",
            "reduction": "mean",
            "normalize": normalize,
            "weight": beta,
        },
    }
    assert total(nets, terms) == pytest.approx(expected.item(), rel=1e-4)


def test_step_one_of_tinyberts_code(nets, seen):
    """Scores with −10000 at padded keys, up to −100 as 0, and hidden states, padding and all."""
    (_, states, scores), (_, theirs, their_scores) = seen
    added = (1.0 - tiny_batch()["attention_mask"][:, None, None].float()) * -10_000
    expected = 0.0
    for s, t in ((1, 2), (2, 4), (3, 6)):
        sides = [side + added for side in (scores[s], their_scores[t])]
        sides = [torch.where(side <= -1e2, 0.0, side) for side in sides]
        expected += F.mse_loss(*sides).item()
    for s, t in ((0, 0), (1, 2), (2, 4), (3, 6)):
        expected += F.mse_loss(states[s], theirs[t]).item()
    assert scores[1].shape == (3, HEADS, 9, 9) and states[0].shape == (3, 9, WIDTH)
    terms = {
        "hidden": {"feature": "hidden_states", "loss": "mse", "positions": "all"},
        "attention": {
            "feature": "attention_scores",
            "loss": "mse",
            "positions": "all",
            "zero_below": -100,
        },
    }
    assert total(nets, terms) == pytest.approx(expected, rel=1e-4)


def test_the_prediction_of_tinyberts_code(nets, seen):
    (students, *_), (teachers, *_) = seen
    expected = (-teachers.softmax(-1) * students.log_softmax(-1)).mean().item()
    form = {"loss": "cross_entropy", "temperature_squared": False, "reduction": "mean"}
    assert total(nets, {"p": {"feature": "logits", **form}}) == pytest.approx(expected, rel=1e-4)


def test_textbrewers_forms(nets, seen):
    """kd_ce and kd_mse; attention_mse without a mask, which drops negative scores."""
    (students, _, scores), (teachers, _, their_scores) = seen
    t = 4.0
    expected = -((teachers / t).softmax(-1) * (students / t).log_softmax(-1)).sum(-1).mean().item()
    form = {"loss": "cross_entropy", "temperature_squared": False, "temperature": t}
    assert total(nets, {"p": {"feature": "logits", **form}}) == pytest.approx(expected, rel=1e-4)
    form = {"loss": "mse", "temperature": t}
    expected = (((students - teachers) / t) ** 2).mean().item()
    assert total(nets, {"p": {"feature": "logits", **form}}) == pytest.approx(expected, rel=1e-4)
    added = (1.0 - tiny_batch()["attention_mask"][:, None, None].float()) * -10_000
    sides = [side + added for side in (scores[1], their_scores[2])]
    sides = [torch.where(side <= -1e-3, 0.0, side) for side in sides]
    form = {"loss": "mse", "positions": "all", "zero_below": -0.001, "pairs": [[1, 2]]}
    assert total(nets, {"p": {"feature": "attention_scores", **form}}) == pytest.approx(
        F.mse_loss(*sides).item(), rel=1e-4
    )
