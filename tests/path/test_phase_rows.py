"""Phases with rows of their own kind: each distinct text, or blocks of a corpus, before the task's rows."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.data.class_weights import RowWeights
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.run.phase_rows import prepare_views
from chatstill.tasks import get_task
from chatstill.train.stage import StageModule
from tests.found import codes, refused
from tests.longer import longer

from ..processes import run_processes
from . import two_phases, world
from .children import fork, wait
from .two_phases import KINDS, history, told, values_for

ROWS = 48


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    return two_phases.write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return two_phases.write_data(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture
def configured(data, teacher_of, plugin, tmp_path):
    """``configured("texts", name="out", seed=1)``: a configuration that was read."""

    def make(kind, name="out", teacher=None, data=data, **changes):
        values = values_for(data, tmp_path / name, teacher or teacher_of(), plugin, kind, **changes)
        return world.loaded(values, tmp_path / f"configs-{name}")

    return make


def distilled(loaded):
    where = world.console()
    pipeline.distill(loaded, console=where)
    return world.said(where)


def distinct_texts(data):
    """In the order in which they come first, of the training rows and of the transfer set."""
    rows = []
    for name in ("train.data.txt", "unlabeled.data.txt"):
        rows += (data / "chat" / name).read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(text for row in rows for text in row.split("\t")[:2]))


def test_each_distinct_text_is_a_row_by_itself_without_label(configured, data, tmp_path):
    loaded = configured("texts")
    job = pipeline.open_job_of(loaded, "distill")
    views = prepare_views(job, tmp_path / "run", world.console(), trains=False)
    texts, held_out = views.parts["texts"].train, views.held_out("texts")
    read = [
        job.tokenizer.decode(texts.rows(np.array([row])).ids, skip_special_tokens=True)
        for row in range(len(texts))
    ]
    wanted = distinct_texts(data)
    assert read == wanted and "sing now me" in wanted, "the transfer set's are among them"
    assert len(wanted) < 2 * (ROWS + 4), "some come twice, or this says nothing"
    assert texts.num_labelled == 0 and "labels" not in job.reader.batch(texts, np.arange(2))
    assert views.num_rows("train") == ROWS, "the second phase needs labels: no transfer set"
    assert 0 < len(held_out) < 2 * len(views.dev)


@pytest.mark.charts
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_by_phases(configured, kind, plugin, tmp_path):
    """Plan, rows, steps, selection and report go by phase."""
    plan_of = world.console()
    pipeline.check(configured(kind, keep="best"), console=plan_of)
    plan = world.said(plan_of)
    said = distilled(configured(kind, keep="best"))
    metrics, records = told(tmp_path / "out"), history(tmp_path / "out")
    first, second = metrics["training"]["phases"]
    assert (first["data"], second["data"], second["rows"]) == (kind, "train", ROWS)
    for phase in (first, second):
        assert phase["steps"] == phase["rows"] // 8
    what = "distinct texts" if kind == "texts" else "blocks of up to 32 tokens"
    assert f"{first['rows']} {what}" in plan
    assert plan.count("  time ") == 3, "of each phase, and of all"
    losses = [r["dev/loss"] for r in records if "dev/loss" in r]
    assert {r["phase"] for r in records if "dev/loss" in r} == {"vectors"}
    assert first["best"] == min(losses) and {r["phase"] for r in records if "dev/mrr" in r} == {
        "task"
    }
    assert metrics["dev"]["main"] == "mrr" and "mrr = " in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "on dev" in page and "phase task" in page
    assert cli.main(["evaluate", str(tmp_path / "out"), "--plugin", str(plugin)]) == 0


def test_only_what_a_phase_asks_for_is_prepared(configured, tmp_path):
    for kind, number in (("train", 2), ("texts", 4), ("corpus", 4)):
        distilled(configured(kind, name=kind, max_steps=1))
        assert len(list((tmp_path / kind / "cache").glob("*/manifest.json"))) == number, kind
    distilled(configured("texts", name="unscored", max_steps=1, do_eval=False))
    assert len(list((tmp_path / "unscored" / "cache").glob("*/manifest.json"))) == 3


@pytest.mark.parametrize("kind", longer(KINDS))
def test_stored_answers_are_those_of_the_phases_own_rows(configured, teacher_of, kind, monkeypatch):
    """Each row's stored vector is what the teacher says of this row, in whatever batch it comes."""
    teacher = tf.AutoModelForSequenceClassification.from_pretrained(teacher_of()).eval()
    seen = []
    original = StageModule.forward

    def watched(self, batch, ctx, *args):
        if self._source is not None and ctx.num_steps > 1 and ctx.phase == 0:
            found = self._source.features(batch).vector
            mask = batch["attention_mask"]
            with torch.no_grad():
                out = teacher.bert(batch["input_ids"], mask, batch.get("token_type_ids"))
            states = out.last_hidden_state * mask[:, :, None]
            right = states.sum(1) / mask.sum(1, keepdim=True)
            torch.testing.assert_close(found.float(), right, rtol=2e-3, atol=2e-3)
            seen.extend(batch["index"].tolist())
        return original(self, batch, ctx, *args)

    from chatstill.run import task_level

    train = task_level.train

    def from_here_on(*args):  # the pre-flight's samples have row numbers of their own
        monkeypatch.setattr(StageModule, "forward", watched)
        return train(*args)

    monkeypatch.setattr(task_level, "train", from_here_on)
    loaded = configured(kind, teacher_cache=True, num_train_epochs=2)
    distilled(loaded)
    from pathlib import Path

    folder = Path(loaded.config.output_dir)
    rows = told(folder)["training"]["phases"][0]["rows"]
    assert sorted(seen) == sorted([*range(rows)] * 2), "every row in each epoch"
    kept = told(folder, "teacher_cache.json")["phases"]
    assert kept.keys() == {"vectors"} and kept["vectors"]["stored"] is True


@pytest.mark.parametrize("kind", longer(KINDS))
def test_stored_and_live_teachers_teach_the_same(configured, tmp_path, kind):
    for name, cached in (("live", False), ("stored", True)):
        distilled(configured(kind, name=name, teacher_cache=cached))
    live, stored = (world.weights_of(tmp_path / name / "student") for name in ("live", "stored"))
    for name in live:
        torch.testing.assert_close(live[name], stored[name], rtol=1e-2, atol=1e-3, msg=name)


@pytest.mark.parametrize("kind", longer(KINDS))
def test_two_processes_make_the_student_of_one(configured, tmp_path, kind):
    still = world.build_network(tmp_path / "still", dropout=0.0)
    exact = {
        "teacher": still,
        "training_arguments": {"optim": "sgd"},
        "learning_rate": 0.05,
        "allow_weak_teacher": True,
    }
    distilled(configured(kind, name="one", **exact))
    pair = configured(kind, name="two", per_gpu_train_batch_size=4, **exact)
    run_processes(lambda rank: distilled(pair), 2)
    one, two = (
        SimpleNamespace(weights=world.weights_of(tmp_path / name / "student"), name=name)
        for name in ("one", "two")
    )
    for name in one.weights:
        torch.testing.assert_close(one.weights[name], two.weights[name], rtol=1e-3, atol=1e-5)
    losses = [
        [r["dev/loss"] for r in history(tmp_path / name) if "dev/loss" in r]
        for name in ("one", "two")
    ]
    assert losses[0] and losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    "cached", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["live", "stored"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_in_each_phase_it_ends_as_an_unbroken_run(configured, tmp_path, kind, cached):
    options = {"teacher_cache": cached, "keep": "best", "eval_steps": 2}
    distilled(configured(kind, name="whole", **options))
    broken = configured(kind, name="broken", **options)
    output = tmp_path / "said.txt"

    def killed_in(phase):
        from chatstill.train.flow import FlowCallback

        original = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if state.global_step == 5 and self.settings.index == phase:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, args, state, control, **kwargs)

        FlowCallback.on_step_end = with_signal
        return distilled(broken)

    for phase in (0, 1):
        code = wait(fork(lambda phase=phase: killed_in(phase), output))
        assert code == -signal.SIGKILL, output.read_text(encoding="utf-8")[-3000:]
    assert wait(fork(lambda: distilled(broken) and None, output)) == 0
    log = (tmp_path / "broken" / "run.log").read_text(encoding="utf-8")
    assert "phase 'vectors' goes on after step 3" in log
    assert "phase 'vectors' was finished before" in log and "phase 'task' goes on after step" in log
    one, other = (world.weights_of(tmp_path / name / "student") for name in ("whole", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert history(tmp_path / "whole") == history(tmp_path / "broken")


def test_a_run_that_is_ended_in_the_first_phase(configured, tmp_path):
    loaded = configured("texts", keep="best", eval_steps=2)
    output = tmp_path / "said.txt"

    def killed():
        from chatstill.train.flow import FlowCallback

        original = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if state.global_step == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, args, state, control, **kwargs)

        FlowCallback.on_step_end = with_signal
        return distilled(loaded)

    assert wait(fork(killed, output)) == -signal.SIGKILL
    file = str(tmp_path / "configs-out" / "distill.json")
    assert cli.main(["finish", str(tmp_path / "out"), "--config", file]) == 0
    metrics = told(tmp_path / "out")
    losses = {r["step"]: r["dev/loss"] for r in history(tmp_path / "out") if "dev/loss" in r}
    (phase,) = metrics["training"]["phases"]
    assert phase["data"] == "texts" and metrics["ended"]["not_run"] == ["task"]
    assert metrics["kept"]["step"] == min(losses, key=losses.get), "lower is better in this phase"


# -- what another run is, and what is refused --------------------------------------------------------


def copied(data, tmp_path):
    import shutil

    return shutil.copytree(data, tmp_path / "copied")


def test_other_texts_and_another_corpus_are_other_runs(configured, data, tmp_path):
    own = copied(data, tmp_path)
    for kind in KINDS:
        distilled(configured(kind, name=kind, data=own, max_steps=1))
    with open(own / "chat" / "unlabeled.data.txt", "a", encoding="utf-8") as file:
        file.write("who\tare you\n")
    with refused("run.another-configuration", "data.texts"):
        distilled(configured("texts", name="texts", data=own, max_steps=1))
    said = distilled(configured("corpus", name="corpus", data=own, max_steps=1))
    assert "holds this run, finished" in said, "no phase reads the transfer set"
    with open(own / "corpus" / "train.txt", "a", encoding="utf-8") as file:
        file.write("\nsing\n")
    with refused("run.another-configuration", "data.corpus.train"):
        distilled(configured("corpus", name="corpus", data=own, max_steps=1))


def test_the_transfer_set_is_not_said_to_be_unread_where_its_texts_are_read(configured):
    for kind, unread in (("texts", False), ("corpus", True)):
        where = world.console()
        pipeline.check(configured(kind, name=kind), console=where)
        assert ("unlabeled.data.txt: is not read" in world.said(where)) == unread


def test_a_corpus_that_is_missing_or_empty_is_told_before_anything_is_written(
    configured, data, tmp_path, capsys
):
    own = copied(data, tmp_path)
    (own / "corpus" / "train.txt").write_text("\n", encoding="utf-8")
    with refused("corpus.empty", "train.txt"):
        distilled(configured("corpus", data=own))
    (own / "corpus" / "train.txt").unlink()
    with refused("data.no-file-of-the-split", "corpus"):
        configured("corpus", data=own)
    file = str(tmp_path / "configs-out" / "distill.json")
    assert cli.main(["distill", file]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rows_that_the_method_does_not_name_are_refused(configured):
    with pytest.raises(UserError) as error:
        distilled(configured("texts", two_phases={"first": "texts", "named": False}))
    assert "method.data-not-named" in codes(error)


def test_two_tokenizers_read_no_blocks(configured, tmp_path):
    folder = tmp_path / "letters"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *world.LETTERS]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tf.BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    config = world.config_of("bert", len(pieces), 2, 0.1)
    tf.BertForSequenceClassification(config).save_pretrained(folder)
    student = {"model_name_or_path": str(folder)}
    with refused("corpus.two-tokenizers"):
        distilled(configured("corpus", student_architectures=student))
    distilled(configured("texts", student_architectures=student, max_steps=2))


def test_weights_of_classes_are_those_of_the_training_rows():
    """Whatever rows are asked for in between, and however their classes are mixed."""
    train, dev = (SimpleNamespace(labels=np.array(labels)) for labels in ([0, 0, 0, 1], [0, 1, 1]))
    weights = RowWeights("balanced", get_task("chat").labels)
    assert weights.of(dev, np.arange(3)).tolist() == pytest.approx([1.5, 0.75, 0.75]), "by itself"
    weights.fit(train)
    rare, often = 4 / 2, 4 / 6
    assert weights.of(train, np.arange(4)).tolist() == pytest.approx([often] * 3 + [rare])
    assert weights.of(dev, np.arange(3)).tolist() == pytest.approx([often, rare, rare])
    assert weights.of(train, np.array([3, 0])).tolist() == pytest.approx([rare, often])
