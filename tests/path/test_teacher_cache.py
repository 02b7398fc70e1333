"""Whole runs that store their teacher's outputs: the weights of a live teacher, to the stored precision."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from chatstill import cli
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.train import storing
from chatstill.train.teachers import LiveTeacher

from ..processes import run_processes
from . import world
from .children import fork, wait

METHOD = '''
"""Learns the teacher's logits, a hidden state, a [CLS] state and attention scores."""
from chatstill.losses import Term
from chatstill.methods.base import Features, Method, MethodConfig, Needs, Phase


class Config(MethodConfig):
    pass


class Everything(Method):
    Config = Config

    @classmethod
    def build_student(cls, config, teacher, spec):
        from chatstill.models.layers import copy_layers

        return copy_layers(teacher, spec.num_layers, list(range(spec.num_layers))), []

    def phases(self):
        return [Phase("apart", self.run.num_train_epochs, self.run.learning_rate)]

    def needs(self, phase):
        return {
            "student": Needs(logits=True, hidden_states=(1,), cls=(2,), attention=(2,)),
            "teacher": Needs(logits=True, hidden_states=(2,), cls=(4,), attention=(4,)),
        }

    def begin(self, phase):
        self.student.requires_grad_(True)
        return self.student

    def counts(self, batch, ctx):
        return {"all": float(len(batch["index"]))}

    def terms(self, batch, student, teacher, ctx):
        mask = batch["attention_mask"][:, :, None]
        sides = student.attention[2], teacher.attention[4]
        scores = [side.query @ side.key.transpose(-1, -2) for side in sides]
        both = (mask * mask.transpose(1, 2))[:, None]
        total = (
            ((student.logits - teacher.logits) ** 2).sum()
            + ((student.hidden_states[1] - teacher.hidden_states[2]) ** 2 * mask).mean()
            + ((student.cls[2] - teacher.cls[4]) ** 2).mean()
            + ((scores[0] - scores[1]) ** 2 * both).mean()
        )
        return {"all": Term(total, float(len(mask)))}
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "everything.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def values(shared, teacher_of, tmp_path, plugin):
    """``values(name, teacher_cache=...)``: a configuration of three epochs."""

    def make(name, **changes):
        found = world.values_for(
            shared / "data",
            tmp_path / name,
            teacher_of(),
            model_type="everything",
            plugins=[str(plugin)],
            theseus_scheduler=None,
            cache_dir=str(tmp_path / "cache"),
            num_train_epochs=3,
        )
        return {**found, **changes}

    return make


@pytest.fixture
def asked(monkeypatch):
    """Rows that the live teacher was asked for, the plan's and the probes' included."""
    rows = []
    features = LiveTeacher.features

    def noting(self, batch):
        rows.extend(batch["index"].tolist())
        return features(self, batch)

    monkeypatch.setattr(LiveTeacher, "features", noting)
    return rows


def student_of(values):
    return world.weights_of(Path(values["output_dir"]) / "student")


def settled(values):
    text = (Path(values["output_dir"]) / "teacher_cache.json").read_text(encoding="utf-8")
    return json.loads(text)["phases"]["apart"]


def test_stored_and_live_agree_to_the_stored_precision(values, tmp_path, asked):
    live, stored = values("live", teacher_cache=False), values("stored", teacher_cache=True)
    world.distilled(live, tmp_path / "c1")
    of_live = len(asked)
    asked.clear()
    said = world.distilled(stored, tmp_path / "c2")
    assert "teacher in phase 'apart': stored:" in said
    assert "48 of 48 rows" in said
    assert len(asked) < of_live
    one, other = student_of(live), student_of(stored)
    assert any(not one[name].equal(other[name]) for name in one), "nothing was stored"
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=6e-3)


def test_a_second_student_reads_what_the_first_one_stored(values, tmp_path, asked):
    first = values("first", teacher_cache=True)
    world.distilled(first, tmp_path / "c1")
    asked.clear()
    second = values("second", teacher_cache=True, student_architectures={"num_hidden_layers": 3})
    said = world.distilled(second, tmp_path / "c2")
    assert "rows were there" in said
    probes = 3 * 2 + 4 * 8  # the shapes, of two rows each; the plan's batches
    assert len(asked) <= probes
    third = values("third", teacher_cache=True)
    world.distilled(third, tmp_path / "c3")
    one, other = student_of(first), student_of(third)
    assert all(one[name].equal(other[name]) for name in one), "to the bit: the values are the same"


def test_other_lengths_or_another_teacher_are_another_cache(values, tmp_path, copy_of):
    world.distilled(values("first", teacher_cache=True), tmp_path / "c1")
    world.distilled(values("second", teacher_cache=True, max_seq_length=16), tmp_path / "c2")
    teacher = copy_of("bert")
    model = world.tf.AutoModelForSequenceClassification.from_pretrained(teacher)
    with torch.no_grad():
        model.classifier.bias += 0.01
    model.save_pretrained(teacher)
    third = values("third", teacher_cache=True)
    third["teacher_architectures"] = {"model_name_or_path": str(teacher)}
    world.distilled(third, tmp_path / "c3")
    folders = [settled(values(name))["cache"] for name in ("first", "second", "third")]
    assert len(set(folders)) == 3
    assert all((Path(folder) / "cache.json").is_file() for folder in folders)


def test_stored_scores_are_scaled(values, tmp_path):
    """TinyBERT's first step: a scaling lost with the queries and keys would be another loss."""

    def first_loss(name, cached):
        own = values(name, teacher_cache=cached, model_type="TinyBertTaskDistillStep1")
        own |= {"plugins": [], "max_steps": 1, "logging_steps": 1}
        world.distilled(own, tmp_path / f"c-{name}")
        text = (Path(own["output_dir"]) / "history.jsonl").read_text(encoding="utf-8")
        return json.loads(text.splitlines()[0])["term/attention"]

    assert first_loss("stored", True) == pytest.approx(first_loss("live", False), rel=5e-3)


@pytest.mark.slow
def test_another_precision_and_another_architecture_are_another_cache(values, tmp_path, copy_of):
    """The same weights, joined in another way or computed in other numbers, answer otherwise."""
    world.distilled(values("first", teacher_cache=True), tmp_path / "c1")
    world.distilled(values("second", teacher_cache=True, bf16=True), tmp_path / "c2")
    third = values("third", teacher_cache=True)
    other = str(copy_of("bert", hidden_act="relu"))
    third["teacher_architectures"] = {"model_name_or_path": other}
    third["allow_weak_teacher"] = True
    world.distilled(third, tmp_path / "c3")
    assert len({settled(values(name))["cache"] for name in ("first", "second", "third")}) == 3


def test_a_damaged_cache_is_mended_when_a_run_begins(values, tmp_path):
    first = values("first", teacher_cache=True)
    world.distilled(first, tmp_path / "c1")
    (shard,) = Path(settled(first)["cache"]).glob("0*")
    file = shard / "logits.bin"
    file.write_bytes(bytes(len(file.read_bytes())))
    second = values("second", teacher_cache=True)
    world.distilled(second, tmp_path / "c2")
    one, other = student_of(first), student_of(second)
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize("at", ["while it is stored", "while it trains"])
def test_killed_and_started_again_it_has_the_weights_of_an_unbroken_run(values, tmp_path, at):
    whole = values("whole", teacher_cache=True)
    world.distilled(whole, tmp_path / "c1")
    shutil.rmtree(tmp_path / "cache")
    broken = values("broken", teacher_cache=True)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken), encoding="utf-8")

    def killed():
        from chatstill.data.store import ArrayWriter
        from chatstill.train.flow import FlowCallback

        publish, original = ArrayWriter.publish, FlowCallback.on_step_end

        def stop(self, facts):
            if "cache" in facts and "shard" in facts and at == "while it is stored":
                os.kill(os.getpid(), signal.SIGKILL)
            return publish(self, facts)

        def with_signal(self, args, state, control, **kwargs):
            if state.global_step == 6 and at == "while it trains":
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, args, state, control, **kwargs)

        ArrayWriter.publish, FlowCallback.on_step_end = stop, with_signal
        return cli.main(["distill", str(path)])

    output = tmp_path / "child.txt"
    assert wait(fork(killed, output)) == -signal.SIGKILL, output.read_text()[-2000:]
    assert wait(fork(lambda: cli.main(["distill", str(path)]), output)) == 0
    one, other = student_of(whole), student_of(broken)
    assert all(one[name].equal(other[name]) for name in one)


def test_a_run_that_goes_on_keeps_to_what_was_decided(values, tmp_path):
    """The budget is no part of the fingerprint: with less of it a stored teacher stays stored."""
    whole = values("whole", use_cpu=True)
    world.distilled(whole, tmp_path / "c1")
    assert settled(whole)["stored"]
    broken = values("broken", use_cpu=True)
    loaded = world.loaded(broken, tmp_path / "c2")

    def stopped():
        from .test_killed_runs import stopping

        stopping(signal.SIGTERM, 5)
        return cli.main(["distill", str(tmp_path / "c2" / "distill.json")])

    assert loaded.config.teacher_cache == "auto"
    assert wait(fork(stopped, tmp_path / "child.txt")) == 143
    world.distilled({**broken, "teacher_cache_budget_gb": 0.0}, tmp_path / "c2")
    one, other = student_of(whole), student_of(broken)
    assert all(one[name].equal(other[name]) for name in one)


def test_auto_says_what_it_decided_with_bytes(values, tmp_path):
    def plan(**changes):
        where = world.console()
        loaded = world.loaded(values("out", use_cpu=True, **changes), tmp_path / "configs", "check")
        pipeline.check(loaded, console=where)
        return world.said(where)

    text = plan()
    assert "stored: " in text and "kB" in text
    assert "logits, cls 4, hidden_states 2, attention 4" in text
    assert "one pass in place of 3" in text
    assert "live: rows are read hardly more than once" in plan(num_train_epochs=1)
    assert "more than teacher_cache_budget_gb, 0" in plan(teacher_cache_budget_gb=0.0)
    assert "live: teacher_cache is false" in plan(teacher_cache=False)
    with pytest.raises(UserError, match="teacher_cache_budget_gb"):
        plan(teacher_cache=True, teacher_cache_budget_gb=0.0)
    assert not (tmp_path / "cache").exists(), "a check writes nothing"


def test_auto_stores_no_states_near_the_end_of_float16(values, tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "NEAR_THE_END", 0.01)
    for mode, found in (("auto", "live: its states reach "), (True, "stored: ")):
        where = world.console()
        changes = values("out", teacher_cache=mode)
        pipeline.check(world.loaded(changes, tmp_path / "configs", "check"), console=where)
        assert found in world.said(where)


def test_a_method_that_asks_no_teacher_says_so(run):
    said = run("check", teacher_cache=True).text
    assert "teacher_cache: has no effect" in said
    assert "teacher_cache" not in run("check", teacher_cache="auto").text


def test_two_processes_store_and_read_one_cache(values, tmp_path):
    alone = values("alone", teacher_cache=True, per_gpu_train_batch_size=8)
    world.distilled(alone, tmp_path / "c1")
    (tmp_path / "cache").rename(tmp_path / "of-one")
    both = values("both", teacher_cache=True, per_gpu_train_batch_size=4)
    loaded = world.loaded(both, tmp_path / "c2")

    def work(rank):
        where = world.console()
        pipeline.distill(loaded, console=where)
        return world.said(where)

    first, second = run_processes(work, 2)
    assert "teacher's outputs" in first and not second.strip()
    files = [path.relative_to(tmp_path / "of-one") for path in (tmp_path / "of-one").rglob("*.bin")]
    assert len([file for file in files if "teacher" in file.parts]) == 5
    for file in files:
        assert (tmp_path / "of-one" / file).read_bytes() == (tmp_path / "cache" / file).read_bytes()
