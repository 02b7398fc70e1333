"""A run that was stopped, killed or damaged ends as an unbroken one does, bit for bit."""

import json
import os
import shutil
import signal

import pytest
import torch

from chatstill.errors import RunFailure
from chatstill.train.checkpoints import damage_of, publish_folder
from chatstill.train.control import Interrupted
from chatstill.train.phases import run_phases
from tests.longer import longer

from .conftest import (
    DyingSteps,
    Killed,
    ToySteps,
    assert_same_weights,
    build_engine,
    build_method,
    weights,
)

pytestmark = pytest.mark.smoke

METHODS = [
    ("finetune", {}),
    ("theseus", {"replacing_rate": 0.3, "successor_num_train_epochs": 1}),
    ("theseus", {"replacing_rate": 0.3, "train": "all"}),
    ("matches", {}),
]


def train(folder, method, steps=None, **settings):
    engine = build_engine(folder, steps or ToySteps(), **settings)
    run_phases(method, engine)
    return engine


@pytest.fixture(params=METHODS, ids=lambda p: f"{p[0]}-{len(p[1])}")
def method_of(request):
    name, knobs = request.param
    return lambda: build_method(name, **knobs)


def test_unbroken_runs_are_equal(tmp_path, method_of):
    first, second = method_of(), method_of()
    train(tmp_path / "a", first)
    train(tmp_path / "b", second, save_steps=5)
    assert_same_weights(weights(first.kept()), weights(second.kept()))
    assert not torch.equal(
        weights(first.kept())["bert.encoder.layer.0.output.dense.weight"],
        weights(method_of().kept())["bert.encoder.layer.0.output.dense.weight"],
    )


@pytest.mark.parametrize("at", longer([5, 7, 1, 2, 6, 11], keep=2))
def test_killed_and_started_again_equals_unbroken(tmp_path, method_of, at):
    unbroken = method_of()
    train(tmp_path / "a", unbroken)

    with pytest.raises(Killed):
        train(tmp_path / "b", method_of(), DyingSteps(at))
    again = method_of()
    train(tmp_path / "b", again)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


def logged(engine, until=None):
    """(phase, step) -> record, of those that a checkpoint of a phase's step ``until`` stands behind."""
    found = {(r["phase"], r["step"]): r for r in engine.records if "loss" in r}
    return {k: r for k, r in found.items() if until is None or k[1] <= until}


@pytest.mark.parametrize("at", longer([5, 3, 9]))
def test_the_history_of_a_killed_run_is_that_of_an_unbroken_one(tmp_path, method_of, at):
    """Lines of four steps, checkpoints of three: the sums of a line lie on both sides of a kill."""
    rhythm = {"logging_steps": 4, "save_steps": 3}
    unbroken = logged(train(tmp_path / "a", method_of(), **rhythm))
    broken = build_engine(tmp_path / "b", DyingSteps(at), **rhythm)
    with pytest.raises(Killed):
        run_phases(method_of(), broken)
    again = train(tmp_path / "b", method_of(), **rhythm)
    assert {**logged(broken, at // 3 * 3), **logged(again)} == unbroken


@pytest.mark.parametrize("since_log", longer([{"steps": 1, "sums": 5}, None, {}, {"steps": "x"}]))
def test_checkpoints_without_the_sums_of_the_log_are_gone_on_from(tmp_path, since_log):
    """Those of earlier versions: the weights are the same, the first line averages over fewer steps."""
    unbroken, again = build_method("finetune"), build_method("finetune")
    train(tmp_path / "a", unbroken, logging_steps=4, save_steps=3)
    engine = build_engine(tmp_path / "b", DyingSteps(7), logging_steps=4, save_steps=3)
    with pytest.raises(Killed):
        run_phases(build_method("finetune"), engine)
    newest = engine.store.all()[-1].path
    known = json.loads((newest / "selection.json").read_text(encoding="utf-8"))
    known.pop("since_log")
    known |= {} if since_log is None else {"since_log": since_log}
    shutil.copytree(newest, tmp_path / "copy")

    def write(folder):
        for file in (tmp_path / "copy").iterdir():
            if file.name not in ("manifest.json", "selection.json"):
                shutil.copy(file, folder / file.name)
        (folder / "selection.json").write_text(json.dumps(known), encoding="utf-8")

    publish_folder(newest, write)
    train(tmp_path / "b", again, logging_steps=4, save_steps=3)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


def test_a_checkpoint_of_another_shape_is_damaged_whatever_its_sums_say(tmp_path):
    engine = train(tmp_path, build_method("finetune"))
    newest = engine.store.all()[-1].path
    for name, text, fault in (
        ("selection.json", '{"best_step": "x"}', "'best_step' in selection.json is no int"),
        ("selection.json", "[" * 9999, "selection.json has more than 100 lists"),
        ("trainer_state.json", "[]", "trainer_state.json holds a JSON list"),
    ):
        publish_folder(newest, lambda f, n=name, t=text: (f / n).write_text(t, encoding="utf-8"))
        assert fault in damage_of(newest)
    (newest / "manifest.json").write_text('{"files": {"a": 1}}', encoding="utf-8")
    assert damage_of(newest) == "manifest.json is missing or not readable"


def test_signal_saves_the_step_and_resumes(tmp_path, method_of):
    unbroken = method_of()
    train(tmp_path / "a", unbroken)
    engine = build_engine(tmp_path / "b", ToySteps(), save_steps=None)

    class Signalling(ToySteps):
        def start(self, step, num_steps=0):
            for number, item in enumerate(super().start(step), step):
                if number == 3:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield item

    engine.data = {"train": Signalling()}
    with engine.stop.listening(), pytest.raises(Interrupted) as stopped:
        run_phases(method_of(), engine)
    assert stopped.value.exit_code == 143
    assert [c.step for c in engine.store.all()] == [4]
    again = method_of()
    train(tmp_path / "b", again)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


@pytest.mark.parametrize("file", longer(["optimizer.pt", "trained.safetensors", "manifest.json"]))
def test_damaged_checkpoint_is_named_and_skipped(tmp_path, file, caplog):
    caplog.set_level("INFO")
    unbroken = build_method("finetune")
    train(tmp_path / "a", unbroken)
    engine = build_engine(tmp_path / "b", ToySteps())
    engine.stop.signal_number = 0

    engine.data = {"train": DyingSteps(7)}
    with pytest.raises(Killed):
        run_phases(build_method("finetune"), engine)
    newest = engine.store.all()[-1]
    assert newest.step == 6
    data = bytearray((newest.path / file).read_bytes())
    data[len(data) // 2] ^= 255
    (newest.path / file).write_bytes(bytes(data))
    again = build_method("finetune")
    train(tmp_path / "b", again)
    lines = caplog.messages
    assert any("damaged" in line and file in line and "step000006" in line for line in lines)
    assert any("goes on after step 4" in line for line in lines)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


def test_finished_run_restores_without_training(tmp_path, method_of):
    first = method_of()
    train(tmp_path, first)

    class Untouchable(ToySteps):
        def start(self, step, num_steps=0):
            raise AssertionError("a finished phase was trained again")

    second = method_of()
    train(tmp_path, second, Untouchable())
    assert_same_weights(weights(first.kept()), weights(second.kept()))


def test_two_step_checkpoints_are_kept(tmp_path):
    engine = train(tmp_path, build_method("finetune"), save_steps=1)
    assert [(c.step, c.done) for c in engine.store.all()] == [(11, False), (12, False), (0, True)]


def test_best_weights_are_kept_also_after_a_kill(tmp_path):
    """Evaluation values peak at step 4: its weights are the result, on a broken run too."""
    values = {2: 0.1, 4: 0.9, 6: 0.3, 8: 0.4, 10: 0.2, 12: 0.5}

    def run(folder, steps, method):
        engine = build_engine(folder, steps, eval_steps=2, keep="best", save_steps=3)
        seen = {}

        def evaluate():
            step = method.evaluated_step()
            seen[step] = weights(method.kept())
            return values[step], {"score": values[step]}

        engine.evaluate = evaluate
        from chatstill.train import trainer as module

        original = module.DistillationTrainer._evaluate

        def spying(self, *args, **kwargs):
            method.evaluated_step = lambda: self.state.global_step
            return original(self, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.DistillationTrainer, "_evaluate", spying)
            run_phases(method, engine)
        return seen

    method = build_method("finetune")
    seen = run(tmp_path / "a", ToySteps(), method)
    assert_same_weights(weights(method.kept()), seen[4])

    with pytest.raises(Killed):
        run(tmp_path / "b", DyingSteps(8), build_method("finetune"))
    again = build_method("finetune")
    run(tmp_path / "b", ToySteps(), again)
    assert_same_weights(weights(again.kept()), seen[4])


def damage(path):
    path.write_bytes(path.read_bytes()[:-9] + b"damaged!!")


def test_damaged_best_weights_are_named_and_no_longer_count(tmp_path, caplog):
    values = iter(
        [0.9, 0.1, 0.2, 0.5, 0.3, 0.4, 0.3]
    )  # after steps 2, 4, 6 and, gone on, 8, 10, 12

    knobs = {"evaluate": lambda: (next(values), {}), "eval_steps": 2, "keep": "best"}
    with pytest.raises(Killed):
        run_phases(build_method("finetune"), build_engine(tmp_path, DyingSteps(7), **knobs))
    damage(tmp_path / "checkpoints" / "phase0-best000002" / "trained.safetensors")
    with caplog.at_level("WARNING"):
        (result,) = run_phases(
            build_method("finetune"), build_engine(tmp_path, ToySteps(), **knobs)
        )
    assert (result.best, result.best_step) == (0.5, 8)
    assert "of step 2, are damaged" in caplog.text and "trained.safetensors" in caplog.text


def test_best_weights_damaged_before_the_end_are_not_shipped(tmp_path):
    best = tmp_path / "checkpoints" / "phase0-best000002" / "trained.safetensors"
    values = iter([0.9, 0.1, 0.1, 0.1, 0.1, 0.1])

    def evaluate():
        value = next(values)
        if value < 0.9 and best.is_file():
            damage(best)
        return value, {}

    engine = build_engine(tmp_path, ToySteps(), evaluate=evaluate, eval_steps=2, keep="best")
    with pytest.raises(RunFailure, match="of step 2, are damaged"):
        run_phases(build_method("finetune"), engine)


def test_a_damaged_phase_is_trained_again(tmp_path, caplog):
    caplog.set_level("INFO")
    unbroken = build_method("theseus", successor_num_train_epochs=1)
    train(tmp_path / "a", unbroken)
    method = build_method("theseus", successor_num_train_epochs=1)

    with pytest.raises(Killed):
        train(tmp_path / "b", method, DyingSteps(3, phase=1))
    damage(tmp_path / "b" / "checkpoints" / "phase0-done" / "trained.safetensors")
    again = build_method("theseus", successor_num_train_epochs=1)
    train(tmp_path / "b", again)
    lines = caplog.messages
    assert any("phase1-step000002" in line and "phase0-done, which" in line for line in lines)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


def test_patience_stops_and_stays_stopped(tmp_path):
    method = build_method("finetune")
    engine = build_engine(
        tmp_path, ToySteps(), evaluate=lambda: (0.5, {}), eval_steps=2, patience=2, save_steps=1
    )
    results = run_phases(method, engine)
    assert results[0].steps == 6
    (tmp_path / "checkpoints" / "phase0-done" / "manifest.json").unlink()
    again = build_method("finetune")
    results = run_phases(
        again,
        build_engine(tmp_path, ToySteps(), evaluate=lambda: (0.5, {}), eval_steps=2, patience=2),
    )
    assert results[0].steps == 6
    assert_same_weights(weights(method.kept()), weights(again.kept()))
    restored = build_engine(tmp_path, ToySteps(), evaluate=None, eval_steps=2, patience=2)
    assert run_phases(build_method("finetune"), restored)[0].steps == 6


def test_nan_stops_before_the_optimizer_and_the_checkpoint_stands(tmp_path):
    method = build_method("finetune")

    class Poisoned(ToySteps):
        def start(self, step, num_steps=0):
            for number, item in enumerate(super().start(step), step):
                if number == 5:
                    with torch.no_grad():
                        method.student.classifier.weight.fill_(float("nan"))
                yield item

    engine = build_engine(tmp_path, Poisoned())
    with pytest.raises(RunFailure, match=r"not finite at step 6.*learning_rate"):
        run_phases(method, engine)
    newest, lines = engine.store.newest()
    assert newest.step == 4 and not lines
