"""The optimizer step: what is divided by what, what stays untouched, what is drawn."""

from dataclasses import fields
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainingArguments

from chatstill.errors import UserError
from chatstill.methods.base import Context
from chatstill.train.phases import run_phases
from chatstill.train.trainer import DistillationTrainer
from tests.draws import reseeded
from tests.longer import longer

from .conftest import ToySteps, assert_same_weights, build_engine, build_method, weights

pytestmark = pytest.mark.smoke
# What transformers before 5.10 or so calls gradient_checkpointing.
AGAIN = "activation_checkpointing"
if AGAIN not in {field.name for field in fields(TrainingArguments)}:
    AGAIN = "gradient_checkpointing"


def test_one_step_equals_a_plain_loop():
    """SGD on the mean loss over all micro-batches, rows weighted alike: worked out with plain torch."""
    steps = ToySteps(rows=10, batch=3, accumulation=4)  # micro-batches of 3, 3, 3 and 1 rows
    method = build_method("finetune", dropout=0.0, epochs=1)
    plain = build_method("finetune", dropout=0.0).student
    _, micro_batches = next(steps.start(0))
    assert [len(m["labels"]) for m in micro_batches] == [3, 3, 3, 1]
    whole = {k: torch.cat([m[k] for m in micro_batches]) for k in micro_batches[0]}
    logits = plain(input_ids=whole["input_ids"], attention_mask=whole["attention_mask"]).logits
    picked = torch.log_softmax(logits, -1)[torch.arange(10), whole["labels"]]
    loss = -picked.sum() / 10
    loss.backward()
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        extra = {"optim": "sgd", "lr_scheduler_type": "constant"}
        keys = {"max_grad_norm": 0.0, "weight_decay": 0.0, "warmup_steps": 0}
        engine = build_engine(Path(folder), steps, args=extra, **keys)
        run_phases(method, engine)
    logged = [r for r in engine.records if "loss" in r]
    assert logged[0]["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert logged[0]["term/task"] == pytest.approx(loss.item(), rel=1e-5)
    for (name, new), old in zip(method.student.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(new, old - 1e-2 * old.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_what_was_never_drawn_is_not_touched(tmp_path):
    """No step draws a successor: weights stay, there are no moments, the schedule goes on."""
    method = build_method(
        "theseus", replacing_rate=1e-9, scheduler_type="constant", successor_num_train_epochs=0
    )
    before = weights(method.kept())
    engine = build_engine(tmp_path, ToySteps(), save_steps=12)
    run_phases(method, engine)
    after = weights(method.kept())
    assert all(torch.equal(before[name], after[name]) for name in before)
    logged = [r for r in engine.records if "loss" in r]
    assert len(logged) == 12
    assert all(r["loss"] is None for r in logged), "there was no loss, not one of 0"
    assert logged[-1]["learning_rate"] < logged[3]["learning_rate"]
    path = engine.store.path(0, 12) / "optimizer.pt"
    assert torch.load(path, weights_only=True)["state"] == {}


def test_the_logged_loss_is_the_mean_of_the_steps_that_had_one(tmp_path):
    """Steps without a replacement do not pull the curve down."""
    knobs = dict(replacing_rate=0.3, scheduler_type="constant", successor_num_train_epochs=0)
    single = build_engine(tmp_path / "a", ToySteps(), save_steps=100)
    run_phases(build_method("theseus", dropout=0.0, **knobs), single)
    whole = build_engine(tmp_path / "b", ToySteps(), save_steps=100, args={"logging_steps": 12})
    run_phases(build_method("theseus", dropout=0.0, **knobs), whole)
    losses = [r["loss"] for r in single.records if "loss" in r]
    assert None in losses
    trained = [loss for loss in losses if loss is not None]
    logged = [r for r in whole.records if "loss" in r]
    assert len(logged) == 1
    assert logged[0]["loss"] == pytest.approx(sum(trained) / len(trained), rel=1e-5)
    assert logged[0]["term/task"] == pytest.approx(logged[0]["loss"], rel=1e-5)


def test_only_drawn_modules_move(tmp_path):
    method = build_method(
        "theseus",
        replacing_rate=0.5,
        scheduler_type="constant",
        successor_num_train_epochs=0,
        epochs=1 / 6,
    )
    before = weights(method.kept())
    run_phases(method, build_engine(tmp_path, ToySteps()))
    drawn = method.draws(
        Context(seed=reseeded(7), phase=0, step=0, micro_batch=0, epoch=0, num_steps=1)
    )
    after = weights(method.kept())
    for layer, was_drawn in enumerate(drawn):
        prefix = f"bert.encoder.layer.{layer}."
        moved = any(not torch.equal(before[n], after[n]) for n in before if n.startswith(prefix))
        assert moved == was_drawn
    rest = [n for n in before if ".layer." not in n]
    assert rest
    assert all(torch.equal(before[n], after[n]) for n in rest), "embeddings and head are frozen"


def test_draws_follow_seed_step_and_micro_batch_alone():
    method = build_method("theseus", replacing_rate=0.5, scheduler_type="constant")

    def draws(**where):
        base = dict(seed=reseeded(7), phase=0, step=0, micro_batch=0, epoch=0, num_steps=100)
        return method.draws(Context(**{**base, **where}))

    torch.manual_seed(reseeded(1))
    first = [draws(step=s) for s in range(64)]
    torch.manual_seed(reseeded(2))
    assert first == [draws(step=s, rank=1) for s in range(64)]
    assert first != [draws(step=s, micro_batch=1) for s in range(64)]
    assert first != [draws(step=s, seed=reseeded(8)) for s in range(64)]
    share = sum(map(sum, first)) / 128
    assert 0.35 < share < 0.65


def test_share_of_first_steps_without_a_successor():
    """Rate .3 and three modules: .7 ** 3 = 34 % of micro-batches draw none."""
    from chatstill.methods.theseus import Config, Theseus

    method = build_method("theseus", replacing_rate=0.3, scheduler_type="constant")
    method.student.config.num_hidden_layers = 3
    assert isinstance(method, Theseus) and isinstance(method.config, Config)
    contexts = [Context(1, 0, s, 0, 0, 5000) for s in range(5000)]
    share = sum(not method.contributes(c) for c in contexts) / 5000
    assert share == pytest.approx(0.343, abs=0.025)


def test_no_generator_of_the_run_depends_on_evaluation(tmp_path):
    """A run that evaluates (and draws random numbers doing so) equals one that does not."""
    quiet, noisy = build_method("finetune"), build_method("finetune")
    run_phases(quiet, build_engine(tmp_path / "a", ToySteps()))

    def evaluate():
        torch.rand(17)
        noisy.kept().eval()
        return 0.0, {}

    run_phases(noisy, build_engine(tmp_path / "b", ToySteps(), evaluate=evaluate, eval_steps=1))
    left, right = weights(quiet.kept()), weights(noisy.kept())
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_more_padding_changes_nothing(tmp_path):
    """The same rows, padded to 12 instead of 8 positions, give the same loss."""

    class Padded(ToySteps):
        def rows(self, rows):
            batch = super().rows(rows)
            for key in ("input_ids", "attention_mask"):
                batch[key] = torch.nn.functional.pad(batch[key], (0, 4))
            return batch

    losses = []
    for number, source in enumerate((ToySteps(), Padded())):
        engine = build_engine(tmp_path / str(number), source, args={"optim": "sgd"})
        run_phases(build_method("finetune", dropout=0.0, epochs=1), engine)
        losses.append([r["loss"] for r in engine.records if "loss" in r])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("name", longer(["theseus", "finetune", "matches"]))
def test_activations_that_are_computed_again_change_nothing(tmp_path, name):
    found, passes = [], []
    for again in (False, True):
        method = build_method(name, epochs=1)
        passes.append([])
        layer = method.student.bert.encoder.layer[0].attention
        layer.register_forward_hook(lambda *_: passes[-1].append(1))
        args = {AGAIN: again}
        run_phases(method, build_engine(tmp_path / str(again), ToySteps(), args=args))
        found.append(weights(method.kept()))
    assert_same_weights(*found)
    assert len(passes[1]) > len(passes[0]) > 0


def test_attention_that_is_computed_again_trains_as_the_plain_pass_does(tmp_path):
    """Torch's reentrant way would keep no graph of the attention that is read: it is never taken."""
    found = []
    for name, again in (("plain", False), ("again", True)):
        method = build_method("matches", dropout=0.0)
        args = {AGAIN: again}
        if again:
            args[f"{AGAIN}_kwargs"] = {"use_reentrant": True}
        run_phases(method, build_engine(tmp_path / name, ToySteps(), args=args))
        found.append(weights(method.kept()))
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], msg=name)


def test_a_network_that_cannot_compute_them_again_is_told(tmp_path, monkeypatch):
    method = build_method("finetune")
    monkeypatch.setattr(type(method.student), "supports_gradient_checkpointing", False)
    engine = build_engine(tmp_path, ToySteps(), args={AGAIN: True})
    with pytest.raises(UserError, match="does not support"):
        run_phases(method, engine)


def test_an_optimizer_whose_library_is_missing_is_told(tmp_path):
    engine = build_engine(tmp_path, ToySteps(), args={"optim": "schedule_free_adamw"})
    with pytest.raises(UserError, match="schedulefree"):
        run_phases(build_method("finetune"), engine)


def test_the_first_step_is_logged_where_asked(tmp_path):
    args = {"logging_steps": 5, "logging_first_step": True}
    engine = build_engine(tmp_path, ToySteps(), args=args)
    run_phases(build_method("finetune"), engine)
    assert [r["step"] for r in engine.records if "loss" in r] == [1, 5, 10, 12]


def test_gradients_are_clipped_together(tmp_path):
    """SGD at rate 1 moves everything that is trained by max_grad_norm in all, no part by itself."""
    method = build_method("matches", dropout=0.0, epochs=1)
    trained = {
        **{f"student.{n}": p for n, p in method.student.named_parameters()},
        **{f"projections.{n}": p for n, p in method.projections.named_parameters()},
    }
    before = {name: parameter.detach().clone() for name, parameter in trained.items()}
    plain = {"max_grad_norm": 0.01, "weight_decay": 0.0, "warmup_steps": 0}
    extra = {"optim": "sgd", "max_steps": 1, "learning_rate": 1.0, "lr_scheduler_type": "constant"}
    engine = build_engine(tmp_path, ToySteps(), args=extra, **plain)
    run_phases(method, engine)
    moved = {name: (p - before[name]).detach().norm().item() for name, p in trained.items()}
    assert max(v for n, v in moved.items() if n.startswith("projections")) > 0
    assert sum(v**2 for v in moved.values()) ** 0.5 == pytest.approx(0.01, rel=1e-3)
    assert next(r for r in engine.records if "grad_norm" in r)["grad_norm"] > 0.1


def test_a_scaler_goes_on_where_it_was(tmp_path):
    saved, trainer = (
        torch.amp.GradScaler("cpu", init_scale=8.0),
        object.__new__(DistillationTrainer),
    )
    trainer.accelerator = SimpleNamespace(scaler=torch.amp.GradScaler("cpu", init_scale=64.0))
    torch.save(saved.state_dict(), tmp_path / "scaler.pt")
    trainer._load_scaler(str(tmp_path))
    assert trainer.accelerator.scaler.get_scale() == 8.0
