"""The benchmark of RNN students: what a cell needs, the texts of an ELMo, ranked rows by question."""

import json
from pathlib import Path

import numpy as np
import pytest

import defaults_sets
import rnn_students
import static_students
from chatstill.tasks.predictions import write_predictions


@pytest.fixture
def options(tmp_path):
    words = ["--seeds", "1", "4", "--out", str(tmp_path / "out")]
    places = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "source")]
    return rnn_students.parse([*places, *words])


def test_an_elmo_needs_its_teacher_and_the_language_model_of_its_set(options):
    cells = list(rnn_students.plan(options))
    seen = set()
    for cell in cells:
        assert {needed.folder for needed in cell.needs} <= seen, cell.name
        seen.add(cell.folder)
    elmos = [cell for cell in cells if cell.arm.startswith("elmo")]
    assert {cell.task for cell in elmos} == {"sst2", "thucnews"} and {c.seed for c in elmos} == {1}
    for cell in elmos:
        model = cell.needs[1]
        assert model.task == cell.task and model.figures.parent == model.folder
        start = cell.config["student_architectures"]["model_name_or_path"]
        assert start == str(model.folder / "student")
    assert sum(cell.arm == "language model" for cell in cells) == 2


def test_all_networks_of_a_set_take_as_many_steps(options):
    steps = {}
    for cell in rnn_students.plan(options):
        if "max_steps" in cell.config:
            phases = 2 if cell.arm in ("ltd distilled", "ltd more") else 1
            steps.setdefault(cell.task, set()).add(phases * cell.config["max_steps"])
    assert steps == {name: {number} for name, number in rnn_students.STEPS.items()}


def test_chinese_teachers_start_from_the_network_that_is_named_wherever_it_lies(tmp_path):
    digests = []
    for place in ("one", "other"):
        network = tmp_path / place / "network"
        network.mkdir(parents=True)
        (network / "config.json").write_text("{}")
        words = ["--sets", "lcqmc", "--work", str(tmp_path / "work"), "--data", str(tmp_path)]
        options = rnn_students.parse([*words, "--chinese-start", str(network)])
        teacher = next(rnn_students.plan(options))
        start = teacher.config["teacher_architectures"]["model_name_or_path"]
        _write_rows(options.work / "data" / "lcqmc")
        static_students.prepare(options)
        assert (Path(start) / "config.json").read_text() == "{}"
        digests.append(teacher.folder)
    assert digests[0] == digests[1]
    plain = rnn_students.parse(words)
    assert next(rnn_students.plan(plain)).folder != digests[0]


def _write_rows(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev", "test"):
        (folder / f"{part}.jsonl").write_text('{"text": "a", "other": "b", "label": "0"}\n')


def test_the_texts_of_an_elmo_are_those_of_its_set_and_dev_has_none_of_them(options):
    folder = options.work / "data" / "sst2"
    folder.mkdir(parents=True)
    rows = {"train": ["a b", "c d", "a b"], "dev": ["c d", "e f"], "unlabeled": ["g h"]}
    for part, texts in rows.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{part}.jsonl").write_text(lines)
    rnn_students.write_texts(options, "sst2")
    corpus = rnn_students.texts(options, "sst2") / "corpus"
    assert (corpus / "train.txt").read_text() == "a b\nc d\ng h\n"
    assert (corpus / "dev.txt").read_text() == "e f\n"


def test_wikiqa_is_judged_by_question(options, tmp_path):
    cell = next(cell for cell in rnn_students.plan(options) if cell.task == "wikiqa")
    assert cell.config["data"]["group"] == "group"
    assert cell.config["selection_metric"] == "map" and cell.config["positive_label"] == "yes"
    cell.test.mkdir(parents=True)
    scores = np.array([[0, 2], [0, 1], [0, 3], [0, 0], [0, 9]], np.float32)
    labels, groups = np.array([0.0, 1, 1, 0, 0]), ["p", "p", "q", "q", "r"]
    write_predictions(cell.test / "predictions.tsv", scores, labels, groups, ("no", "yes"))
    assert static_students.hits(cell).tolist() == [0.5, 1.0], "a question without an answer is none"


def test_the_rival_is_judged_as_the_networks_are(options):
    folder = options.work / "data" / "wikiqa"
    folder.mkdir(parents=True)
    for part in ("train", "dev", "test"):
        rows = [
            {"text": f"who {n}", "other": "he did" if yes else "it rains", "group": f"{part}{n}"}
            | {"label": "yes" if yes else "no"}
            for n in range(8)
            for yes in (False, True)
        ]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = static_students.tf_idf(options, "wikiqa")
    assert np.array(found["right"]).tolist() == [1.0] * 8
    assert defaults_sets.SIX == ("sst2", "mrpc", "stsb", "thucnews", "lcqmc", "kdconv")
