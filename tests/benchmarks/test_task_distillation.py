"""The table of distillation on the task from made-up runs: what is planned, shared, compared."""

import json
from pathlib import Path

import numpy as np
import pytest

import glue_cells
import glue_table
import task_cells
import task_distillation
import task_readme
import task_table
from chatstill.tasks import get_task
from chatstill.tasks.predictions import write_predictions

RIGHT = {
    "teacher": 0.9,
    "baseline": 0.7,
    "alone": 0.6,
    "kd": 0.8,
    "kd-more": 0.8,
    "pkd": 0.75,
    "tinybert": 0.7,
}


@pytest.fixture(autouse=True)
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "minilm" / "model"
    folder.mkdir(parents=True)
    config = {"vocab_size": 99, "hidden_size": 384, "num_hidden_layers": 6}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.setattr(glue_cells, "model_folder", lambda: folder)
    monkeypatch.setattr(glue_table, "RESAMPLES", 50)
    for task in ("SST-2", "RTE"):
        (tmp_path / "glue" / task).mkdir(parents=True)
        for name in ("train", "dev"):
            (tmp_path / "glue" / task / f"{name}.tsv").write_bytes(b"header\na\nb\n")


def arguments(tmp_path: Path, *more: str) -> list[str]:
    places = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "glue")]
    return [*places, "--out", str(tmp_path / "out"), *more]


def planned(tmp_path: Path, *more: str) -> list[glue_cells.Cell]:
    return task_cells.plan(task_distillation.parse(arguments(tmp_path, *more)))


def finish(cell: glue_cells.Cell, num_rows: int = 100) -> None:
    """Writes what the engine would."""
    if cell.arm == "tinybert-step1":
        (cell.folder / "student").mkdir(parents=True)
        (cell.folder / "student" / "model.safetensors").touch()
        return
    cell.folder.mkdir(parents=True)
    value = RIGHT[cell.arm]
    labels = np.arange(num_rows) % 2
    right = np.arange(num_rows) < value * num_rows
    scores = np.eye(2)[np.where(right, labels, 1 - labels)]
    words = get_task(cell.task).label_words
    write_predictions(cell.folder / "predictions.tsv", scores, labels.astype(float), None, words)
    metrics = {
        "dev": {"value": value, "main": "acc", "metrics": {"acc": value}, "rows": num_rows},
        "training": {"rows": 2, "seconds": 1.0},
        "kept": {"text": "last step"},
        "model": {"parameters": 5},
    }
    (cell.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_every_cell_comes_after_those_it_builds_on(tmp_path):
    cells = planned(tmp_path, "--tasks", "sst2", "rte")
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    seen = set()
    for cell in cells:
        assert {one.folder for one in getattr(cell, "after", ())} <= seen, cell.name
        seen.add(cell.folder)
    assert names[:2] == ["sst2 teacher seed 1", "rte teacher seed 1"]
    assert "sst2 small takd seed 3" in names and "sst2 small takd seed 4" not in names
    assert "rte small takd seed 5" in names


def test_further_rows_come_without_labels_and_cost_no_steps(tmp_path):
    rows = ["sentence\tlabel", "good\t1", "bad\t0", "a\tb\t1", "fair\t1"]
    text = "\n".join([*rows, ""])
    (tmp_path / "glue" / "SST-2" / "train.tsv").write_text(text, encoding="utf-8")
    options = task_distillation.parse(arguments(tmp_path, "--tasks", "sst2", "--rows", "2"))
    glue_cells.cut_data(options, "sst2")
    task_cells.add_rows(options, "sst2")
    cells = {(c.name): c.config for c in task_cells.plan(options)}
    more = cells["sst2 half kd-more seed 1"]
    found = (Path(more["data_dir"]) / "SST-2" / "train.tsv").read_text(encoding="utf-8")
    assert found == "\n".join([*rows[:3], "a\tb\t", "fair\t", ""])
    assert (Path(more["data_dir"]) / "SST-2" / "dev.tsv").is_file()
    options.rows = 20_000
    cells = {(c.name): c.config for c in task_cells.plan(options)}
    assert cells["sst2 small kd-more seed 2"]["max_steps"] == 4 * 625
    assert cells["sst2 small kd seed 2"]["num_train_epochs"] == 4
    assert "rte half kd-more seed 1" not in cells


def test_the_small_student_alone_still_gets_its_assistant(tmp_path):
    cells = planned(tmp_path, "--tasks", "rte", "--seeds", "1", "--students", "small")
    assert [cell.name for cell in cells][-2:] == ["rte half kd seed 1", "rte small takd seed 1"]
    teacher = cells[-1].config["teacher_architectures"]["model_name_or_path"]
    assert teacher == str(cells[-2].folder / "student")


def test_all_methods_have_as_many_epochs(tmp_path):
    epochs: dict[tuple[str, str], float] = {}
    for cell in planned(tmp_path, "--tasks", "rte", "--seeds", "1"):
        if cell.arm != "teacher":
            student, arm = task_table.arm_of(cell)
            key = student, arm.removesuffix("-step1")
            epochs[key] = epochs.get(key, 0) + cell.config["num_train_epochs"]
    assert set(epochs.values()) == {5.0} and len(epochs) == 9


def test_cells_are_told_apart_by_settings_not_by_places(tmp_path):
    def names(place: str, *more: str) -> list[str]:
        options = ["--tasks", "rte", "--seeds", "1", *more, "--work", str(tmp_path / place)]
        return [cell.folder.name for cell in planned(tmp_path, *options)]

    here = names("here")
    assert names("there") == here
    assert len(set(here)) == len(here)
    other = names("here", "--set", "bf16=true")
    assert not set(other) & {name for name in here if "teacher" not in name and "base" not in name}


def test_teacher_and_baseline_are_the_cells_of_the_other_benchmark(tmp_path):
    options = task_distillation.parse(arguments(tmp_path, "--tasks", "rte", "--seeds", "1"))
    folders = {cell.folder for cell in task_cells.plan(options)}
    shared = [c for c in glue_cells.plan(options) if c.arm in ("teacher", "baseline")]
    assert len(shared) == 2 and {cell.folder for cell in shared} <= folders


def test_runs_what_is_missing_once_and_compares_with_the_same_seed(tmp_path, monkeypatch, capsys):
    ran = []

    def run(cell: glue_cells.Cell, threads: int | None) -> int:
        ran.append(cell.name)
        if cell.name == "sst2 half tinybert-step1 seed 1":
            return 1
        finish(cell)
        return 0

    monkeypatch.setattr(glue_cells, "run_cell", run)
    words = arguments(tmp_path, "--tasks", "sst2", "--students", "half", "--seeds", "1", "2")
    assert task_distillation.main(words) == 1
    output = capsys.readouterr().out
    assert "failed: sst2 half tinybert-step1 seed 1: exit code 1" in output
    assert "failed: sst2 half tinybert seed 1: needs sst2 half tinybert-step1 seed 1" in output
    text = (tmp_path / "out" / "task_distillation.md").read_text(encoding="utf-8")
    assert "**PARTIAL: 2 cells are missing: " in text
    assert "| SST-2 | teacher | | 1 | acc 90.0 | | |" in text
    assert "|  | half | fine-tuned alone | 2 | 70.0 ± 0.0 | 77.8 | – |" in text
    assert "|  | half | KD | 2 | 80.0 ± 0.0 | 88.9 | +10.0 [" in text
    assert "|  | half | TinyBERT 1 + 2 | 1 | 70.0 | 77.8 | +0.0 [+0.0, +0.0] |" in text
    assert str(tmp_path) not in text
    ran.clear()
    task_distillation.main([*words, "--report-only"])
    assert ran == []


def test_the_small_architecture_keeps_the_vocabulary(tmp_path):
    cell = planned(tmp_path, "--tasks", "rte", "--seeds", "1", "--students", "small")[1]
    path = Path(cell.config["teacher_architectures"]["config_file"])
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["vocab_size"] == 99 and values["hidden_size"] == 312
    assert values["num_hidden_layers"] == 4


@pytest.mark.parametrize(("language", "page"), [("en", "README.md"), ("zh", "README.zh-CN.md")])
def test_the_readmes_show_the_figures_that_were_measured(language, page):
    results = json.loads(task_readme.RESULTS.read_text(encoding="utf-8"))
    text = (task_readme.RESULTS.parents[2] / page).read_text(encoding="utf-8").splitlines()
    wanted = list(task_readme.rows(results, language))
    assert wanted and [line for line in wanted if line not in text] == []
