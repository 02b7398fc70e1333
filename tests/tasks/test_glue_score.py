"""GLUE's overall score by hand, and what is said where something is missing."""

import json
from pathlib import Path

import pytest
from tests.found import codes

from chatstill import cli
from chatstill.cli import guard
from chatstill.tasks import get_task
from chatstill.tasks.glue_score import DIAGNOSTIC, PARTS, glue_score, task_score

RESULTS = {
    "cola": {"mcc": 0.5},
    "sst2": {"acc": 0.9},
    "mrpc": {"f1": 0.9, "acc": 0.8, "acc_and_f1": 0.85},
    "stsb": {"pearson": 0.8, "spearmanr": 0.9, "corr": 0.85},
    "qqp": {"f1": 0.7, "acc": 0.9},
    "mnli": {"mnli/acc": 0.8, "mnli-mm/acc": 0.7, "acc": 0.75},
    "qnli": {"acc": 0.9},
    "rte": {"acc": 0.7},
    "wnli": {"acc": 0.6},
    "ax": {"mcc": 0.1},
}
BY_HAND = (0.5 + 0.9 + 0.85 + 0.85 + 0.8 + 0.75 + 0.9 + 0.7 + 0.6) / 9


def test_two_metrics_are_averaged_first_and_ax_is_left_out():
    result = glue_score(RESULTS)
    assert result.overall == pytest.approx(BY_HAND) and result.missing == []
    assert glue_score({**RESULTS, "ax": {"mcc": 0.9}}).overall == result.overall
    assert glue_score({**RESULTS, "chat": {"mrr": 0.9}}).overall == result.overall
    assert task_score("ax", RESULTS["ax"]) == 0.1


def test_a_missing_task_or_section_leaves_no_overall_score():
    results = {**RESULTS, "mnli": {"mnli/acc": 0.8, "acc": 0.8}}
    del results["rte"]
    result = glue_score(results)
    assert result.overall is None and result.missing == ["mnli (mnli-mm/acc)", "rte"]
    assert result.mean == pytest.approx((9 * BY_HAND - 0.75 - 0.7) / 7)
    assert glue_score({}).mean is None


def test_the_score_reads_metrics_that_the_tasks_give():
    for task, names in (PARTS | DIAGNOSTIC).items():
        assert {*names} <= {*get_task(task).row.metrics}


@pytest.fixture
def folders(tmp_path):
    for task, metrics in RESULTS.items():
        (tmp_path / task).mkdir()
        values = {"task": task, "dev": {"metrics": metrics}}
        (tmp_path / task / "metrics.json").write_text(json.dumps(values), encoding="utf-8")
    return {task: str(tmp_path / task) for task in RESULTS}


def test_the_verb_prints_every_task_and_the_score(folders, capsys):
    assert cli.main(["glue-score", *folders.values()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cola    50.0  mcc 50.0"
    assert lines[2] == "mrpc    85.0  f1 90.0, acc 80.0"
    assert lines[-2] == "ax      10.0  mcc 10.0  (not in the score)"
    assert lines[-1] == f"GLUE    {100 * BY_HAND:.1f}  mean over 9 tasks"


def test_the_verb_names_what_is_missing(folders, capsys):
    assert cli.main(["glue-score", folders["rte"], folders["mrpc"]]) == 0
    out = capsys.readouterr().out
    assert "no overall score: missing cola, sst2, stsb, qqp, mnli, qnli, wnli\n" in out
    assert "mean of the 2 tasks above: 77.5\n" in out


def test_the_verb_refuses_all_that_is_no_result_at_once(folders, tmp_path, capsys):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metrics.json").write_text("[1]", encoding="utf-8")
    arguments = [folders["rte"], folders["rte"], str(tmp_path / "broken"), str(tmp_path / "no")]
    assert cli.main(["glue-score", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("metrics.json of chatstill") == 2
    assert "holds results of rte, as" in error and "3 problems to fix" in error


def test_figures_of_training_rows_are_no_result(folders, monkeypatch):
    told = []
    monkeypatch.setattr(guard, "show_problems", told.extend)
    path = Path(folders["rte"]) / "metrics.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**found, "split": "train"}), encoding="utf-8")
    assert cli.main(["glue-score", *folders.values()]) == 2
    assert codes(told) == ["glue.figures-of-training-rows"]
