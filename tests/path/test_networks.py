"""Teachers of every tested family, however their labels are named, on every kind of task."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from chatstill import cli
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded
from tests.found import codes, refused
from tests.longer import longer

from . import by_hand, world

pytestmark = pytest.mark.smoke


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", longer([kind for kind in world.KINDS if kind != "bert"], keep=2))
def test_every_family_runs_through(run, teacher_of, kind):
    done = run(teacher=teacher_of(kind), num_train_epochs=1, max_seq_length=48)
    metrics = metrics_of(done.folder)
    assert metrics["teacher"]["value"] > 0.7
    model = AutoModelForSequenceClassification.from_pretrained(done.folder / "student")
    assert type(model).__name__.lower().startswith(kind)
    assert model.config.num_hidden_layers == 2
    assert pipeline.evaluate(done.folder / "student", done.loaded.config, console=world.console())[
        "dev"
    ]["value"] == pytest.approx(metrics["dev"]["value"])


def swapped(folder):
    """The same network with its two outputs, and their names, the other way round."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(parameter.flip(0))
    model.config.id2label = {0: "match", 1: "no_match"}
    model.config.label2id = {"match": 0, "no_match": 1}
    model.save_pretrained(folder)
    return folder


def test_labels_are_matched_by_name(run, copy_of, finished):
    done = run(teacher=swapped(copy_of()))
    left, right = metrics_of(done.folder), metrics_of(finished.folder)
    assert left["dev"]["metrics"] == pytest.approx(right["dev"]["metrics"])
    assert left["teacher"]["metrics"] == pytest.approx(right["teacher"]["metrics"])
    model = AutoModelForSequenceClassification.from_pretrained(done.folder / "student")
    assert model.config.id2label == {0: "match", 1: "no_match"}, "the teacher's own order"
    one = read_predictions(done.folder / "predictions.tsv", ("0", "1")).scores
    other = read_predictions(finished.folder / "predictions.tsv", ("0", "1")).scores
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    scored = pipeline.evaluate(done.folder / "student", done.loaded.config, console=world.console())
    assert scored["dev"]["metrics"] == pytest.approx(left["dev"]["metrics"])


def test_one_logit_is_a_sigmoid_scorer(run, tmp_path):
    teacher = world.build_network(tmp_path / "scorer", outputs=1)
    by_hand.make_right(teacher)
    done = run(teacher=teacher, task_name="SST-2", num_train_epochs=1)
    metrics = metrics_of(done.folder)
    assert metrics["task"] == "sst2"
    assert metrics["teacher"]["metrics"]["acc"] > 0.9
    model = AutoModelForSequenceClassification.from_pretrained(done.folder / "student")
    assert model.config.num_labels == 1
    header = (done.folder / "predictions.tsv").read_text(encoding="utf-8").splitlines()[0]
    names = "index label prediction probability positive_probability score"
    assert header.split("\t") == names.split()
    again = pipeline.evaluate(done.folder / "student", done.loaded.config, console=world.console())
    assert again["dev"]["metrics"] == pytest.approx(metrics["dev"]["metrics"])


def test_regression(run, tmp_path):
    teacher = world.build_network(tmp_path / "regressor", outputs=1)
    by_hand.fit_scores(by_hand.make_right(teacher), *world.stsb_examples())
    done = run(teacher=teacher, task_name="sts-b", num_train_epochs=1)
    metrics = metrics_of(done.folder)
    assert metrics["dev"]["metrics"].keys() == {"pearson", "spearmanr", "corr"}
    assert metrics["teacher"]["metrics"]["pearson"] > 0.5
    model = AutoModelForSequenceClassification.from_pretrained(done.folder / "student")
    assert model.config.num_labels == 1
    assert model.config.problem_type == "regression"


def test_a_new_head_of_a_regression_starts_at_the_mean_of_the_scores(run, shared, tmp_path):
    """From 0 a shallow network may need all its epochs to get there: STS-B stayed at 0.5."""
    start = world.build_network(tmp_path / "pretrained", outputs=2)
    settings = {"model_type": None, "theseus_scheduler": None, "learning_rate": 1e-9}
    done = run("teach", teacher=start, task_name="sts-b", max_steps=1, **settings)
    lines = (shared / "data" / "STS-B" / "train.tsv").read_text(encoding="utf-8").splitlines()
    mean = np.mean([float(line.split("\t")[-1]) for line in lines[1:]])
    assert f"the new head starts at the mean of the scores, {mean:.3g}" in done.text
    model = AutoModelForSequenceClassification.from_pretrained(done.folder / "teacher")
    assert model.classifier.bias.item() == pytest.approx(mean, abs=1e-6)


def test_teach_makes_a_teacher_that_distill_takes(run, tmp_path):
    """A pretrained folder without a head, no model_type, cut to fewer layers."""
    start = by_hand.make_right(world.build_network(tmp_path / "pretrained", dropout=0.0))
    model = AutoModelForSequenceClassification.from_pretrained(start)
    torch.nn.init.normal_(model.classifier.weight, std=0.02)
    model.save_pretrained(start)
    done = run(
        "teach",
        name="taught",
        teacher=start,
        model_type=None,
        theseus_scheduler=None,
        num_train_epochs=12,
        learning_rate=0.01,
    )
    metrics = metrics_of(done.folder)
    assert metrics["verb"] == "teach"
    assert "teacher" not in metrics
    assert metrics["dev"]["metrics"]["auc"] > 0.9
    assert (done.folder / "teacher" / "config.json").is_file()
    student = run(teacher=done.folder / "teacher", num_train_epochs=1)
    assert metrics_of(student.folder)["teacher"]["metrics"]["auc"] == pytest.approx(
        metrics["dev"]["metrics"]["auc"]
    )
    again = run(
        "teach",
        name="taught",
        teacher=start,
        model_type=None,
        theseus_scheduler=None,
        num_train_epochs=12,
        learning_rate=0.01,
    )
    assert "finished" in again.text


# -- evaluate and predict --------------------------------------------------------------------------


def test_evaluate_a_teacher_and_a_run_folder(finished, teacher_of, tmp_path):
    metrics = metrics_of(finished.folder)
    config = finished.loaded.config
    teacher = pipeline.evaluate(teacher_of(), config, console=world.console())
    assert teacher["dev"]["metrics"] == pytest.approx(metrics["teacher"]["metrics"])
    where = world.console()
    student = pipeline.evaluate(finished.folder, config, output=tmp_path / "e", console=where)
    assert student["dev"]["metrics"] == pytest.approx(metrics["dev"]["metrics"])
    assert "mrr = " in world.said(where)
    assert {p.name for p in (tmp_path / "e").iterdir()} == {
        "eval_results.txt",
        "metrics.json",
        "predictions.tsv",
    }


def test_evaluate_names_what_is_no_network(finished, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        pipeline.evaluate(tmp_path / "empty", finished.loaded.config, console=world.console())
    with refused("data.no-file-of-the-split"):
        pipeline.evaluate(
            finished.folder / "student",
            finished.loaded.config,
            split="test",
            console=world.console(),
        )


@pytest.mark.parametrize("labelled", [True, False])
def test_predict_rows_with_and_without_labels(finished, tmp_path, labelled):
    rows = world.chat_rows(5, seed=77)
    file = tmp_path / "rows.tsv"
    lines = rows if labelled else [row.rsplit("\t", 1)[0] for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    where = world.console()
    target = pipeline.predict(
        finished.folder / "student", file, finished.loaded.config, console=where
    )
    assert str(target) in world.said(where)
    found = read_predictions(target, ("0", "1"))
    assert len(found.scores) == 20
    assert np.isnan(found.labels).all() != labelled
    assert found.groups is not None
    # file order: each row by itself scores the same
    one = tmp_path / "one.tsv"
    one.write_text(lines[7] + "\n", encoding="utf-8")
    own = tmp_path / "own.tsv"
    pipeline.predict(
        finished.folder / "student", one, finished.loaded.config, output=own, console=where
    )
    alone = read_predictions(own, ("0", "1")).scores[0]
    np.testing.assert_allclose(alone, found.scores[7], rtol=1e-4, atol=1e-5)


def test_predict_with_a_teacher_and_a_missing_file(finished, teacher_of, tmp_path):
    with refused("predict.no-such-file"):
        pipeline.predict(
            teacher_of(), tmp_path / "none.tsv", finished.loaded.config, console=world.console()
        )


def test_predict_with_a_network_that_nothing_tells_the_task_of(teacher_of, tmp_path, capsys):
    rows = tmp_path / "rows.tsv"
    rows.write_text("a\tb\tc\td\te\n", encoding="utf-8")
    told = "nothing beside {} says its task, so the rows were read as those of chat"
    words = ["predict", str(teacher_of()), str(rows)]
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "line 1: found 5 fields" in said and told.format(teacher_of()) in said
    assert "--task-name" in said and "--config" in said
    assert cli.main([*words, "--task-name", "chat"]) == 2
    assert told.format(teacher_of()) not in capsys.readouterr().err


# -- what does not fit -----------------------------------------------------------------------------


def turned_round(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(parameter.flip(0))
    model.save_pretrained(folder)
    return folder


def test_teacher_with_swapped_labels_stops(run, copy_of, tmp_path):
    teacher = turned_round(copy_of())
    with pytest.raises(UserError, match="labels may be swapped") as error:
        run(teacher=teacher)
    assert "AUC within groups 0.0" in str(error.value)
    assert not (tmp_path / "out").exists()
    done = run(teacher=teacher, allow_weak_teacher=True, num_train_epochs=1)
    assert "labels may be swapped" in " ".join(done.text.split())
    assert metrics_of(done.folder)["teacher"]["metrics"]["auc"] < 0.1


def test_teacher_at_chance_stops(run, tmp_path):
    teacher = world.build_network(tmp_path / "untaught")
    with refused("teacher.no-better-than-chance"):
        run(teacher=teacher)
    assert not (tmp_path / "out").exists()


def test_too_long_and_too_wide_are_said_at_once(run, tmp_path):
    with pytest.raises(UserError, match="64") as error:
        run(max_seq_length=100)
    assert "lengths.beyond-the-position-table" in codes(error) and "max_seq_length" in str(
        error.value
    )
    config = world.config_of("bert", 33, 2, 0.1)
    config.hidden_size, config.num_attention_heads = 32, 4
    config.save_pretrained(tmp_path / "wide")
    with pytest.raises(UserError, match="32") as error:
        run(student_architectures={"config_file": str(tmp_path / "wide" / "config.json")})
    text = str(error.value)
    assert "16" in text and "hidden_size" in text
    assert "num_attention_heads" in text, "all of them at once"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_malformed_row_anywhere_stops_before_training(run, shared, tmp_path, split, place):
    data = tmp_path / "data"
    shutil.copytree(shared / "data", data)
    file = data / "chat" / f"{split}.data.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    number = {"first": 0, "middle": len(lines) // 2, "last": len(lines) - 1}[place]
    lines[number] = lines[number].replace("\t", " ", 1)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        run(data=data)
    assert f"{split}.data.txt" in str(error.value)
    assert f"line {number + 1}" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_undecodable_bytes_stop_before_training(run, shared, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(shared / "data", data)
    with open(data / "chat" / "train.data.txt", "ab") as file:
        file.write(b"caf\xe9\tsure\t1\n")
    with pytest.raises(UserError, match=r"offset|byte"):
        run(data=data)
    assert not (tmp_path / "out").exists()


# -- check -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (16, "1 micro-batch a step\n"),
        (36, "; up to 48 rows each, none is left over"),
        (64, "; there are 48 rows"),
    ],
)
def test_the_plan_says_how_many_rows_a_step_really_has(run, size, said):
    assert said in run("check", per_gpu_train_batch_size=size).text


def test_check_creates_nothing_and_touches_nothing(run, teacher_of, tmp_path, monkeypatch):
    import random

    from chatstill.run import task_level

    jobs = []
    preflight = task_level.preflight

    def spying(job):
        networks = [job.teacher, job.student]
        before = [
            {n: t.clone().cpu() for n, t in network.state_dict().items()} for network in networks
        ]
        flags = [[m.training for m in network.modules()] for network in networks]
        grads = [[p.requires_grad for p in network.parameters()] for network in networks]
        plan = preflight(job)
        for network, old, flag, grad in zip(networks, before, flags, grads, strict=True):
            for name, tensor in network.state_dict().items():
                assert torch.equal(tensor.cpu(), old[name]), name
            assert [m.training for m in network.modules()] == flag
            assert [p.requires_grad for p in network.parameters()] == grad
            assert all(p.grad is None for p in network.parameters())
        jobs.append(job)
        return plan

    monkeypatch.setattr(task_level, "preflight", spying)
    legacy = np.random.get_state
    states = torch.get_rng_state(), legacy()[1].copy(), random.getstate()
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    done = run("check")
    assert jobs
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(legacy()[1], states[1])
    assert random.getstate() == states[2]
    new = {p for p in tmp_path.rglob("*") if p not in files}
    assert {p.relative_to(tmp_path).parts[0] for p in new} == {"configs"}
    assert "replacing rate" in done.text
    assert "memory" in done.text


def test_the_preflight_changes_no_weight_of_the_run(finished, tmp_path, monkeypatch):
    """A run without its pre-flight ends bit-identical."""
    from chatstill.preflight.plan import Plan

    values = {**finished.values, "output_dir": str(tmp_path / "out")}
    monkeypatch.setattr(pipeline, "_print_plan", lambda *_: Plan())
    torch.manual_seed(reseeded(123))
    pipeline.distill(world.loaded(values, tmp_path), console=world.console())
    left = world.weights_of(finished.folder / "student")
    right = world.weights_of(tmp_path / "out" / "student")
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_fp16_on_a_cpu_is_an_error_and_bf16_runs(run, tmp_path):
    with pytest.raises(UserError, match="fp16"):
        run(fp16=True, use_cpu=True)
    assert not (tmp_path / "out").exists()
    done = run(bf16=True, use_cpu=True, num_train_epochs=1)
    assert np.isfinite(metrics_of(done.folder)["dev"]["value"])
    assert "bf16" in done.text
