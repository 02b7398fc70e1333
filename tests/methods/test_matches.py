"""A method of rows on real tiny networks: sums, projections, frozen parts, and what does not fit."""

import json

import pytest
import torch

from chatstill.methods.base import Context, RunValues
from chatstill.methods.matches import Config, Matches
from chatstill.models.reading import read_features
from chatstill.run.settling import unreadable_of
from chatstill.terms.spec import needs_of
from chatstill.train.stage import StageModule
from chatstill.train.teachers import live_source
from tests.found import codes, holds

from ..models.tiny_models import tiny_batch, tiny_model

HIDDEN = {"feature": "hidden_states", "loss": "mse"}
SCORES = {"feature": "attention_scores", "loss": "mse"}
SOFT = {"feature": "logits", "loss": "kl", "temperature": 4}
HARD = {"feature": "logits", "loss": "hard"}
CTX = Context(1, 0, 0, 0, 0, 10)


def method(terms=None, *, student=None, teacher=None, objective="cross_entropy", **knobs):
    student = student or tiny_model("bert", 2, seed=1, dropout=0.0)
    teacher = teacher or tiny_model("bert", 4, dropout=0.0)
    knobs = {"terms": terms or {}, **knobs}
    config = Config.model_validate_json(json.dumps(knobs), strict=True)
    run = RunValues(num_train_epochs=1, learning_rate=1e-3)
    return Matches(config, student, teacher, objective=objective, run=run)


def batch():
    return {**tiny_batch(), "labels": torch.tensor([0, 1, 1]), "index": torch.arange(3)}


def narrow(layers=2):
    return tiny_model("bert", layers, hidden_size=8, intermediate_size=12, dropout=0.0)


def step(own):
    stage = StageModule(own, own.phases()[0])
    loss, shares = stage(batch(), CTX, own.counts(batch(), CTX), 1.0)
    return stage, loss, shares


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_scores_that_the_network_never_uses_are_not_compared(kind):
    """A decoder's query meets the keys up to its own, an encoder's all of them."""
    student, teacher = tiny_model(kind, 2, seed=1, dropout=0.0), tiny_model(kind, 4, dropout=0.0)
    own = method({"scores": {**SCORES, "pairs": [[2, 4]]}}, student=student, teacher=teacher)
    scores = []
    for side, (network, layer) in enumerate([(student, 2), (teacher, 4)]):
        found = read_features(network, tiny_batch(), needs_of(own.specs, side)).attention[layer]
        scores.append(found.query @ found.key.transpose(-1, -2) * found.scaling)
    mask = tiny_batch()["attention_mask"].bool()
    seen = (mask[:, None, :] & mask[:, :, None])[:, None].expand_as(scores[0])
    if kind == "llama":
        seen = seen & torch.ones(seen.shape[-2:], dtype=torch.bool).tril()
    expected = (scores[0] - scores[1])[seen].square().mean()
    _, _, shares = step(own)
    assert shares["scores"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_total_is_the_weighted_sum_of_means():
    own = method({"soft": {**SOFT, "weight": 0.3}, "hidden": {**HIDDEN, "weight": 2}})
    _, loss, shares = step(own)
    data = tiny_batch()
    with torch.no_grad():
        s = own.student(**data, output_hidden_states=True)
        t = own.teacher(**data, output_hidden_states=True)
        p = (t.logits / 4).softmax(-1)
        kl = (p * ((t.logits / 4).log_softmax(-1) - (s.logits / 4).log_softmax(-1))).sum(-1).mean()
        valid = data["attention_mask"].bool()
        mse = sum(
            ((s.hidden_states[i][valid] - t.hidden_states[2 * i][valid]) ** 2).mean()
            for i in range(3)
        )
    assert shares["soft"].item() == pytest.approx(16 * kl.item(), rel=1e-4)
    assert shares["hidden"].item() == pytest.approx(mse.item(), rel=1e-4)
    assert shares["hidden_weighted"].item() == pytest.approx(2 * mse.item(), rel=1e-4)
    assert loss.item() == pytest.approx(0.3 * 16 * kl.item() + 2 * mse.item(), rel=1e-4)


def test_more_padding_changes_no_term():
    terms = {"soft": SOFT, "hidden": HIDDEN, "scores": SCORES, "hard": HARD}
    own = method({**terms, "cls": {"feature": "cls", "loss": "patience"}})
    stage = StageModule(own, own.phases()[0])
    plain = batch()
    longer = {
        key: torch.nn.functional.pad(value, (0, 5)) if value.ndim == 2 else value
        for key, value in plain.items()
    }
    assert own.counts(plain, CTX) == own.counts(longer, CTX)
    shares = [stage(rows, CTX, own.counts(rows, CTX), 1.0)[1] for rows in (plain, longer)]
    for name, value in shares[0].items():
        assert shares[1][name].item() == pytest.approx(value.item(), rel=1e-4), name


@pytest.mark.parametrize("name", ["soft", "hidden", "scores", "cls", "vector"])
def test_a_term_that_is_cut_off_from_the_student_is_seen(name):
    """Planted fault: a detached term has no gradient for any parameter."""
    terms = {
        "soft": SOFT,
        "hidden": HIDDEN,
        "scores": SCORES,
        "cls": {"feature": "cls", "loss": "patience"},
        "vector": {"feature": "vector", "loss": "cos"},
    }
    own = method({name: terms[name]})
    _, loss, _ = step(own)
    loss.backward()
    trained = [p for p in own.student.parameters() if p.requires_grad]
    assert trained and any(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)
    assert all(p.grad is None for p in own.teacher.parameters())


@pytest.mark.parametrize("kind", ["shared", "per_layer"])
def test_a_narrow_student_gets_projections_that_are_trained(kind):
    own = method({"hidden": {**HIDDEN, "projection": kind}}, student=narrow())
    assert own.problems() == []
    assert len(own.projections) == (1 if kind == "shared" else 3)
    assert all(p.weight.shape == (16, 8) for p in own.projections.values())
    stage, loss, _ = step(own)
    loss.backward()
    state = stage.trained_state()
    names = [name for name in state if "projections" in name]
    assert len(names) == 2 * len(own.projections), "weight and bias, in every checkpoint"
    assert all(state[name].grad.abs().sum() > 0 for name in names)
    again = method({"hidden": {**HIDDEN, "projection": kind}}, student=narrow())
    for left, right in zip(
        own.projections.parameters(), again.projections.parameters(), strict=True
    ):
        assert torch.equal(left, right), "the same start on every process"


def test_a_projection_between_equal_widths_starts_as_the_identity():
    own = method({"hidden": {**HIDDEN, "projection": "shared"}})
    assert torch.equal(own.projections["shared"].weight, torch.eye(16))


def test_what_no_term_reads_is_not_trained():
    own = method({"hidden": HIDDEN, "scores": SCORES})
    own.begin(own.phases()[0])
    frozen = {name for name, p in own.student.named_parameters() if not p.requires_grad}
    assert frozen == {
        *(f"classifier.{part}" for part in ("weight", "bias")),
        *(f"bert.pooler.dense.{part}" for part in ("weight", "bias")),
    }
    assert not own.trains_outputs
    warnings = own.plan(own.phases()[0], 10)[1]
    assert "classifier is not trained" in warnings[0]


def test_weight_zero_costs_no_forward_pass_of_the_teacher():
    own = method({"hard": HARD, "soft": {**SOFT, "weight": 0}})
    assert live_source(own, own.phases()[0]) is None
    step(own)


def test_everything_that_does_not_fit_comes_at_once():
    student = tiny_model("bert", 3, hidden_size=8, num_attention_heads=4)
    own = method({"hidden": HIDDEN, "scores": {**SCORES, "pairs": [[1, 5]]}}, student=student)
    found = " | ".join(map(str, own.problems()))
    assert "4 is no whole multiple of 3" in found
    assert "the teacher has no 5" in found
    assert "4 attention heads, the teacher 2" in found


def test_scores_are_refused_by_name_where_they_cannot_be_read():
    own = method({"scores": SCORES}, teacher=tiny_model("deberta", 4))
    (problem,) = unreadable_of(own)
    assert problem.place == "teacher_architectures" and "deberta" in problem.message
    assert method({"hidden": HIDDEN}, teacher=tiny_model("deberta", 4)).problems() == []


@pytest.mark.parametrize(("kind", "blind"), [("bert", 0), ("modernbert", 0), ("llama", 2)])
def test_the_first_token_of_a_decoder_says_nothing_of_its_row(kind, blind):
    own = method(
        {"p": {"feature": "cls", "loss": "patience"}},
        student=tiny_model(kind, 2, seed=1),
        teacher=tiny_model(kind, 4),
    )
    found = unreadable_of(own)
    assert [p.severity for p in found] == ["warning"] * blind
    assert codes(found) == ["terms.first-token-is-blind"] * blind


def test_nothing_to_learn():
    (problem,) = method().problems()
    assert problem.code == "terms.none-with-weight"


@pytest.mark.parametrize("name", ["", "my.term", "soft_weighted"])
def test_a_name_that_modules_or_the_log_could_not_carry(name):
    with pytest.raises(ValueError, match=f"'{name}' can't name a term"):
        method({name: {**HIDDEN, "projection": "per_layer"}, "soft": SOFT})


def test_a_term_and_a_key_of_one_name():
    with pytest.raises(ValueError, match="'task_ce' stands there twice"):
        method({"task_ce": HARD}, task_ce=1)


PATIENCE = {"feature": "cls", "loss": "patience", "reduction": "mean"}


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"temperature": 3}, "'soft' has 4"),
        ({"reduction": "sum"}, "'patience' has mean"),
        ({"pkd_match_type": "last"}, ("terms.key-not-of-all", "'patience'")),
        ({"temperature": 4}, None),
        ({"use_attentions": True}, ("terms.map-of-nothing", "att_mse", "att_cos")),
        ({"hidden_match_type": "top"}, ("terms.map-of-nothing", "hidden_mse", "hidden_cos")),
        ({"att_match_type": "top", "use_attentions": False}, ("terms.map-of-nothing", "att_mse")),
        ({"use_hidden_states": False}, None),
    ],
)
def test_keys_that_the_terms_of_a_file_do_not_go_by(knobs, said):
    """A β in another form, or another temperature than was asked for, must not pass in silence."""
    found = method({"soft": SOFT, "patience": PATIENCE}, **knobs).problems()
    assert [problem.severity for problem in found] == ["warning"] * bool(said)
    for problem in found:
        assert problem.place == f"distillation.{next(iter(knobs))}" and holds(problem, said)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"reduction": "mean"}, "terms.key-of-nothing"),
        ({"temperature": 2}, "no term of soft labels"),
    ],
)
def test_keys_of_terms_that_are_not_there(knobs, said):
    (problem,) = method({"hard": HARD}, **knobs).problems()
    assert problem.severity == "warning" and holds(problem, said)
    assert method({"hard": HARD}, reduction="sum", pkd_match_type="skip").problems() == []


@pytest.mark.parametrize(
    ("knobs", "others"),
    [
        ({"temperature": 3, "task_ce": 1}, ["'soft' has 4"]),
        ({"reduction": "sum", "task_pkd": 1}, ["'patience' has mean"]),
        ({"task_cros": 1}, []),
    ],
)
def test_keys_that_come_on_top_of_the_terms_of_a_file(knobs, others):
    """Written beside "KD", they are further terms: the plan must not leave that to be found out."""
    found = method({"soft": SOFT, "patience": PATIENCE}, **knobs).problems()
    first, *rest = found
    assert first.code == "terms.beside-the-methods-own" and "'soft', 'patience'" in first.message
    assert '"terms": {"soft": {"weight": 0}, "patience": {"weight": 0}}' in first.hint
    for problem, words in zip(rest, others, strict=True):
        assert words in problem.message


def test_the_plan_says_which_form_a_term_has():
    own = method({"soft": {"feature": "logits", "loss": "kl"}, "p": PATIENCE}, temperature=3)
    rows = dict(own.plan(own.phases()[0], 10)[0])
    assert rows["term soft"] == "kl of logits, weight 1, temperature 3"
    assert "weight 1, mean over layers and width; layers 1→2" in rows["term p"]
    code = {"reduction": "mean", "temperature_squared": False}
    own = method(
        {"soft": {**SOFT, **code}, "scores": {**SCORES, "positions": "all", "zero_below": -100}}
    )
    rows = dict(own.plan(own.phases()[0], 10)[0])
    assert "temperature 4, no temperature², mean over classes too" in rows["term soft"]
    assert "padding counts, scores up to -100.0 as 0; layers 1→2, 2→4" in rows["term scores"]


def test_rows_without_labels():
    own = method({"hard": HARD, "soft": SOFT})
    rows = {**batch(), "labels": torch.tensor([1, -100, -100])}
    assert own.counts(rows, CTX) == {"hard": 1.0, "soft": 3.0}
    del rows["labels"]
    stage = StageModule(own, own.phases()[0])
    counts = own.counts(rows, CTX)
    loss, shares = stage(rows, CTX, counts, 1.0)
    assert counts["hard"] == 0 and shares["hard"].item() == 0 and torch.isfinite(loss)
    assert not own.needs_labels and method({"hard": HARD}).needs_labels


@pytest.mark.parametrize("kind", ["llama", "modernbert", "roberta", "distilbert", "electra"])
def test_other_families(kind):
    own = method(
        {"hidden": HIDDEN, "scores": SCORES, "soft": SOFT},
        student=tiny_model(kind, 2, seed=1),
        teacher=tiny_model(kind, 4),
    )
    assert own.problems() == []
    _, loss, _ = step(own)
    loss.backward()
    assert torch.isfinite(loss)


def test_terms_of_gold_labels_are_known_by_name():
    assert method({"soft": SOFT, "hard": HARD, "hidden": HIDDEN}).label_terms == ("hard",)
    assert method({"soft": SOFT}).label_terms == ()
