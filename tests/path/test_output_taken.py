"""``--output`` replaces what the same verb wrote before, and nothing else; it is asked before any work."""

import os

import pytest

from chatstill.run import results
from chatstill.run import run as pipeline
from tests.found import refused

from . import world

NONE = "predict.output-holds-no-predictions"


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("where is\tsure\n", encoding="utf-8")
    return path


@pytest.fixture
def predict(finished, rows):
    def to(target):
        network, config = finished.folder / "student", finished.loaded.config
        return pipeline.predict(network, rows, config, output=target, console=world.console())

    return to


@pytest.fixture
def evaluate(finished):
    def to(folder):
        network, config = finished.folder / "student", finished.loaded.config
        pipeline.evaluate(network, config, output=folder, console=world.console())

    return to


@pytest.fixture
def no_work(monkeypatch):
    """Scoring is not reached."""
    monkeypatch.setattr(results, "scores_of", lambda *_: pytest.fail("rows were scored"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_older_file_of_predictions_is_replaced(predict, tmp_path):
    predict(tmp_path / "new.tsv")
    before = (tmp_path / "new.tsv").read_bytes()
    assert predict(tmp_path / "new.tsv").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("notes.txt", "years of work", NONE),
        ("table.tsv", "index\ttext\tprediction\tby whom\n", NONE),
        ("empty.tsv", "", NONE),
        ("missing/new.tsv", None, "predict.output-without-folder"),
        ("rows.tsv", None, "predict.output-taken"),
        ("link.tsv", "rows.tsv", "predict.output-taken"),
        (".", None, "predict.output-taken"),
    ],
)
def test_what_is_none_stays(no_work, predict, rows, tmp_path, name, text, code):
    target = tmp_path / name
    if name == "link.tsv":
        os.link(rows, target)
    elif text is not None:
        target.write_text(text, encoding="utf-8")
    before = contents(tmp_path)
    with refused(code):
        predict(target)
    assert contents(tmp_path) == before


def test_rows_that_are_predictions_themselves_stay(no_work, finished, predict, rows, tmp_path):
    rows.write_text("index\tlabel\tprediction\tprobability\tscore\n0\t\t1\t0.5\t1.0\n", "utf-8")
    with refused("predict.output-taken"):
        predict(rows)
    with refused("predict.output-of-a-run"):
        predict(finished.folder / "predictions.tsv")


def test_a_pipe_is_not_opened(no_work, predict, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with refused(NONE):
        predict(tmp_path / "pipe")


def test_an_older_evaluation_is_replaced(evaluate, tmp_path):
    evaluate(tmp_path / "e")
    before = contents(tmp_path / "e")
    evaluate(tmp_path / "e")
    assert contents(tmp_path / "e") == before and len(before) == 3


def test_figures_of_a_run_and_files_of_others_stay(no_work, finished, evaluate, tmp_path):
    before = contents(finished.folder)
    with refused("evaluate.output-is-a-run"):
        evaluate(finished.folder)
    assert contents(finished.folder) == before
    for name in ("metrics.json", "eval_results.txt", "predictions.tsv"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text("[]", encoding="utf-8")
        with refused("evaluate.output-taken", name):
            evaluate(folder)
        with refused("evaluate.output-is-a-file"):
            evaluate(folder / name)
        assert contents(folder) == {folder / name: b"[]"}
