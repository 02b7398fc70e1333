"""The study of left-out values: cells differ in one value, the table compares with the choice of dev."""

import json
from pathlib import Path

import pytest

import defaults
import defaults_sets
import small_chinese
import tested_cells


@pytest.fixture
def options(tmp_path: Path):
    source = tmp_path / "source"
    (source / "thucnews_titles").mkdir(parents=True)
    for name, count in (("train", 60), ("dev", 40)):
        lines = "".join(f"标题 {name} {number}\t{number % 10}\n" for number in range(count))
        (source / "thucnews_titles" / f"{name}.txt").write_text(lines, encoding="utf-8")
    found = defaults.parse(
        ["--sets", "thucnews", "--work", str(tmp_path / "work"), "--data", str(source)]
    )
    defaults.prepare(found)
    return found


def finish(cell: defaults.Cell, dev: float, test: float) -> None:
    for where, value in ((cell.folder, dev), (cell.test, test)):
        where.mkdir(parents=True)
        (where / "metrics.json").write_text(json.dumps({"dev": {"value": value}}))


def test_cells_differ_in_the_one_value_that_they_name(options):
    cells = {(c.student, c.arm): c.config for c in defaults.plan(options)}
    for student in defaults.STUDENTS:
        left_out = cells[student, "left out"]
        assert not {"learning_rate", "num_train_epochs", "keep"} & left_out.keys()
        for arm in defaults.ARMS[1:]:
            own = {k: v for k, v in cells[student, arm].items() if left_out.get(k) != v}
            own.pop("output_dir")
            assert len(own) == 1, own
    rates = [cells["half", arm]["learning_rate"] for arm in ("rate x 1/4", "rate x 4")]
    assert rates[1] == 16 * rates[0]


def test_networks_start_from_random_weights_where_there_are_no_others(options):
    start = defaults.start_of(options, "thucnews")
    values = json.loads((start / "config.json").read_text(encoding="utf-8"))
    assert (values["num_hidden_layers"], values["hidden_size"]) == (small_chinese.LAYERS, 128)
    rows = (options.work / "data" / "thucnews" / "train.jsonl").read_text(encoding="utf-8")
    assert len(rows.splitlines()) == 60 <= defaults_sets.MOST_ROWS


def test_the_table_says_what_leaving_out_costs_against_the_choice_of_dev(options):
    for cell in defaults.plan(options):
        figures = {"rate x 4": (0.8, 0.7), "2 epochs": (0.4, 0.3)}.get(cell.arm, (0.5, 0.6))
        finish(cell, *figures)
    results = defaults.summarise(options)
    assert [row["best"] for row in results["rows"]] == ["rate x 4"] * 2
    assert results["rows"][0]["less"] == pytest.approx(-0.1)
    assert results["costs"]["2 epochs"] == pytest.approx(-0.3)
    text = defaults.as_markdown({**results, "machine": {"device": "some"}})
    assert "On average -10.0, at worst -10.0." in text and "PARTIAL" not in text


def test_a_cell_waits_for_its_teacher(options, monkeypatch):
    ran = []
    monkeypatch.setattr(tested_cells, "run_cell", lambda cell, threads: ran.append(cell.name) or 1)
    monkeypatch.setattr(defaults, "write", lambda options: "PARTIAL")
    monkeypatch.setattr(defaults, "parse", lambda arguments: options)
    assert defaults.main([]) == 1
    assert ran == ["thucnews teacher"]
