"""`chatstill evaluate … --ranking`: the table beside TF-IDF, its files, and what cannot be ranked."""

import json

import numpy as np
import pytest

from chatstill import cli
from chatstill.cli import guard
from chatstill.evaluate import score_file
from chatstill.tasks.predictions import read_predictions
from tests.found import codes

ROWS = [  # (query, reply, label, group); the second question has no relevant candidate
    ("where is the red box", "the red box", 1, "a"),
    ("where is the red box", "not today", 0, "a"),
    ("where is the red box", "we go home", 0, "a"),
    ("can we go now", "the red box", 0, "b"),
    ("can we go now", "not today", 0, "b"),
    ("who is it", "sure", 1, "c"),
    ("who is it", "no", 0, "c"),
]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "chat"
    folder.mkdir(parents=True)
    lines = ["\t".join(map(str, row)) for row in ROWS]
    (folder / "dev.data.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder.parent


def evaluate(teacher_of, data, *more):
    words = ["evaluate", str(teacher_of()), "--task-name", "chat", "--data-dir", str(data)]
    return cli.main([*words, "--ranking", *map(str, more)])


def test_the_table_is_printed_and_written(teacher_of, data, tmp_path, capsys):
    out = tmp_path / "out"
    assert evaluate(teacher_of, data, "--output", out) == 0
    printed = capsys.readouterr().out
    table = json.loads((out / "metrics.json").read_text("utf-8"))["ranking"]
    assert (table["questions"], table["with_relevant"]) == (3, 2)
    assert table["larger"] == {"1": 3, "2": 1} and table["replies"] == 5
    assert "all 3 questions; 2 have a" in printed and "words by Unicode boundaries" in printed
    # TF-IDF is right about the first question and knows no word of the third: a tie.
    assert table["tf_idf"]["p@1"] == pytest.approx((1 + 0 + 0.5) / 3)
    found = read_predictions(out / "predictions.tsv", ("0", "1"))
    score = found.scores[:, 1] - found.scores[:, 0]
    first = [score[0] > score[1:3].max(), False, score[5] > score[6]]
    assert table["model"]["p@1"] == pytest.approx(np.mean(first))
    assert table["model"]["map"] - table["tf_idf"]["map"] == pytest.approx(
        table["difference"]["map"]
    )
    rows = [line.split() for line in printed.splitlines()]
    of = {" ".join(row[:-2]): row[-2:] for row in rows if row[-2:]}
    for name, model, other in (("P@1", "p@1", "p@1"), ("PBT@2, PTB@2", "pbt@2", "ptb@2")):
        assert of[name] == [f"{table['model'][model]:.4f}", f"{table['tf_idf'][other]:.4f}"]
    for line in ("MAP ", "MRR ", "P@1 ", "R@2 ", "PBT@1, PTB@1 "):
        assert f"\n{line}" in printed
    assert printed.strip() in (out / "eval_results.txt").read_text("utf-8")


def test_both_maps_stand_with_their_number_of_questions(teacher_of, data, tmp_path):
    assert evaluate(teacher_of, data, "--output", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    metrics, table = found["dev"]["metrics"], found["ranking"]
    assert metrics["groups"] - metrics["groups_without_positive"] == table["with_relevant"]
    assert table["model"]["map"] == pytest.approx(metrics["map"] * 2 / 3)
    assert table["model"]["mrr"] == pytest.approx(metrics["mrr"] * 2 / 3)


def test_training_rows_without_a_label_are_left_out_of_the_table_too(teacher_of, data, tmp_path):
    text = (data / "chat" / "dev.data.txt").read_text("utf-8")
    unlabeled = "who is it\tnot today\t\tc\n"
    (data / "chat" / "train.data.txt").write_text(text + unlabeled, encoding="utf-8")
    asked = ("--split", "train", "--set", "skip_unlabeled=true", "--output", tmp_path / "out")
    assert evaluate(teacher_of, data, *asked) == 0
    table = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["ranking"]
    assert (table["questions"], table["replies"]) == (3, 5)


def test_labels_that_are_turned_round_are_told(copy_of, teacher_of, data, tmp_path, capsys):
    """The figures alone would say of the network that it is bad."""
    rows = [
        f"where is the box {n}\t{w}\t{r}" for n in range(40) for w, r in (("sure", 1), ("never", 0))
    ]
    (data / "chat" / "dev.data.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert evaluate(teacher_of, data) == 0
    assert "below chance" not in capsys.readouterr().out
    turned = copy_of(id2label={"0": "match", "1": "no_match"}, label2id={})
    words = ["evaluate", str(turned), "--task-name", "chat", "--data-dir", str(data)]
    assert cli.main(words) == 0
    assert "below chance" in capsys.readouterr().out


def test_unasked_there_is_no_table(teacher_of, data, tmp_path):
    words = ["evaluate", str(teacher_of()), "--task-name", "chat", "--data-dir", str(data)]
    assert cli.main([*words, "--output", str(tmp_path / "out")]) == 0
    assert "ranking" not in json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert "PBT" not in (tmp_path / "out" / "eval_results.txt").read_text("utf-8")


def block(data, rows, **more):
    """A block ``data`` of JSON lines, as words of the command line."""
    file = data / "dev.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    keys = {"dev": str(file), "text": "q", "text_pair": "r", "label": "l", **more}
    return [w for k, v in keys.items() for w in ("--set", f"data.{k}={json.dumps(v)}")]


@pytest.mark.parametrize("fault", ["no groups", "three classes", "one text", "nothing to rank"])
def test_what_cannot_be_ranked_is_one_message(fault, teacher_of, data, monkeypatch):
    told = []
    monkeypatch.setattr(guard, "show_problems", told.extend)
    monkeypatch.setattr(score_file, "score", None)  # before any row is scored
    rows = [{"q": q, "r": r, "l": ("no", "yes")[label], "g": g} for q, r, label, g in ROWS]
    expected, words = {
        "no groups": ("ranking.task-without-groups", block(data, rows, labels=["no", "yes"])),
        "three classes": (
            "ranking.no-relevant-class",
            block(data, rows, labels=["a", "b", "yes"], group="g"),
        ),
        "one text": (
            "ranking.one-text",
            block(data, rows, labels=["no", "yes"], group="g", text_pair=None),
        ),
        "nothing to rank": (
            "ranking.nothing-to-rank",
            block(data, rows[3:5], labels=["no", "yes"], group="g"),
        ),
    }[fault]
    assert cli.main(["evaluate", str(teacher_of()), "--ranking", *words]) == 2
    assert codes(told) == [expected]
