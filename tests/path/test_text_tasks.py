"""Masked-LM runs on the texts of other tasks, on files and on data sets that a ``data`` block names."""

import json
import shutil

import numpy as np
import pytest

from chatstill import cli
from chatstill.config import load
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import codes, refused

from ..pages import ROOT
from . import world
from .test_masked_lm import corpus, network, run, told, values_for

SHORT = {"max_steps": 2, "num_train_epochs": None}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return network(tmp_path_factory.mktemp("start"))


@pytest.fixture
def data(tmp_path):
    """SST-2 and chat with replies in several rows, rows without labels, and dev rows that train has."""
    folder = world.write_sst2(tmp_path / "data", train=300, dev=200)
    world.write_chat(folder, train=40, dev=40)
    more = [f"{world.GOOD[0]} {word}\t{world.BAD[0]} {word}" for word in world.WORDS]
    (folder / "chat" / "unlabeled.data.txt").write_text("\n".join(more) + "\n", encoding="utf-8")
    train = (folder / "chat" / "train.data.txt").read_text("utf-8").splitlines()
    with (folder / "chat" / "dev.data.txt").open("a", encoding="utf-8") as dev:
        dev.write("\n".join(train[:8]) + "\n")
    return folder


def texts(file, columns, header=False):
    rows = file.read_text("utf-8").splitlines()[header:]
    return [row.split("\t")[column] for row in rows for column in columns]


def each_once(found, without=()):
    return [text for text in dict.fromkeys(found) if text not in set(without)]


def blocks(folder):
    """(documents, tokens) that a run was trained on."""
    training = told(folder)["training"]
    return training["documents"], training["tokens"]


def expected(documents, start, length=16):
    """Documents, and tokens of their blocks with the special ones."""
    tokenizer = world.tokenizer_of("bert")
    tokens = 0
    for ids in tokenizer(documents, add_special_tokens=False)["input_ids"]:
        tokens += len(ids) + 2 * -(-len(ids) // (length - 2))
    return len(documents), tokens


def held_out(documents, length=16):
    """Blocks of texts that are scored."""
    ids = world.tokenizer_of("bert")(documents, add_special_tokens=False)["input_ids"]
    return sum(-(-len(row) // (length - 2)) for row in ids)


def test_a_task_gives_each_of_its_texts_once(data, start, tmp_path):
    said = run(values_for(data, tmp_path / "out", start, task_name="sst-2", **SHORT), tmp_path)
    train = each_once(texts(data / "SST-2" / "train.tsv", [0], header=True))
    dev = each_once(texts(data / "SST-2" / "dev.tsv", [0], header=True), train)
    assert blocks(tmp_path / "out") == expected(train, start)
    assert told(tmp_path / "out")["dev"]["rows"] == held_out(dev) > 0
    assert f"300 texts, {len(train):,} of them kept" in said and f"{len(dev):,} documents" in said
    assert told(tmp_path / "out")["task"] == "sst2"


def test_both_texts_of_a_pair_and_rows_without_labels_are_among_them(data, start, tmp_path):
    said = run(values_for(data, tmp_path / "out", start, task_name="chat", **SHORT), tmp_path)
    files = [data / "chat" / f"{name}.data.txt" for name in ("train", "unlabeled", "dev")]
    of = [texts(file, [0, 1]) for file in files]
    train = each_once(of[0] + of[1])
    dev = each_once(of[2], train)
    assert blocks(tmp_path / "out") == expected(train, start)
    assert told(tmp_path / "out")["dev"]["rows"] == held_out(dev) > 0
    left_out = len(each_once(of[2])) - len(dev)
    assert left_out >= 8 and f"{left_out} that stand in train are left out" in said
    assert f"{files[0]} and {files[1]}, " in " ".join(said.split()), "the plan names both files"


def test_evaluate_reads_the_same_texts_in_run_folders_and_elsewhere(data, start, tmp_path, capsys):
    folder = tmp_path / "out"
    changes = {"task_name": "chat", "selection_metric": "masked_acc", **SHORT}
    run(values_for(data, folder, start, **changes), tmp_path)
    assert cli.main(["evaluate", str(folder), "--output", str(tmp_path / "again")]) == 0
    assert told(tmp_path / "again")["dev"] == told(folder)["dev"]
    alone = shutil.copytree(folder / "student", tmp_path / "alone")
    words = ["--data-dir", str(data), "--set", "max_seq_length=16"]
    for task in ("sst2", "chat"):
        assert cli.main(["evaluate", str(alone), "--task-name", task, *words]) == 0
    capsys.readouterr()
    (tmp_path / "rows.tsv").write_text("a\tb\n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(tmp_path / "rows.tsv")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def lines_of(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def block(values, **data):
    values = {key: value for key, value in values.items() if key not in ("task_name", "data_dir")}
    return {**values, "data": data}


def test_a_data_block_needs_no_labels(start, tmp_path):
    draws = np.random.default_rng(reseeded(4))
    made = [
        {"first": world.sentence(draws, good=1), "second": world.sentence(draws)}
        for _ in range(150)
    ]
    train = lines_of(tmp_path / "train.jsonl", made[:100])
    dev = lines_of(tmp_path / "dev.jsonl", [{**row, "class": "odd"} for row in made[100:]])
    values = values_for(tmp_path, tmp_path / "out", start, **SHORT)
    keys = {"text": "first", "text_pair": "second"}
    run(block(values, train=train, dev=dev, **keys), tmp_path)
    wanted = each_once([row[name] for row in made[:100] for name in ("first", "second")])
    assert blocks(tmp_path / "out") == expected(wanted, start)
    # A column of labels is not read, whatever it holds.
    labelled = block(values | {"output_dir": str(tmp_path / "two")}, train=train, dev=dev, **keys)
    labelled["data"]["label"] = "class"
    run(labelled, tmp_path / "c")
    assert told(tmp_path / "two")["dev"] == told(tmp_path / "out")["dev"]
    assert cli.main(["evaluate", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("name", [None, "corpus", "mine"])
def test_a_data_block_may_name_files_of_plain_text(start, tmp_path, name):
    for number in range(3):
        (tmp_path / f"part-{number}.txt").write_text(corpus(20, seed=number), encoding="utf-8")
    values = block(
        values_for(tmp_path, tmp_path / "out", start, **SHORT), train=str(tmp_path / "part-*.txt")
    )
    said = run(values | ({} if name is None else {"task_name": name}), tmp_path / "c")
    assert "59 documents" in said and "1 documents" in said  # the last of 60 is held out
    assert told(tmp_path / "out")["training"]["documents"] == 59
    assert cli.main(["evaluate", str(tmp_path / "out")]) == 0


def test_texts_are_converted_before_they_are_read_and_by_evaluate_too(
    data, start, tmp_path, monkeypatch
):
    from chatstill.text import preprocess

    monkeypatch.setattr(preprocess, "preprocessor", lambda name: lambda text: f"{text} never")
    changes = {"task_name": "sst2", "preprocess": "t2s", **SHORT}
    run(values_for(data, tmp_path / "out", start, **changes), tmp_path)
    rows = each_once(texts(data / "SST-2" / "train.tsv", [0], header=True))
    assert blocks(tmp_path / "out") == expected([f"{text} never" for text in rows], start)
    assert told(tmp_path / "out" / "student", "config.json")["chatstill"] == {"preprocess": "t2s"}
    words = ["evaluate", str(tmp_path / "out"), "--output", str(tmp_path / "again")]
    assert cli.main(words) == 0
    assert told(tmp_path / "again")["dev"] == told(tmp_path / "out")["dev"]


def test_dev_is_prepared_anew_where_train_leaves_out_other_texts(data, start, tmp_path):
    """Both runs find the other's prepared rows; the file of dev is the same."""
    changes = {"task_name": "sst2", "cache_dir": str(tmp_path / "cache"), **SHORT}
    dev = each_once(texts(data / "SST-2" / "dev.tsv", [0], header=True))
    for name, count in (("few", 100), ("more", 300)):
        world.write_sst2(data, train=count, dev=200)
        train = texts(data / "SST-2" / "train.tsv", [0], header=True)
        if name == "more":  # a text of dev comes to train
            with (data / "SST-2" / "train.tsv").open("a", encoding="utf-8") as file:
                file.write("".join(f"{text}\t1\n" for text in dev[:20]))
            train += dev[:20]
        run(values_for(data, tmp_path / name, start, **changes), tmp_path / "c")
        assert told(tmp_path / name)["dev"]["rows"] == held_out(each_once(dev, train))


def test_keys_that_change_no_text_of_a_corpus_are_told_and_of_rows_they_are_not(
    data, start, tmp_path
):
    (data / "train.txt").write_text(corpus(9), encoding="utf-8")
    for name, unread in (("corpus", {"on_bad_row", "groups"}), ("chat", {"groups"})):
        values = values_for(data, tmp_path / "out", start, task_name=name)
        values |= {"on_bad_row": "skip", "groups": "query"}
        found = world.loaded(values, tmp_path).warnings
        told_of = [p.message for p in found if p.code == "corpus.key-without-effect"]
        assert {message.split("'")[1] for message in told_of} == unread


def test_other_texts_are_another_run_and_other_labels_are_not(data, start, tmp_path):
    values = values_for(data, tmp_path / "out", start, task_name="sst2", **SHORT)
    run(values, tmp_path / "c")
    with refused("run.another-configuration"):
        run({**values, "task_name": "chat"}, tmp_path / "c")
    with (data / "SST-2" / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("never before\t1\n")
    with refused("run.another-configuration"):
        run(values, tmp_path / "c")


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


TABLE = b"sentence\tlabel\n"
BAD = {
    "no rows": ({"SST-2/train.tsv": TABLE}, {"task_name": "sst2"}, None),
    "binary": ({"SST-2/train.tsv": TABLE + b"\xff\xfe\0\t1\n"}, {"task_name": "sst2"}, None),
    "no text": (
        {"SST-2/train.tsv": TABLE + b" \t1\n  \t0\n"},
        {"task_name": "sst2"},
        "corpus.no-texts",
    ),
    "dev in train": (
        {"SST-2/dev.tsv": TABLE + b"where is the box\t1\n"},
        {"task_name": "sst2"},
        "corpus.no-texts",
    ),
    "a block": (
        {"SST-2/train.tsv": TABLE + b"where is\t1\n"},
        {"task_name": "sst2"},
        "corpus.too-small",
    ),
    "no such task": ({}, {"task_name": "sst3"}, "task.unknown"),
    "a metric of the rows": ({}, {"task_name": "sst2", "selection_metric": "acc"}, None),
    "a table without text": ({}, {"data": {"train": "D/train.csv"}}, "data.text-not-named"),
    "no file": ({}, {"data": {"train": "D/none.txt"}}, "data.file-missing"),
    "no train": ({}, {"data": {"dev": "D/plain.txt"}}, "data.split-not-named"),
    "the same": (
        {},
        {"data": {"train": "D/*.txt", "dev": "D/plain.txt"}},
        "data.dev-is-train",
    ),
    "no column": ({}, {"data": {"train": "D/train.csv", "dev": "D/train.csv", "text": "b"}}, None),
    "both": ({}, {"task_name": "sst2", "data": {"train": "D/plain.txt"}}, "data.task-and-block"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_and_nothing_is_written(start, tmp_path, name, capsys):
    files, changes, code = BAD[name]
    folder = tmp_path / "data"
    rows = b"where is the box\t1\nis the\t0\nthe box is where\t1\n"
    good = {"SST-2/train.tsv": TABLE + rows, "SST-2/dev.tsv": TABLE + b"box the\t1\nis box\t0\n"}
    write(folder, {**good, "train.csv": b"a\nb\n", "plain.txt": b"a\n\nb\n", **files})
    others = {key: value for key, value in changes.items() if key != "data"}
    values = values_for(folder, tmp_path / "out", start, **others)
    if "data" in changes:
        named = {key: value.replace("D/", f"{folder}/") for key, value in changes["data"].items()}
        values = block(values, **named) | others
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 2
    told_of = capsys.readouterr().err
    assert "Traceback" not in told_of
    assert not (tmp_path / "out").exists()
    if code is not None:
        with refused(code):
            loaded = load(tmp_path / "my.json", [], verb="distill")
            pipeline.distill(loaded, console=world.console())


def test_the_example_needs_its_model_type_changed_and_a_network(data, start, tmp_path):
    """Filled in for the Theseus run that it is, with ``model_type`` changed alone: one thing is missing."""
    values = json.loads((ROOT / "config" / "distill.example.1.json").read_text("utf-8"))
    values |= {"data_dir": str(data), "output_dir": str(tmp_path / "out"), "model_type": "MaskedLM"}
    with pytest.raises(Exception) as error:
        pipeline.check(world.loaded(values, tmp_path), console=world.console())
    errors = [p for p in error.value.problems if p.severity == "error"]
    assert codes(errors) == ["corpus.no-network"]
    values["pretrained_architectures"] = {"model_name_or_path": str(start)}
    values["max_seq_length"] = 64  # of the tests' small network
    where = world.console()
    pipeline.check(world.loaded(values, tmp_path), console=where)
    assert "phase: masked-lm" in world.said(where)
    assert not (tmp_path / "out").exists()
