"""Rows of a method file: what they take, what they refuse, and what existing keys mean."""

import json

import pytest
from pydantic import ValidationError

from chatstill.methods.matches import Config
from chatstill.terms.rows import LOSSES, Match, Row
from chatstill.terms.spec import Shape, needs_of, resolve

STUDENT, TEACHER = Shape(3, 16, 2, 2), Shape(6, 16, 2, 2)


def config(**values):
    return Config.model_validate_json(json.dumps(values), strict=True)


def row(**values):
    return Row.model_validate_json(json.dumps(values), strict=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"feature": "logits", "loss": "patience"}, "does not compare logits"),
        ({"feature": "hidden_states", "loss": "mse", "temperature": 2}, "'temperature' has no"),
        ({"feature": "logits", "loss": "kl", "layer_map": "top"}, "'layer_map' has no meaning"),
        ({"feature": "cls", "loss": "patience", "reduction": "batchmean"}, "sum or mean"),
        ({"feature": "logits", "loss": "kl", "zero_below": -1.0}, "'zero_below' has no meaning"),
        ({"feature": "cls", "loss": "cos", "normalize": True}, "'normalize' has no meaning"),
        (
            {"feature": "cls", "loss": "cos", "pairs": [[1, 2]], "layer_map": "skip"},
            "both set",
        ),
        ({"feature": "cls", "loss": "cos", "pairs": []}, "at least one pair"),
        ({"feature": "relations", "loss": "kl"}, "'of' is missing"),
        (
            {"feature": "relations", "loss": "kl", "of": "keys", "temperature": 2},
            "'temperature' has no",
        ),
        ({"feature": "attention_probabilities", "loss": "kl", "heads": 2}, "'heads' has no"),
        ({"feature": "vocabulary", "loss": "kl", "positions": "all"}, "valid or masked"),
        ({"feature": "hidden_states", "loss": "mse", "positions": "masked"}, "valid or all"),
        ({"feature": "vocabulary", "loss": "mlm", "positions": "valid"}, "'positions' has no"),
        ({"feature": "vocabulary", "loss": "mse", "reduction": "sum"}, "batchmean or mean"),
        ({"feature": "logits", "loss": "kl", "temprature": 2}, "temprature"),
        ({"feature": "logits", "loss": "kl", "weight": -1}, "weight"),
    ],
)
def test_what_has_no_meaning_is_refused(values, words):
    with pytest.raises(ValidationError, match=words):
        row(**values)


def test_every_feature_takes_its_losses():
    more = {"relations": {"of": "keys"}}
    made = [
        row(feature=feature, loss=loss, **more.get(feature, {}))
        for feature, own in LOSSES.items()
        for loss in own
    ]
    assert len(made) == 19


def test_a_match_is_a_row_of_one_pair():
    match = Match(student_layer=1, teacher_layer=2, feature="hidden_states", loss="mse", weight=3.0)
    assert match.name == "hidden_states_mse_1_2"
    assert match.row() == Row(feature="hidden_states", loss="mse", weight=3.0, pairs=((1, 2),))
    with pytest.raises(ValidationError, match="needs 'student_layer'"):
        Match(feature="cls", loss="cos")
    with pytest.raises(ValidationError, match="has no layers"):
        Match(feature="logits", loss="kl", student_layer=1, teacher_layer=1)


def test_weight_zero_takes_a_term_out():
    terms = {
        "soft": {"feature": "logits", "loss": "kl", "weight": 0},
        "top": {"feature": "hidden_states", "loss": "mse", "layer_map": "only_top"},
    }
    rows = config(terms=terms, task_cros=0.0, task_ce=False).rows()
    assert list(rows) == ["top"]
    spec, _ = resolve("top", rows["top"], STUDENT, TEACHER)
    needs = needs_of([spec], 1)
    assert not needs.logits and needs.hidden_states == (6,)


def test_keys_of_existing_files():
    """FORMATS: key -> feature, loss, layers."""
    values = {
        "alpha_mse": 0.1,
        "alpha_cos": 0.2,
        "use_hidden_states": True,
        "hidden_match_type": "top",
        "hidden_mse": 0.3,
        "hidden_cos": 0.4,
        "use_attentions": True,
        "att_match_type": "linear",
        "att_mse": 0.5,
        "att_cos": 0.6,
        "task_ce": 0.7,
        "task_cos": 0.8,
        "task_cros": True,
        "task_pkd": 0.9,
        "reduction": "mean",
        "temperature": 5.0,
    }
    found = {}
    for name, made in config(**values).rows().items():
        spec, problems = resolve(name, made, STUDENT, TEACHER)
        assert not problems
        found[name] = (made.feature, made.loss, made.weight, list(spec.pairs))
    top = [(0, 3), (1, 4), (2, 5), (3, 6)]
    linear = [(1, 2), (2, 4), (3, 6)]
    assert found == {
        "alpha_mse": ("logits", "mse", 0.1, []),
        "alpha_cos": ("hidden_states", "cos", 0.2, [(3, 6)]),
        "hidden_mse": ("hidden_states", "mse", 0.3, top),
        "hidden_cos": ("hidden_states", "cos", 0.4, top),
        "att_mse": ("attention_scores", "mse", 0.5, linear),
        "att_cos": ("attention_scores", "cos", 0.6, linear),
        "task_ce": ("logits", "kl", 0.7, []),
        "task_cos": ("logits", "cos", 0.8, []),
        "task_cros": ("logits", "hard", 1.0, []),
        "task_pkd": ("cls", "patience", 0.9, [(1, 2), (2, 4)]),
    }
    rows = config(**values).rows()
    assert rows["task_ce"].temperature == 5
    assert rows["task_pkd"].reduction == "mean"


def test_switches_of_existing_files():
    values = {"hidden_mse": 1, "att_mse": 1, "task_ce": 1}
    assert set(config(**values).rows()) == {"hidden_mse", "att_mse", "task_ce"}
    off = config(**values, use_hidden_states=False, use_attentions=False)
    assert set(off.rows()) == {"task_ce"}


@pytest.mark.parametrize("key", ["alpha_ce", "alpha_mlm", "alpha_clm"])
def test_keys_of_the_pretraining_level(key):
    assert config(**{key: 0.0, "task_ce": 1}).rows().keys() == {"task_ce"}
    with pytest.raises(ValidationError, match="pre-training level"):
        config(**{key: 0.5})


def test_a_name_twice():
    match = {"student_layer": 1, "teacher_layer": 2, "feature": "cls", "loss": "cos"}
    with pytest.raises(ValidationError, match="twice"):
        config(matches=[match, match])
