"""``chatstill submit``: from a network for each task and GLUE's test files to the zip."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.cli import guard
from tests.draws import reseeded
from tests.found import codes

from . import world

MNLI = "index promptID pairID genre s1b s2b s1p s2p sentence1 sentence2".split()
MNLI[4:8] = [f"sentence{n}_{kind}" for kind in ("binary_parse", "parse") for n in (1, 2)]
STSB = "index genre filename year old_index source1 source2 sentence1 sentence2".split()
HEADERS = {
    "CoLA/test.tsv": ["index", "sentence"],
    "SST-2/test.tsv": ["index", "sentence"],
    "MRPC/test.tsv": ["index", "#1 ID", "#2 ID", "#1 String", "#2 String"],
    "STS-B/test.tsv": STSB,
    "QQP/test.tsv": ["id", "question1", "question2"],
    "MNLI/test_matched.tsv": MNLI,
    "MNLI/test_mismatched.tsv": MNLI,
    "QNLI/test.tsv": ["index", "question", "sentence"],
    "RTE/test.tsv": ["index", "sentence1", "sentence2"],
    "WNLI/test.tsv": ["index", "sentence1", "sentence2"],
    "diagnostic/diagnostic.tsv": ["index", "sentence1", "sentence2"],
}
OUTPUTS = dict.fromkeys("cola sst2 mrpc qqp qnli rte wnli".split(), 2) | {"stsb": 1, "mnli": 3}


@pytest.fixture(scope="module")
def glue(tmp_path_factory) -> Path:
    """Test files of a few rows each, RTE's in falling order of its index."""
    folder = tmp_path_factory.mktemp("glue")
    for number, (name, header) in enumerate(HEADERS.items()):
        generator = np.random.default_rng(reseeded(number))
        rows = [
            [str(n), *(world.sentence(generator) for _ in header[1:])] for n in range(number + 3)
        ]
        if name.startswith("RTE"):
            rows.reverse()
        lines = "".join("\t".join(fields) + "\n" for fields in [header, *rows])
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Path]:
    """A random network for each number of outputs; the three-way one has names in its own order."""
    folder = tmp_path_factory.mktemp("networks")
    made = {n: world.build_network(folder / str(n), layers=1, outputs=n) for n in (1, 2, 3)}
    path = made[3] / "config.json"
    names = {"0": "neutral", "1": "contradiction", "2": "entailment"}
    config = {**json.loads(path.read_text("utf-8")), "id2label": names}
    path.write_text(json.dumps(config), encoding="utf-8")
    return {task: made[outputs] for task, outputs in OUTPUTS.items()}


def arguments(networks, glue, target, *more, without=()):
    named = [f"{task}={folder}" for task, folder in networks.items() if task not in without]
    return ["submit", *named, "--data-dir", str(glue), "--output", str(target), *more]


def read(target):
    with zipfile.ZipFile(target) as archive:
        return {
            name: [line.split("\t") for line in archive.read(name).decode().splitlines()]
            for name in archive.namelist()
        }


def test_a_whole_submission(networks, glue, tmp_path, capsys):
    target = tmp_path / "submission.zip"
    assert cli.main(arguments(networks, glue, target)) == 0
    files = read(target)
    assert len(files) == 11 and [p.name for p in tmp_path.iterdir()] == ["submission.zip"]
    for rows, name in zip(files.values(), HEADERS, strict=True):
        size = len((glue / name).read_text("utf-8").splitlines()) - 1
        assert rows[0] == ["index", "prediction"]
        assert [row[0] for row in rows[1:]] == [str(n) for n in range(size)]
    assert all(0 <= float(score) <= 5 for _, score in files["STS-B.tsv"][1:])
    for name in ("QNLI.tsv", "RTE.tsv"):
        assert {word for _, word in files[name][1:]} <= {"entailment", "not_entailment"}
    error = capsys.readouterr().err
    assert "GLUE's own test file has 9,796" in error  # ours is a short one


def test_words_follow_the_names_of_the_network_and_not_its_columns(networks, glue, tmp_path):
    target = tmp_path / "submission.zip"
    assert cli.main(arguments({"mnli": networks["mnli"]}, glue, target, "--incomplete")) == 0
    files = read(target)
    assert [*files] == ["MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"]
    model = tf.AutoModelForSequenceClassification.from_pretrained(networks["mnli"]).eval()
    tokenizer = tf.AutoTokenizer.from_pretrained(networks["mnli"])
    lines = (glue / "MNLI/test_mismatched.tsv").read_text("utf-8").splitlines()[1:]
    for line, (_, word) in zip(lines, files["MNLI-mm.tsv"][1:], strict=True):
        *_, first, second = line.split("\t")
        with torch.no_grad():
            logits = model(**tokenizer(first, second, return_tensors="pt")).logits
        assert word == ["neutral", "contradiction", "entailment"][int(logits.argmax())]


def test_a_missing_task_is_named_before_anything_is_predicted(networks, glue, tmp_path, capsys):
    target = tmp_path / "submission.zip"
    assert cli.main(arguments(networks, glue, target, without=("rte", "qqp"))) == 2
    error = capsys.readouterr().err
    assert "no network for qqp" in error and "no network for rte" in error
    assert "2 problems to fix" in error and not target.exists()


def test_what_is_no_network_for_a_task_is_said_at_once(networks, glue, tmp_path, capsys):
    target = tmp_path / "submission.zip"
    wrong = ["snli=x", "rte=nowhere", f"chat={networks['rte']}", str(networks["rte"])]
    assert cli.main(arguments({}, glue, target, *wrong)) == 2
    error = capsys.readouterr().err
    assert "there is no folder x" in error and "there is no folder nowhere" in error
    assert "GLUE takes no network for chat" in error
    assert "does not say for which task it was trained" in error


def test_rows_that_would_be_left_out_are_refused_before_anything_is_predicted(
    networks, glue, tmp_path, monkeypatch
):
    told = []
    monkeypatch.setattr(guard, "show_problems", told.extend)
    skipping = ("--set", "on_bad_row=skip")
    assert cli.main(arguments(networks, glue, tmp_path / "submission.zip", *skipping)) == 2
    assert codes(told) == ["glue.skips-rows"]


def test_a_network_of_another_shape_leaves_no_zip(networks, glue, tmp_path, capsys):
    target = tmp_path / "submission.zip"
    wrong = {**networks, "rte": networks["mnli"]}
    assert cli.main(arguments(wrong, glue, target)) == 2
    assert "3 outputs" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
