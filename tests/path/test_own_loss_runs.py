"""Runs that train no classifier: their own loss on dev selects, and is what every page shows."""

import json
import random
from types import SimpleNamespace

import pytest
import torch

from chatstill import cli
from chatstill.run import own_loss
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import codes

from ..processes import run_processes
from . import world
from .broken import Broken

STEP1 = {"model_type": "TinyBertTaskDistillStep1", "theseus_scheduler": None}
# The rate rises to the end: the loss does not fall from look to look.
FAST = {**STEP1, "keep": "best", "eval_steps": 2, "learning_rate": 0.3, "warmup_percentage": 1.0}


def told(folder, name="metrics.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def seen_on_dev(folder):
    """Step -> the loss there."""
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return {r["step"]: r["dev/loss"] for r in map(json.loads, lines) if "dev/loss" in r}


def test_the_weights_of_the_lowest_loss_are_kept(run, monkeypatch):
    looked, original = [], own_loss.DevLoss.metrics

    def watched(self, index):
        found = original(self, index)
        weights = {k: v.detach().clone() for k, v in self.method.kept().state_dict().items()}
        looked.append((found[0], weights))
        return found

    monkeypatch.setattr(own_loss.DevLoss, "metrics", watched)
    result = run(**FAST)
    metrics, losses = told(result.folder), seen_on_dev(result.folder)
    best = min(losses, key=losses.get)
    assert len(set(losses.values())) == len(losses) > 3, "each look is a new one"
    assert best != max(losses), "the last step is not the best one, or this says nothing"
    assert (metrics["kept"]["rule"], metrics["kept"]["step"]) == ("best", best)
    assert metrics["dev"]["value"] == losses[best] == metrics["dev"]["metrics"]["loss"]
    assert metrics["training"]["phases"][0]["best"] == losses[best]
    kept = world.weights_of(result.folder / "student")
    _, right = min(looked, key=lambda one: one[0])
    assert all(torch.equal(kept[name], right[name]) for name in kept)


def test_patience_ends_a_run_whose_loss_does_not_fall(run):
    result = run(**{**FAST, "keep": None, "patience": 1, "num_train_epochs": 20})
    metrics, losses = told(result.folder), seen_on_dev(result.folder)
    (phase,) = metrics["training"]["phases"]
    assert phase["steps"] == max(losses) < 120
    assert metrics["kept"]["step"] == min(losses, key=losses.get)


@pytest.mark.charts
def test_its_figures_are_those_of_no_classifier(run):
    result = run(**STEP1, num_train_epochs=1, label_noise=["train", "dev"])
    metrics = told(result.folder)
    dev = metrics["dev"]
    assert dev["main"] == "loss" and dev["lower_is_better"] is True
    assert {*dev["metrics"]} == {"loss", "term/hidden", "term/attention"}
    assert dev["value"] == pytest.approx(
        dev["metrics"]["term/hidden"] + dev["metrics"]["term/attention"]
    )
    assert not {"teacher", "agreement", "ratio", "calibration", "threshold"} & metrics.keys()
    assert not (result.folder / "predictions.tsv").exists()
    assert (result.folder / "label_noise.tsv").is_file(), (
        "that is the teacher's and the labels' own"
    )
    assert metrics["kept"]["rule"] == "last", "nobody asked for the best"
    assert f"loss = {dev['value']:.6g}" in result.text and "mrr" not in result.text
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "loss of its terms (lower is better)" in page and "loss of its terms on dev" in page
    card = (result.folder / "student" / "README.md").read_text(encoding="utf-8")
    assert "Its classifier was not trained" in card and "lower is better" in card
    assert "Its classifier was not trained" in page and "not trained" in metrics["model"]["head"]
    assert f"head = {metrics['model']['head']}" in result.text
    assert "text-classification" not in card and ".logits" not in card


def test_the_plan_says_what_selects_and_what_does_not(run):
    plan = run("check", **STEP1, keep="best", patience=2).text
    assert "the loss of this phase's own terms, lower is better" in plan
    loaded = run("check", **STEP1, selection_metric="auc").loaded
    job = pipeline.open_job_of(loaded, "distill")
    assert "run.no-term-trains-the-classifier" in codes(job.problems)


def test_an_interrupted_run_selects_as_an_unbroken_one(shared, teacher_of, tmp_path):
    broken = BrokenWithoutClassifier(shared, teacher_of(), tmp_path, {**FAST, "save_steps": 3})
    broken.kill_again_and_again("again", random.Random(reseeded(4)), times=4, least=2)


class BrokenWithoutClassifier(Broken):
    files = ("eval_results.txt",)


def test_a_stopped_run_is_finished_with_the_lowest_loss_so_far(shared, teacher_of, tmp_path):
    changes = {**FAST, "save_steps": 3, "num_train_epochs": 3}
    broken = BrokenWithoutClassifier(shared, teacher_of(), tmp_path, changes)
    assert broken.attempt("out", kill_at=broken.changes_made * 4 // 5) != 0
    file = str(tmp_path / "configs-out" / "distill.json")
    assert cli.main(["finish", str(tmp_path / "out"), "--config", file]) == 0
    metrics, losses = told(tmp_path / "out"), seen_on_dev(tmp_path / "out")
    assert "ended" in metrics and metrics["dev"]["main"] == "loss"
    assert metrics["dev"]["value"] == losses[metrics["kept"]["step"]] == min(losses.values())


def test_two_processes_find_the_figures_of_one(shared, teacher_of, tmp_path):
    still = world.build_network(tmp_path / "still", dropout=0.0)

    def configured(name, batch):
        changes = {**STEP1, "keep": "best", "eval_steps": 3, "num_train_epochs": 1}
        exact = {"training_arguments": {"optim": "sgd"}, "learning_rate": 0.05}
        values = world.values_for(
            shared / "data",
            tmp_path / name,
            still,
            per_gpu_train_batch_size=batch,
            **changes,
            **exact,
        )
        return world.loaded({**values, "allow_weak_teacher": True}, tmp_path / f"configs-{name}")

    pipeline.distill(configured("one", 8), console=world.console())
    pair = configured("two", 4)
    run_processes(lambda rank: pipeline.distill(pair, console=world.console()), 2)
    one, two = (
        SimpleNamespace(dev=told(tmp_path / name)["dev"], seen=seen_on_dev(tmp_path / name))
        for name in ("one", "two")
    )
    assert one.dev["metrics"] == pytest.approx(two.dev["metrics"], rel=1e-4)
    assert one.seen == pytest.approx(two.seen, rel=1e-4)
