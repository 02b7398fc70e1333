"""What every method has to keep; parametrised over the directory."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from chatstill.losses import hard_label_loss
from chatstill.methods.base import Method, MethodConfig
from chatstill.models.save import save_student
from chatstill.train.phases import run_phases
from chatstill.train.stage import StageModule
from tests.draws import reseeded

from ..train.conftest import assert_same_weights, build_engine, weights
from .conftest import (
    METHODS,
    OBJECTIVES,
    LearnableSteps,
    contexts,
    inputs_of,
    method_of,
    teacher_of,
)

pytestmark = pytest.mark.parametrize("name", METHODS)


def flags(model):
    return [module.training for module in model.modules()]


def batches(method, number=3):
    steps = LearnableSteps().start(0)
    return [inputs_of(method, next(steps)[1][0]) for _ in range(number)]


def active(method, phase):
    return [ctx for ctx in contexts(phase) if method.contributes(ctx)]


def test_the_file_holds_one_method(name):
    method_class, config = method_of(name)
    assert issubclass(method_class, Method)
    assert issubclass(method_class.Config, MethodConfig)
    assert config == method_of(name)[1]
    assert len(METHODS) >= 6


def test_it_fits_its_networks(build, name):
    assert build(name).problems() == []


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_terms_are_finite_with_a_graph_and_as_announced(build, name, objective):
    method = build(name, objective=objective)
    for index, phase in enumerate(method.phases()):
        stage = StageModule(method, phase).train()
        assert active(method, index), "a phase that never trains"
        for ctx, batch in zip(active(method, index), batches(method), strict=False):
            counts = method.counts(batch, ctx)
            features = method.forward(stage.trained, batch, ctx)
            terms = method.terms(batch, features, teacher_of(method, phase, batch), ctx)
            assert terms
            assert {key: float(term.count) for key, term in terms.items()} == counts
            for term in terms.values():
                assert term.sum.ndim == 0
                assert math.isfinite(float(term.sum.detach()))
                assert term.sum.requires_grad
                assert term.weight != 0, "a term of weight 0 is left out"


def test_a_term_is_a_sum_over_rows(build, name):
    """Two halves of a batch add up to the whole: what makes several processes equal one."""
    method = build(name, dropout=0.0)
    phase = method.phases()[0]
    stage = StageModule(method, phase).eval()
    stage.train()
    ctx = active(method, 0)[0]
    whole = batches(method, 1)[0]
    halves = [{k: v[part] for k, v in whole.items()} for part in (slice(0, 6), slice(6, None))]

    def terms(batch):
        student = method.forward(stage.trained, batch, ctx)
        return method.terms(batch, student, teacher_of(method, phase, batch), ctx)

    for key, term in terms(whole).items():
        parts = [terms(half)[key] for half in halves]
        assert sum(float(part.sum.detach()) for part in parts) == pytest.approx(
            float(term.sum.detach()), rel=1e-4
        )
        assert sum(part.count for part in parts) == term.count


def test_every_trained_parameter_gets_a_gradient(build, name):
    method = build(name)
    trained, reached = set(), set()
    for index, phase in enumerate(method.phases()):
        stage = StageModule(method, phase).train()
        own = dict(stage.named_parameters())
        trained |= {key for key, p in own.items() if p.requires_grad}
        for ctx in active(method, index):
            batch = batches(method, 1)[0]
            loss, _ = stage(batch, ctx, method.counts(batch, ctx), 1.0)
            loss.backward()
        for key, parameter in own.items():
            waited_for = parameter.requires_grad and not method.unused_parameters
            assert parameter.grad is not None or not waited_for, f"{key}: two processes would wait"
            if parameter.grad is not None:
                assert parameter.requires_grad, key
                assert torch.isfinite(parameter.grad).all(), key
                if parameter.grad.abs().sum() > 0:
                    reached.add(key)
            parameter.grad = None
    assert trained
    # a key's bias adds the same to every score of a row: its gradient is 0 by mathematics
    assert {key for key in trained - reached if not key.endswith("key.bias")} == set()
    if method.teacher is not None:
        assert all(p.grad is None for p in method.teacher.parameters())


def test_the_teacher_is_unmoved_by_training(build, name, tmp_path):
    method = build(name)
    if method.teacher is None:
        pytest.skip("no teacher")
    before, modes = weights(method.teacher), flags(method.teacher)
    run_phases(method, build_engine(tmp_path, LearnableSteps()))
    assert_same_weights(before, weights(method.teacher))
    assert flags(method.teacher) == modes == [False] * len(modes)


def test_kept_has_no_side_effect_at_any_step(build, name, tmp_path):
    """Evaluated after every step, trained as if it never had been."""
    quiet, watched = build(name), build(name)
    run_phases(quiet, build_engine(tmp_path / "quiet", LearnableSteps()))
    batch = LearnableSteps().everything()
    inputs = {k: v for k, v in batch.items() if k not in ("labels", "index")}

    def look():
        state = torch.get_rng_state()
        kept = watched.kept()
        assert watched.kept() is kept
        before, modes = weights(kept), flags(kept)
        grads = [p.requires_grad for p in kept.parameters()]
        kept.eval()
        with torch.no_grad():
            first = kept(**inputs).logits
            assert torch.equal(first, kept(**inputs).logits), "dropout in an evaluation"
        for module, mode in zip(kept.modules(), modes, strict=True):
            module.training = mode
        assert_same_weights(before, weights(kept))
        assert [p.requires_grad for p in kept.parameters()] == grads
        assert torch.equal(state, torch.get_rng_state())
        return 0.0, {}

    run_phases(
        watched, build_engine(tmp_path / "watched", LearnableSteps(), evaluate=look, eval_steps=1)
    )
    assert_same_weights(weights(quiet.kept()), weights(watched.kept()))


def test_kept_can_be_saved_and_loaded(build, name, tmp_path):
    method = build(name, epochs=1)
    run_phases(method, build_engine(tmp_path / "run", LearnableSteps()))
    kept = method.kept().eval()
    save_student(kept, None, tmp_path / "student", ["no", "yes"])
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").eval()
    batch = LearnableSteps().everything()
    inputs = {k: v for k, v in batch.items() if k not in ("labels", "index")}
    with torch.no_grad():
        assert torch.equal(kept(**inputs).logits, again(**inputs).logits)
    assert again.config.id2label == {0: "no", 1: "yes"}
    assert type(again) is type(kept)


def test_rows_one_by_one_and_in_a_batch_are_equal(build, name):
    kept = build(name).kept().eval()
    steps = LearnableSteps()
    with torch.no_grad():

        def logits(rows):
            batch = steps.rows(np.array(rows))
            longest = int(batch["attention_mask"].sum(1).max())
            return kept(
                input_ids=batch["input_ids"][:, :longest],
                attention_mask=batch["attention_mask"][:, :longest],
            ).logits

        together = logits(range(12))
        alone = torch.cat([logits([row]) for row in range(12)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_loss_falls(build, name, tmp_path):
    method = build(name, epochs=24)
    batch = LearnableSteps().everything()
    labels = batch["labels"]
    inputs = {k: v for k, v in batch.items() if k not in ("labels", "index")}

    def loss():
        kept = method.kept().eval()
        with torch.no_grad():
            return float(hard_label_loss(kept(**inputs).logits, labels, "cross_entropy")) / 96

    # A student that starts as layers of its teacher knows too much already.
    generator = torch.Generator().manual_seed(reseeded(2))
    with torch.no_grad():
        for parameter in StageModule(method, method.phases()[0]).trained_state().values():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    before = loss()
    assert before > 0.3
    engine = build_engine(tmp_path, LearnableSteps(), save_steps=1000)
    run_phases(method, engine)
    if method.trains_outputs:
        assert loss() < 0.7 * before
    losses = [record["loss"] for record in engine.records if record.get("loss") is not None]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_checkpoints_hold_what_is_trained_and_nothing_else(build, name, tmp_path):
    """No weight of a teacher or predecessor, and no pickle but torch's own of tensors."""
    method = build(name, epochs=1)
    run_phases(method, build_engine(tmp_path, LearnableSteps()))
    teachers = {t.data_ptr() for t in method.teacher.parameters()} if method.teacher else set()
    files = sorted((tmp_path / "checkpoints").rglob("*.safetensors"))
    assert files
    phases = method.phases()
    for path in files:
        state = load_file(path)
        index = int(path.parent.name[5 : path.parent.name.index("-")])
        stage = StageModule(method, phases[index])
        assert state.keys() == stage.trained_state().keys()
        named = dict(stage.named_parameters())
        assert state.keys() & named.keys() == {n for n, p in named.items() if p.requires_grad}
        own = {p.data_ptr() for p in stage.trained_state().values()}
        assert not own & teachers
        whole = sum(p.numel() for p in stage.trained.parameters())
        assert sum(t.numel() for t in state.values()) <= whole
        assert not [key for key in state if "predecessor" in key]
    for path in (tmp_path / "checkpoints").rglob("optimizer.pt"):
        torch.load(path, weights_only=True)
    names = {p.name for p in tmp_path.rglob("*")}
    assert "training_args.bin" not in names


def test_plan_and_gauges_can_be_asked_at_any_time(build, name):
    method = build(name)
    for index, phase in enumerate(method.phases()):
        rows, warnings = method.plan(phase, 100)
        assert all(len(row) == 2 for row in rows)
        assert all(isinstance(text, str) for text in warnings)
        for ctx in contexts(index):
            assert all(math.isfinite(value) for value in method.gauges(ctx).values())
        needs = method.needs(phase)
        assert set(needs) <= {"student", "teacher"}


def test_draws_depend_on_the_context_alone(build, name):
    """The same terms on every process, whatever was drawn before. Without dropout, nothing else draws."""

    def terms_of_steps(seed, rank):
        method = build(name, dropout=0.0)
        torch.manual_seed(reseeded(seed))
        found = []
        for index, phase in enumerate(method.phases()):
            stage = StageModule(method, phase).train()
            batch = batches(method, 1)[0]
            for ctx in (replace(ctx, rank=rank) for ctx in contexts(index)):
                torch.rand(seed)
                features = method.forward(stage.trained, batch, ctx)
                terms = method.terms(batch, features, teacher_of(method, phase, batch), ctx)
                found.append(
                    (method.contributes(ctx), {k: float(t.sum.detach()) for k, t in terms.items()})
                )
        return found

    one = terms_of_steps(seed=1, rank=0)
    assert len(one) >= len(contexts(0))
    assert one == terms_of_steps(seed=2, rank=1)
