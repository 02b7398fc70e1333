"""The table of data augmentation from made-up runs: what is planned, in how many steps, what is said."""

import json
from pathlib import Path

import numpy as np
import pytest

import augmentation
import augmentation_cells
import glue_cells
import glue_table
from chatstill.tasks import get_task
from chatstill.tasks.predictions import write_predictions

RIGHT = {0: 0.7, 1: 0.8, 4: 0.7}
RECORD = {
    "output": {"name": "train_aug.tsv"},
    "rows": {"originals": 2, "copies": 3},
    "left_out": {"duplicates": 1, "held_out": 0, "unwritable": 0},
    "found": {"sentences": 2, "in_windows": 0, "words": 8, "with_candidates": 6},
    "copies_of": [1, 2],
}


@pytest.fixture(autouse=True)
def start(monkeypatch, tmp_path):
    folder = tmp_path / "minilm" / "model"
    folder.mkdir(parents=True)
    monkeypatch.setattr(glue_cells, "model_folder", lambda: folder)
    monkeypatch.setattr(glue_table, "RESAMPLES", 50)
    (tmp_path / "glue" / "SST-2").mkdir(parents=True)
    for name in ("train", "dev"):
        (tmp_path / "glue" / "SST-2" / f"{name}.tsv").write_bytes(b"sentence\tlabel\na\t1\nb\t0\n")


def options_of(tmp_path, *more):
    places = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "glue")]
    places += ["--out", str(tmp_path / "out"), "--masked-lm", str(tmp_path)]
    return augmentation.parse([*places, *more])


def finish(cell, num_rows=100):
    """Writes what the engine, or `chatstill augment`, would."""
    if cell.arm == "copies":
        folder = Path(cell.config["data_dir"]) / "SST-2"
        (folder / "train_aug.json").write_text(json.dumps(RECORD), encoding="utf-8")
        text = "sentence\tlabel\na\t1\nb\t0\nA\t1\nB\t0\nC\t0\n"
        (folder / "train_aug.tsv").write_text(text, encoding="utf-8")
        cell.folder.parent.mkdir(parents=True, exist_ok=True)
        glue_cells.note_attempt(cell, 4.0)
        return
    cell.folder.mkdir(parents=True)
    if cell.arm == "step1":
        (cell.folder / "student").mkdir()
        (cell.folder / "student" / "model.safetensors").touch()
        return
    if cell.arm == "teacher":
        (cell.folder / "teacher").mkdir()
    glue_cells.write_config(cell)
    value = RIGHT[getattr(cell, "copies", 0)]
    labels = np.arange(num_rows) % 2
    scores = np.eye(2)[np.where(np.arange(num_rows) < value * num_rows, labels, 1 - labels)]
    words = get_task(cell.task).label_words
    write_predictions(cell.folder / "predictions.tsv", scores, labels.astype(float), None, words)
    metrics = {
        "dev": {"value": value, "main": "acc", "metrics": {"acc": value}, "rows": num_rows},
        "training": {"rows": 2, "seconds": 1.0},
        "kept": {"text": "last step"},
        "model": {"parameters": 5},
    }
    (cell.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_every_cell_comes_after_those_it_needs(tmp_path):
    cells = augmentation_cells.plan(options_of(tmp_path))
    seen = set()
    for cell in cells:
        assert {one.folder for one in getattr(cell, "after", ())} <= seen, cell.name
        seen.add(cell.folder)
    assert len(seen) == len(cells)
    assert {cell.set for cell in cells if cell.arm == "copies"} == {
        *("sst2-5000", "sst2-20000", "mrpc", "sst2-bilstm")
    }, "without a Chinese model the titles are left out"


def test_all_arms_of_a_set_have_as_many_steps(tmp_path):
    steps = {}
    for cell in augmentation_cells.plan(options_of(tmp_path)):
        if cell.arm in ("step1", "tinybert", "bilstm"):
            key = (cell.set, cell.copies, cell.seed)
            steps[key] = steps.get(key, 0) + cell.config["max_steps"]
            assert cell.config.get("use_augmented", False) == (cell.copies > 0)
    assert len(steps) == 4 * 3 * 3
    for name in ("sst2-5000", "sst2-20000", "mrpc", "sst2-bilstm"):
        assert len({value for key, value in steps.items() if key[0] == name}) == 1


def test_teachers_of_the_same_rows_are_one_and_read_their_own(tmp_path):
    options = options_of(tmp_path, "--sets", "sst2-5000", "sst2-20000", "sst2-bilstm")
    teachers = [cell for cell in augmentation_cells.plan(options) if cell.arm == "teacher"]
    assert [Path(cell.config["data_dir"]).name for cell in teachers] == ["data-5000", "data-20000"]
    for cell in teachers:
        augmentation_cells.prepare(options, cell)
        assert (Path(cell.config["data_dir"]) / "SST-2" / "train.tsv").is_file()


def test_the_table_says_where_copies_do_not_help(tmp_path):
    options = options_of(tmp_path, "--sets", "sst2-5000")
    cells = augmentation_cells.plan(options)
    for cell in cells:
        augmentation_cells.prepare(options, cell)
        assert not augmentation_cells.is_done(cell)
        finish(cell)
        assert augmentation_cells.is_done(cell)
    augmentation.keep(cells, options)
    text = augmentation.write(cells, tmp_path / "out", None)
    assert "PARTIAL" not in text
    lines = {line.split(" | ")[1]: line for line in text.split("\n") if "| acc " in line}
    assert lines["1"].endswith("| helps |") and "+10.0" in lines["1"]
    assert lines["4"].endswith("| does not help |") and "+0.0" in lines["4"]
    assert "| sst2-5000 | 1 | 5 | 75.0 % | 0.5 |" in text
    assert "a\t1\nA\t1\nb\t0\nB\t0" in text


def test_another_machine_goes_on_from_the_figures_that_were_kept(tmp_path):
    options = options_of(tmp_path, "--sets", "sst2-5000", "--seeds", "1", "2")
    cells = augmentation_cells.plan(options)
    for cell in cells:
        augmentation_cells.prepare(options, cell)
        finish(cell)
    augmentation.keep(cells, options)
    there = augmentation.write(cells, tmp_path / "out", None)
    options.work.rename(tmp_path / "gone")

    options = options_of(tmp_path, "--sets", "sst2-5000", "--seeds", "1", "2")
    cells = augmentation_cells.plan(options)
    assert augmentation_cells.to_run(cells) == []
    assert augmentation.write(cells, tmp_path / "out", None) == there
    lost = next(cell for cell in cells if cell.arm == "tinybert" and cell.copies == 4)
    (lost.folder / "metrics.json").unlink()
    assert [cell.name for cell in augmentation_cells.to_run(cells)] == [
        "sst2 teacher seed 1",
        "sst2-5000 copies, 4 copies, seed 0",
        "sst2-5000 step1, 4 copies, seed 1",
        "sst2-5000 tinybert, 4 copies, seed 1",
    ]


def test_a_table_with_cells_missing_says_so(tmp_path):
    cells = augmentation_cells.plan(options_of(tmp_path, "--sets", "sst2-bilstm"))
    assert "PARTIAL" in augmentation.write(cells, tmp_path / "out", None)


def test_copies_by_parts_of_speech_are_others_and_the_table_names_the_tagger(tmp_path):
    plans = [
        {cell.name: cell for cell in augmentation_cells.plan(options_of(tmp_path, *words))}
        for words in (
            ["--sets", "sst2-bilstm"],
            ["--sets", "sst2-bilstm", "--tagger", "english_tags:tag"],
        )
    ]
    for name, plain in plans[0].items():
        tagged = plans[1][name]
        reads_copies = plain.arm == "copies" or getattr(plain, "copies", 0) > 0
        assert (tagged.folder != plain.folder) == reads_copies, name
        assert (tagged.config["data_dir"] != plain.config["data_dir"]) == reads_copies, name
    text = augmentation.write(list(plans[1].values()), tmp_path / "out", "english_tags:tag")
    assert "english_tags:tag" in text


def test_other_copies_of_the_same_rows_read_the_candidates_again(tmp_path):
    options = options_of(tmp_path, "--sets", "sst2-20000")
    one, four = (c for c in augmentation_cells.plan(options) if c.arm == "copies")
    assert (one.after, four.after) == ((), (one,))
    assert four.config["augmentation"]["keep_candidates"] is True
    folder = Path(one.config["data_dir"]) / "SST-2"
    (folder / ".train_aug.tsv.work").mkdir(parents=True)
    (folder / ".train_aug.tsv.work" / "candidates-000000.json").write_text("[]\n", "utf-8")
    augmentation_cells.prepare(options, four)
    kept = Path(four.config["data_dir"]) / "SST-2" / ".train_aug.tsv.work"
    assert (kept / "candidates-000000.json").is_file()
