"""The benchmark of static students: the rival reads the same words, differences are paired."""

import json
from pathlib import Path

import numpy as np
import pytest

import static_students


@pytest.fixture
def options(tmp_path: Path):
    pytest.importorskip("jieba")
    source = tmp_path / "source" / "thucnews_titles"
    source.mkdir(parents=True)
    kinds = ("股票上涨", "房价下跌")
    for name, count in (("train", 60), ("dev", 40)):
        rows = [f"{kinds[number % 2]} {number}\t{number % 2}\n" for number in range(count)]
        (source / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
    found = static_students.parse(
        ["--sets", "thucnews", "--work", str(tmp_path / "work"), "--data", str(source.parent)]
    )
    static_students.prepare(found)
    return found


def finish(cell, right: list[int]) -> None:
    cell.test.mkdir(parents=True)
    (cell.test / "metrics.json").write_text("{}")
    rows = [f"1\t{1 if hit else 0}" for hit in right]
    (cell.test / "predictions.tsv").write_text("\n".join(["label\tprediction", *rows]) + "\n")


def test_cells_differ_in_vectors_and_terms_alone(options):
    cells = {cell.arm: cell.config for cell in static_students.plan(options)}
    further = ("distilled more", "vectors distilled more", "long alone")
    plain = set(static_students.ARMS) - set(further)
    assert set(cells) == {"teacher", *plain} and len(plain) == 4
    alone, taught = cells["vectors alone"], cells["vectors distilled"]
    assert alone.pop("distillation") == {"terms": {"soft": {"weight": 0}, "hard": {"weight": 1}}}
    assert {key for key in taught if taught[key] != alone[key]} == {"output_dir"}


def test_few_labels_are_the_first_rows_and_the_others_lose_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr(static_students, "FEW", 3)
    words = ["--sets", "sst2-few", "--work", str(tmp_path), "--data", str(tmp_path)]
    found = static_students.parse(words)
    whole, few = tmp_path / "data" / "sst2", tmp_path / "data" / "sst2-few"
    whole.mkdir(parents=True)
    rows = [json.dumps({"text": f"row {number}", "label": "a"}) + "\n" for number in range(5)]
    for part in ("train", "dev", "test"):
        (whole / f"{part}.jsonl").write_text("".join(rows))
    static_students.write_others(found, "sst2-few")
    assert (few / "train.jsonl").read_text() == "".join(rows[:3])
    assert (few / "test.jsonl").read_text() == "".join(rows)
    left = [json.loads(line) for line in (few / "unlabeled.jsonl").read_text().splitlines()]
    assert left == [{"text": "row 3"}, {"text": "row 4"}]
    cells = {cell.arm: cell.config for cell in static_students.plan(found)}
    assert set(cells) == {"teacher", *static_students.ARMS}
    assert cells["distilled more"]["data"]["unlabeled"] == str(few / "unlabeled.jsonl")
    assert "unlabeled" not in cells["distilled"]["data"]


def test_the_rival_learns_from_the_same_words(options):
    found = static_students.tf_idf(options, "thucnews")
    assert np.mean(found["right"]) == 1.0
    again = static_students.tf_idf(options, "thucnews")  # as it was kept
    assert again == json.loads(json.dumps(found))


def test_the_table_compares_row_by_row_with_the_network_alone(options, monkeypatch):
    monkeypatch.setattr(
        static_students,
        "costs",
        lambda *_: {"megabytes": 1.0, "ms": {"ids": 0.1, "network": 0.2}},
    )
    cells = {cell.arm: cell for cell in static_students.plan(options)}
    finish(cells["alone"], [1] * 10 + [0] * 10)
    finish(cells["distilled"], [1] * 15 + [0] * 5)
    results = static_students.summarise(options)
    row = next(row for row in results["rows"] if row["arm"] == "distilled")
    assert row["over alone"] == 0.25 and 0 < row["interval"][0] < 0.25 < row["interval"][1]
    results["machine"] = {"device": "a device"}
    text = static_students.as_markdown(results)
    assert "PARTIAL" in text and "thucnews teacher seed 1" in text
    assert "| titles | static, distilled (random vectors) | 75.0 | +25.0 [" in text
