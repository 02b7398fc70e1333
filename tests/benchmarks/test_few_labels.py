"""The benchmark on few labels: what its files hold, which cells run when, what its table says."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import few_labels_cells as cells
import few_labels_data as data
import few_labels_start as start
import few_labels_table as table
import kept_cells
import tested_cells
from chatstill.tasks.predictions import write_predictions


@pytest.fixture
def source(tmp_path):
    """A made-up copy of the titles' files, in their layout."""
    folder = tmp_path / "source" / "thucnews_titles"
    folder.mkdir(parents=True)
    for name, count in (("train", 3000), ("dev", 400)):
        lines = [f"标题 {name} {number}\t{number % 10}\n" for number in range(count)]
        lines.append("标题 dev 3\t3\n")  # a row of dev that stands in both
        (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    return folder.parent


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_without_labels_are_none_of_the_others(source, tmp_path):
    counts = data.build("thucnews", source, tmp_path / "data")
    parts = {name: read(tmp_path / "data" / f"{name}.jsonl") for name in counts}
    assert len(parts["train"]) == data.LABELLED and len(parts["unlabeled"]) == 2000
    assert all("label" not in row for row in parts["unlabeled"])
    texts = {name: {row["text"] for row in rows} for name, rows in parts.items()}
    for one, other in (("train", "unlabeled"), ("train", "test"), ("unlabeled", "dev")):
        assert not texts[one] & texts[other], (one, other)
    assert data.build("thucnews", source, tmp_path / "data") == counts, "once"


@pytest.fixture
def options(tmp_path):
    return SimpleNamespace(
        sets=["thucnews"],
        arms=list(cells.ARMS),
        seeds=[1, 2],
        work=tmp_path / "work",
        chinese_start=None,
    )


def finish(cell, dev, right):
    """A finished cell: its figure on dev, and test rows of which so many are right."""
    folder = cell.folder / "step2" if cell.arm.startswith("tiny") else cell.folder
    for where in (folder, cell.test):
        where.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"dev": {"value": dev}}))
    labels = np.zeros(100)
    scores = np.zeros((100, 10))
    scores[np.arange(100), np.where(np.arange(100) < right, 0, 1)] = 1
    names = data.SETS[cell.task].classes
    write_predictions(cell.test / "predictions.tsv", scores, labels, None, names)
    (cell.test / "metrics.json").write_text("{}")


def run_all(options, dev_of, right_of):
    """Runs cells as the benchmark does, by writing what they would leave."""
    (options.work / "data" / "thucnews").mkdir(parents=True, exist_ok=True)
    rows = {"unlabeled": 7, "dev": 5, "test": 100}
    linear = options.work / "thucnews" / "tf-idf.cell.json"
    linear.parent.mkdir(parents=True, exist_ok=True)
    linear.write_text('{"value": 0.5, "words": "characters", "strength": 3.0}')
    (options.work / "data" / "thucnews" / "rows.json").write_text(json.dumps(rows))
    ran = []
    for cell in cells.plan(options):
        if not tested_cells.is_done(cell):
            finish(cell, dev_of(cell), right_of(cell))
            ran.append(cell)
    return ran


def test_what_is_tuned_runs_at_its_best_rate_with_the_other_seeds(options):
    ran = run_all(options, lambda cell: cell.rate, lambda cell: 60)
    first, second = ([c for c in ran if c.seed == seed] for seed in (1, 2))
    rates = [c.rate for c in first if c.arm == "alone-pretrained"]
    assert rates == list(cells.RATES[True])
    assert [c.rate for c in second if c.arm == "alone-pretrained"] == [max(rates)]
    assert {c.rate for c in ran if c.arm == "kd"} == {cells.RATES[True][1]}
    assert run_all(options, lambda cell: 0, lambda cell: 0) == [], "nothing runs twice"


def test_students_read_the_teacher_that_dev_chose_and_only_some_the_other_rows(options):
    ran = run_all(options, lambda cell: cell.rate, lambda cell: 60)
    best = max((c for c in ran if c.arm == "teacher"), key=lambda c: c.rate)
    for cell in ran:
        if cell.arm in cells.METHODS:
            named = cell.config["teacher_architectures"]["model_name_or_path"]
            assert named == str(best.folder / "teacher")
        assert ("unlabeled" in cell.config["data"]) == ("more" in cell.arm)
        steps = 4 * cells.STEPS if cell.arm.endswith("x4") else cells.STEPS
        assert cell.config["max_steps"] == steps


def test_a_chinese_masked_lm_is_another_start_and_other_cells(options, source, tmp_path):
    """Its figures are not mixed with those of random weights, and the table says which they are."""
    options.data = source
    model = tmp_path / "mlm"
    model.mkdir()
    (model / "config.json").write_text("{}")
    before = {cell.folder for cell in cells.plan(options)}
    options.chinese_start = model
    start.prepare(options)
    first = next(iter(cells.plan(options)))
    named = Path(first.config["teacher_architectures"]["model_name_or_path"])
    assert (named / "config.json").is_file() and named.parent == options.work
    assert before.isdisjoint(cell.folder for cell in cells.plan(options))
    run_all(options, lambda cell: cell.rate, lambda cell: 60)
    text = table.as_markdown({**table.summarise(options), "machine": {"device": "some"}})
    assert "chinese_masked_lm.py" in text and "random weights" not in text


def test_the_table_compares_with_the_better_of_the_two_alone(options):
    """Better on the test rows, whatever dev said: the rival is favoured."""
    right = {"teacher": 80, "alone-teacher": 70, "alone-pretrained": 60, "kd-more": 75}
    run_all(
        options,
        lambda cell: 0.7 if cell.arm == "alone-pretrained" else 0.5,
        lambda cell: right.get(cell.arm, 65),
    )
    results = table.summarise(options)
    arms = results["sets"]["thucnews"]["arms"]
    assert arms["kd-more"]["over"] == "alone-teacher"
    assert arms["kd-more"]["difference"] == pytest.approx(0.05)
    assert arms["kd-more"]["mean"] == pytest.approx(0.75)
    low, high = arms["kd-more"]["interval"]
    assert low <= 0.05 <= high
    text = table.as_markdown({**results, "machine": {"device": "some"}})
    assert (
        "PARTIAL" not in text
        and "| KD, and the others | 2 | 75.0 (75.0, 75.0) | 93.8 % | +5.0" in text
    )


def test_a_linear_model_learns_from_the_labelled_rows_alone(source, tmp_path):
    data.build("thucnews", source, tmp_path / "data" / "thucnews")
    found = table.tf_idf(tmp_path, "thucnews")
    assert 0 <= found["value"] <= 1 and found["words"] and found["strength"] > 0
    (tmp_path / "data" / "thucnews" / "train.jsonl").unlink()
    assert table.tf_idf(tmp_path, "thucnews") == found, "as it was kept"


def test_what_is_kept_of_a_cell_gives_the_same_table_without_its_run(options, tmp_path):
    run_all(options, lambda cell: cell.rate, lambda cell: 50 + len(cell.arm))
    options.out, options.cells = tmp_path / "out", "few"
    before = table.summarise(options)
    kept_cells.keep(options)
    (packed, *more) = sorted((tmp_path / "out" / "cells" / "few").iterdir())
    assert len(more) == len(list(cells.plan(options))) and packed.stat().st_size < 1000
    data_folder = options.work / "data"
    options.work = tmp_path / "elsewhere"
    kept_cells.restore(options)
    shutil.copytree(data_folder, options.work / "data")
    assert table.summarise(options) == before and not list(options.work.rglob("predictions.tsv"))


def test_a_table_with_cells_to_run_says_so(options):
    results = table.summarise(options)
    text = table.as_markdown({**results, "machine": {"device": "some"}})
    assert "**PARTIAL: still to run: thucnews teacher 0.0001 seed 1" in text


@pytest.mark.parametrize(("page", "language"), [("README.md", "en"), ("README.zh-CN.md", "zh")])
def test_the_readmes_show_the_rows_of_the_results(page, language):
    root = Path(__file__).resolve().parents[2]
    results = root / "benchmarks" / "results" / "few_labels.json"
    rows = table.readme_rows(json.loads(results.read_text(encoding="utf-8")), language)
    assert rows and "\n".join(rows) in (root / page).read_text(encoding="utf-8")
