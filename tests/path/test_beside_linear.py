"""`chatstill evaluate … --tf-idf`: the linear model beside a network, its files, what cannot be learnt."""

import json

import numpy as np
import pytest

from chatstill import cli
from chatstill.cli import guard
from chatstill.evaluate import score_file
from chatstill.evaluate.linear_model import learnt
from chatstill.tasks import get_task
from tests.found import codes

from . import world


@pytest.fixture
def data(tmp_path):
    return world.write_chat(tmp_path / "data", train=30, dev=12)


def evaluate(teacher_of, data, *more):
    words = ["evaluate", str(teacher_of()), "--task-name", "chat", "--data-dir", str(data)]
    return cli.main([*words, "--tf-idf", *map(str, more)])


def test_the_table_is_printed_and_written(teacher_of, data, tmp_path, capsys):
    out = tmp_path / "out"
    assert evaluate(teacher_of, data, "--output", out) == 0
    printed = capsys.readouterr().out
    found = json.loads((out / "metrics.json").read_text("utf-8"))
    table = found["linear"]
    assert table["model"] == found["dev"]["metrics"] and table["main"] == found["dev"]["main"]
    task = get_task("chat")
    train, dev = (list(task.read(task.find(s, data), s, True)) for s in ("train", "dev"))
    scores = learnt(task, train, dev).scores
    labels = np.array([row.label for row in dev], np.float64)
    groups = np.array([row.group for row in dev])
    assert table["tf_idf"] == pytest.approx(task.metrics(scores, labels, groups))
    main = table["main"]
    assert table["difference"] == pytest.approx(table["model"][main] - table["tf_idf"][main])
    low, high = table["interval"]
    assert low <= table["difference"] <= high
    assert (table["training_rows"], table["of_rows"]) == (len(train), len(train))
    for name in table["model"]:
        assert f"\n{name} " in printed
    assert printed.strip() in (out / "eval_results.txt").read_text("utf-8")


def test_rows_without_a_label_are_not_learnt_from(teacher_of, data, tmp_path):
    file = data / "chat" / "train.data.txt"
    rows = len(file.read_text("utf-8").splitlines())
    with file.open("a", encoding="utf-8") as more:
        more.write("where is it\tthe box\t\n")
    asked = ("--set", "skip_unlabeled=true", "--output", tmp_path / "out")
    assert evaluate(teacher_of, data, *asked) == 0
    table = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["linear"]
    assert table["training_rows"] == rows


@pytest.mark.parametrize(
    "fault", ["training rows", "the same file", "one label", "no label", "no training rows"]
)
def test_what_cannot_be_learnt_is_one_message_before_anything_is_scored(
    fault, teacher_of, data, monkeypatch
):
    told = []
    monkeypatch.setattr(guard, "show_problems", told.extend)
    monkeypatch.setattr(score_file, "score", None)
    file = data / "chat" / "train.data.txt"
    if fault == "one label":
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if line.endswith("\t1\n")), encoding="utf-8")
    if fault == "no label":
        file.write_text("where is it\tthe box\t\n", encoding="utf-8")
    if fault == "the same file":
        (data / "chat" / "dev.data.txt").unlink()
        (data / "chat" / "dev.data.txt").symlink_to(file)
    if fault == "no training rows":
        file.unlink()
    expected, words = {
        "training rows": ("linear.scores-its-own-rows", ["--split", "train"]),
        "the same file": ("linear.scores-its-own-rows", []),
        "no label": ("linear.no-label", []),
        "one label": ("linear.one-label", []),
        "no training rows": ("data.no-file-of-the-split", []),
    }[fault]
    assert evaluate(teacher_of, data, *words) == 2
    assert codes(told) == [expected]
