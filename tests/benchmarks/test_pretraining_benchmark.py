"""The benchmark of the pre-training level: order, comparisons, and what another machine goes on from."""

import json

import pytest

import glue_cells
import kept_cells
import pretraining_cells as cells
import pretraining_costs
import pretraining_distillation as bench
import tested_cells

RIGHT = {"as it is": 10, "masked": 15, "teacher": 18}


def parsed(tmp_path, *words):
    places = {name: str(tmp_path / name) for name in ("work", "data", "out")}
    return bench.parse([*words, *(one for name in places for one in (f"--{name}", places[name]))])


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "model_folder", lambda: tmp_path / "minilm")
    monkeypatch.setattr(tested_cells, "model_folder", lambda: tmp_path / "minilm")
    return parsed(tmp_path, "--sets", "mrpc", "--seeds", "1", "--arms", "as it is", "masked")


def finish(cell):
    """Writes what the engine would."""
    glue_cells.write_config(cell)
    (cell.folder / "student").mkdir(parents=True, exist_ok=True)
    metrics = {"loss": 4.0, "masked_acc": 0.3} if cell.on_corpus else {"acc": 0.5}
    training = {"phases": [{"steps": 10}], "seconds": 8.0, "tokens": 640, "rows": 10}
    found = {"dev": {"metrics": metrics}, "training": training}
    (cell.folder / "metrics.json").write_text(json.dumps(found), encoding="utf-8")
    if not cell.on_corpus:
        cell.test.mkdir(exist_ok=True)
        (cell.test / "metrics.json").write_text("{}", encoding="utf-8")
        rows = [f"1\t{int(number < RIGHT[cell.arm])}\n" for number in range(20)]
        text = "label\tprediction\n" + "".join(rows)
        (cell.test / "predictions.tsv").write_text(text, encoding="utf-8")


def test_students_come_after_what_taught_them(options):
    names = [cell.name for cell in bench.plan(options)]
    assert names == [
        "corpus teacher seed 1",
        "corpus masked seed 1",
        "mrpc teacher seed 1",
        "mrpc as it is seed 1",
        "mrpc masked seed 1",
    ]


def test_the_table_compares_with_the_same_shape_that_saw_no_corpus(options):
    for cell in bench.plan(options):
        assert not tested_cells.is_done(cell)
        finish(cell)
    text = bench.write(options)
    assert "PARTIAL" not in text
    assert "20,480 tokens in all" in text, "10 steps of 32 blocks of 64 tokens"
    assert "| loss 4.000, 30.0 % right | – | – | 90.0 |" in text
    gap = next(row["mrpc"] for row in bench.summarise(options)["rows"] if row["arm"] == "masked")
    low, high = gap["interval"]
    assert gap["over"] == pytest.approx(0.25) and low < 0.25 < high


def test_a_network_that_was_not_kept_is_made_again_before_its_student(options, monkeypatch):
    for cell in bench.plan(options):
        finish(cell)
    kept_cells.keep(options)
    options.work.rename(options.work.with_name("gone"))
    kept_cells.restore(options)
    there = {cell.name: cell for cell in bench.plan(options)}
    assert all(tested_cells.is_done(cell) for cell in there.values())

    kept_cells.forget(there["mrpc masked seed 1"].folder)
    ran = []

    def run_cell(cell, threads):
        ran.append(cell.name)
        finish(cell)
        return 0

    monkeypatch.setattr(cells, "prepare", lambda options: None)
    monkeypatch.setattr(cells, "cut", lambda options, teacher: None)
    monkeypatch.setattr(tested_cells, "run_cell", run_cell)
    monkeypatch.setattr(bench, "parse", lambda arguments: options)
    assert bench.main() == 0
    assert ran == ["corpus teacher seed 1", "corpus masked seed 1", "mrpc masked seed 1"]


def test_speed_and_memory_are_measured_once_of_runs_on_the_corpus(options, monkeypatch):
    for cell in bench.plan(options):
        finish(cell)
    measured = []

    def costs(cell, folder, threads):
        measured.append(cell.name)
        return {"tokens_per_second": 1234.4, "peak_bytes": 3 << 20, "threads": 1, "device": "D"}

    monkeypatch.setattr(pretraining_costs, "_of", costs)
    pretraining_costs.measure(options)
    pretraining_costs.measure(options)
    assert measured == ["corpus teacher seed 1", "corpus masked seed 1"]
    assert "| 1,234 | 3 |" in bench.write(options)


def test_the_chinese_teacher_is_given(tmp_path):
    options = parsed(tmp_path, "--language", "zh", "--seeds", "1", "--arms", "as it is", "scratch")
    teacher, of_teacher, base, scratch = bench.plan(options)
    assert teacher.config == {} and not teacher.needs
    named = [cell.config["teacher_architectures"] for cell in (of_teacher, base)]
    assert named == [
        {"model_name_or_path": str(teacher.folder / "student")},
        {"model_name_or_path": str(options.work / "cut")},
    ]
    assert scratch.config["teacher_architectures"]["config_file"].endswith("2x256.json")
    assert scratch.config["learning_rate"] == pytest.approx(3 * base.config["learning_rate"])


def test_a_chinese_run_without_its_teacher_is_told_how_to_make_it(tmp_path, monkeypatch):
    options = parsed(tmp_path, "--language", "zh")
    monkeypatch.setattr(cells.chinese_masked_lm, "write", lambda data, folder: [])
    monkeypatch.setattr(cells.sets, "build", lambda *words: None)
    with pytest.raises(SystemExit, match="chinese_masked_lm"):
        cells.prepare(options)
