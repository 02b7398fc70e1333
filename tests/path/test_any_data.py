"""Rows of a ``data`` block through every verb: teach, check, distill, evaluate, predict."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from chatstill import cli
from chatstill.cli.of_run import block_of_run
from chatstill.config import load
from chatstill.config.schema import RunKeys
from chatstill.config.task import task_of
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.run.fingerprint import run_fingerprint
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded
from tests.found import refused
from tests.longer import longer

from . import by_hand, world

CLASSES = ("bad", "fine", "plain")


def classes(count, seed):
    """(text, label): good words, bad words, or neither."""
    generator = np.random.default_rng(reseeded(seed))
    for label in generator.integers(0, 3, count).tolist():
        yield world.sentence(generator, good=int(label == 1), bad=int(label == 0)), CLASSES[label]


def sets(count, seed):
    """(text, labels): a good word, a bad word, both, or none."""
    generator = np.random.default_rng(reseeded(seed))
    for good, bad in generator.integers(0, 2, (count, 2)).tolist():
        names = [name for name, has in (("good", good), ("bad", bad)) if has]
        yield world.sentence(generator, good=good, bad=bad), ",".join(names)


def numbers(count, seed):
    """(first, second, score): the number of good words in the second text."""
    generator = np.random.default_rng(reseeded(seed))
    for score in generator.integers(0, 4, count).tolist():
        yield world.sentence(generator), world.sentence(generator, good=score), score / 2


def grades(count, seed):
    """(query, id, reply, grade): four replies to each query."""
    generator = np.random.default_rng(reseeded(seed))
    for number in range(count // 4):
        query = world.sentence(generator)
        for grade in generator.permutation([0, 0, 1, 2]).tolist():
            reply = world.sentence(generator, good=grade, bad=int(grade == 0))
            yield query, f"q{number}", reply, ("bad", "fair", "good")[grade]


def turns(count, seed):
    """(turn 1, turn 2, reply, label): the reply is good or bad."""
    generator = np.random.default_rng(reseeded(seed))
    for number, label in enumerate(generator.integers(0, 2, count).tolist()):
        first = world.sentence(generator) if number % 3 else ""
        reply = world.sentence(generator, good=label, bad=1 - label)
        yield first, world.sentence(generator), reply, label


KINDS = {
    "classes": (classes, ("text", "class"), {"text": "text", "label": "class"}, "accuracy"),
    "sets": (
        sets,
        ("text", "tags"),
        {"kind": "multi_label", "text": "text", "label": "tags"},
        "micro_f1",
    ),
    "numbers": (
        numbers,
        ("a", "b", "score"),
        {"kind": "regression", "text": "a", "text_pair": "b", "label": "score"},
        "corr",
    ),
    "grades": (
        grades,
        ("query", "id", "reply", "grade"),
        {
            "kind": "relevance",
            "text": "query",
            "text_pair": "reply",
            "label": "grade",
            "group": "id",
            "labels": ["bad", "fair", "good"],
        },
        "ndcg@10",
    ),
    "turns": (
        turns,
        ("t1", "t2", "reply", "label"),
        {"text": ["t1", "t2"], "text_pair": "reply", "label": "label", "labels": ["no", "yes"]},
        "accuracy",
    ),
}


def write(path, columns, rows):
    """A file in the format of its ending."""
    rows = [tuple(row) for row in rows]
    if path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = {name: [row[n] for row in rows] for n, name in enumerate(columns)}
        parquet.write_table(pa.table(table), path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        text = io.StringIO()
        style = {"delimiter": "\t", "lineterminator": "\n"} if path.suffix == ".tsv" else {}
        csv.writer(text, **style).writerows([columns, *rows])
        path.write_text(text.getvalue(), encoding="utf-8", newline="")


def run_through(folder, name, ending, seed=0):
    """Teaches, then distils; returns (folder, configuration of the student's run)."""
    make, columns, block, _ = KINDS[name]
    block = dict(block)
    for number, split in enumerate(("train", "dev", "test")):
        path = folder / f"{split}.{ending}"
        write(path, columns, make(96 if split == "train" else 48, seed + number))
        block[split] = str(path)
    # Its layers bring the words together: what is taught is a classifier over them.
    start = by_hand.make_right(world.build_network(folder / "start", layers=2))
    values = world.values_for(folder, folder / "taught", start) | {"data": block}
    for key in ("task_name", "data_dir", "theseus_scheduler", "model_type"):
        del values[key]
    values |= {"num_train_epochs": 10, "learning_rate": 0.01}
    pipeline.teach(world.loaded(values, folder, "teach"), console=world.console())
    values = world.values_for(folder, folder / "out", folder / "taught" / "teacher")
    del values["task_name"], values["data_dir"]
    values |= {"allow_weak_teacher": True, "data": block}
    loaded = world.loaded(values, folder)
    where = world.console()
    pipeline.check(loaded, console=where)
    pipeline.distill(loaded, console=world.console())
    return folder / "out", loaded, world.said(where)


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "ending"),
    longer(
        [
            ("classes", "csv"),
            ("sets", "jsonl"),
            ("numbers", "parquet"),
            ("grades", "tsv"),
            ("turns", "csv"),
        ],
        keep=2,
    ),
)
def test_every_kind_through_every_verb(tmp_path, name, ending):
    folder, loaded, plan = run_through(tmp_path, name, ending)
    main = KINDS[name][3]
    metrics = metrics_of(folder)
    assert metrics["task"] == "data" and metrics["dev"]["main"] == main
    assert np.isfinite(metrics["dev"]["interval"]).all()
    assert metrics["teacher"]["value"] > 0.4
    noise = (folder / "label_noise.tsv").read_text(encoding="utf-8")
    assert noise.startswith("split\tline\tlabel\tteacher\t")
    assert f"96 rows of {tmp_path / 'train'}" in plan
    student = AutoConfig.from_pretrained(folder / "student")
    words = tuple(student.id2label.values()) if name != "numbers" else ()
    kinds = {"sets": "multi_label_classification", "numbers": "regression"}
    assert student.problem_type == kinds.get(name, "single_label_classification")
    expected = {"classes": CLASSES, "sets": ("bad", "good"), "turns": ("no", "yes")}
    assert words == expected.get(name, ("bad", "fair", "good") if words else ())
    written = read_predictions(folder / "predictions.tsv", words, multi_label=name == "sets")
    scored = pipeline.evaluate(
        folder, loaded.config, split="test", output=tmp_path / "scored", console=world.console()
    )
    assert scored["dev"]["main"] == main and scored["dev"]["rows"] == len(written.scores)
    again = read_predictions(
        tmp_path / "scored" / "predictions.tsv", words, multi_label=name == "sets"
    )
    target = pipeline.predict(
        folder, tmp_path / f"test.{ending}", loaded.config, console=world.console()
    )
    predicted = read_predictions(target, words, multi_label=name == "sets")
    np.testing.assert_allclose(predicted.scores, again.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(predicted.labels, again.labels)


def test_a_network_of_one_logit_answers_alike_where_its_training_rows_are_not(tmp_path):
    """Its one name stood for all classes there: every answer was the other class."""
    columns, block = KINDS["classes"][1:3]
    rows = [row for row in classes(60, 0) if row[1] != "bad"]
    write(tmp_path / "train.csv", columns, rows)
    files = {"train": str(tmp_path / "train.csv"), "dev": str(tmp_path / "dev.csv")}
    shutil.copy(tmp_path / "train.csv", tmp_path / "dev.csv")
    start = world.build_network(tmp_path / "start", layers=2)
    values = {
        "data": {**block, **files},
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {"model_name_or_path": str(start), "num_labels": 1},
        "max_seq_length": 32,
        "max_steps": 4,
    }
    loaded = world.loaded(values, tmp_path, "teach")
    pipeline.teach(loaded, console=world.console())
    kept = json.loads((tmp_path / "out/teacher/config.json").read_text("utf-8"))
    assert kept["id2label"] == {"0": "plain"} and kept["chatstill"]["labels"] == ["fine", "plain"]
    write(tmp_path / "more.csv", columns[:1], [row[:1] for row in rows])
    told = []
    for _ in range(2):
        found = pipeline.predict(
            tmp_path / "out", tmp_path / "more.csv", loaded.config, console=world.console()
        )
        told.append(found.read_text("utf-8"))
        found.unlink()
        (tmp_path / "train.csv").unlink(missing_ok=True)
    assert told[0] == told[1]


def test_the_class_that_counted_in_training_counts_in_evaluation(tmp_path):
    """A file without the key told it by the names: figures and a column were of the other class."""
    columns, block = KINDS["classes"][1:3]
    rows = [(text, {"fine": "yes", "plain": "no"}[c]) for text, c in classes(60, 0) if c != "bad"]
    write(tmp_path / "train.csv", columns, rows)
    file = str(tmp_path / "train.csv")
    values = {
        "data": {**block, "train": file, "dev": file},
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {
            "model_name_or_path": str(world.build_network(tmp_path / "start"))
        },
        "max_seq_length": 32,
        "max_steps": 4,
    }
    counted = world.loaded(values | {"positive_label": "no"}, tmp_path, "teach")
    pipeline.teach(counted, console=world.console())
    for keys, positive, warned in (({}, "no", False), ({"positive_label": "yes"}, "yes", True)):
        loaded = world.loaded(values | keys, tmp_path, "teach")
        where = world.console()
        found = pipeline.evaluate(
            tmp_path / "out", loaded.config, split="dev", output=None, console=where
        )
        assert found["dev"]["positive"] == positive
        assert ("where the network was trained it was 'no'" in world.said(where)) is warned


def test_training_goes_on_with_the_same_classes_in_another_order(tmp_path):
    """They were taken by their place: a teacher that knew everything began with nothing."""
    _, loaded, _ = run_through(tmp_path, "sets", "jsonl")
    teacher = tmp_path / "taught" / "teacher"
    model = AutoModelForSequenceClassification.from_pretrained(teacher)
    with torch.no_grad():
        for tensor in (model.classifier.weight, model.classifier.bias):
            tensor.copy_(tensor.flip(0))
    model.config.id2label = {0: "good", 1: "bad"}
    model.config.label2id = {"good": 0, "bad": 1}
    model.save_pretrained(teacher)
    values = world.values_for(tmp_path, tmp_path / "on", teacher)
    for key in ("task_name", "data_dir", "theseus_scheduler", "model_type"):
        del values[key]
    data = loaded.config.data.model_dump(exclude_none=True)
    values |= {"data": data, "max_steps": 1, "learning_rate": 1e-12}
    pipeline.teach(world.loaded(values, tmp_path, "teach"), console=world.console())
    before = metrics_of(tmp_path / "taught")["dev"]["value"]
    assert metrics_of(tmp_path / "on")["dev"]["value"] == pytest.approx(before)


def test_training_rows_without_labels_where_the_method_needs_none(tmp_path, monkeypatch):
    from chatstill.methods.finetune import FineTune

    columns, block = KINDS["classes"][1:3]
    rows = [(text, label if n % 2 else "") for n, (text, label) in enumerate(classes(48, 0))]
    write(tmp_path / "train.csv", columns, rows)
    write(tmp_path / "dev.csv", columns, classes(48, 1))
    files = {split: str(tmp_path / f"{split}.csv") for split in ("train", "dev")}
    start = world.build_network(tmp_path / "start", layers=2)
    values = {
        "data": {**block, **files},
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {"model_name_or_path": str(start)},
        "max_seq_length": 32,
        "per_gpu_train_batch_size": 2,
        "max_steps": 12,
    }
    loaded = world.loaded(values, tmp_path, "teach")
    with pytest.raises(UserError, match="line 2: found no label"):
        pipeline.teach(loaded, console=world.console())
    monkeypatch.setattr(FineTune, "needs_labels", False)
    where = world.console()
    pipeline.teach(loaded, console=where)
    metrics = metrics_of(tmp_path / "out")
    assert metrics["training"]["rows"] == 48 and metrics["dev"]["rows"] == 48
    text = (tmp_path / "out" / "run.log").read_text(encoding="utf-8")
    assert "train: 24 of 48 rows have a label" in text


def test_bad_rows_are_listed_in_the_run_folder(tmp_path):
    columns, block = KINDS["classes"][1:3]
    for split, count in (("train", 48), ("dev", 24)):
        write(tmp_path / f"{split}.tsv", columns, classes(count, 0))
    with open(tmp_path / "train.tsv", "a", encoding="utf-8") as stream:
        stream.write("only one field\n")
    files = {split: str(tmp_path / f"{split}.tsv") for split in ("train", "dev")}
    values = {
        "data": {**block, **files, "on_bad_row": "skip"},
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {
            "model_name_or_path": str(world.build_network(tmp_path / "start", layers=2))
        },
        "max_seq_length": 32,
        "max_steps": 2,
    }
    where = world.console()
    pipeline.teach(world.loaded(values, tmp_path, "teach"), console=where)
    assert "1 of 49 rows are malformed and left out" in world.said(where)
    lines = (tmp_path / "out" / "bad_rows.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "split\trow"
    assert lines[1].startswith(f"train\t{tmp_path / 'train.tsv'}: line 50: found 1 field")


def test_bad_rows_of_chat_files_are_listed_too(run, shared, tmp_path):
    """And a network of that run is scored on the same rows without saying it again."""
    data = tmp_path / "data"
    shutil.copytree(shared / "data" / "chat", data)
    with open(data / "dev.data.txt", "ab") as stream:
        stream.write(b"how are you\tfine\tperhaps\n\xff\xfe\tfine\t1\n")
    with pytest.raises(UserError, match=r"dev\.data\.txt: line 61: found the label 'perhaps'"):
        run(data=data, max_steps=2)
    done = run(data=data, max_steps=2, on_bad_row="skip")
    assert "2 of 62 rows are malformed and left out" in done.text
    lines = (done.folder / "bad_rows.tsv").read_text(encoding="utf-8").splitlines()
    size = (data / "dev.data.txt").stat().st_size
    assert [line.split(": found")[0] for line in lines[1:]] == [
        f"dev\t{data / 'dev.data.txt'}: line 61",
        f"dev\t{data / 'dev.data.txt'}: line 62, byte offset {size - 10}",
    ]
    assert cli.main(["evaluate", str(done.folder)]) == 0


def test_a_task_that_reads_its_rows_itself_skips_none(tmp_path):
    values = {"task_name": "mine", "plugins": [str(tmp_path / "mine.py")], "on_bad_row": "skip"}
    text = "class Mine:\n    task_name = 'mine'\n"
    names = ("get_train_examples", "get_dev_examples", "get_test_examples")
    text += "".join(f"    def {name}(self, data_dir):\n        return []\n" for name in names)
    text += "    def get_labels(self):\n        return ['0', '1']\n"
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    with refused("data.skips-no-rows", "on_bad_row"):
        task_of(RunKeys(**values))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_rows_are_named_as_the_data_name_them(tmp_path, suffix):
    columns, block = KINDS["classes"][1:3]
    for split, count in (("train", 8), ("dev", 12)):
        named = ((f"{split}-{n}", *row) for n, row in enumerate(classes(count, 0)))
        write(tmp_path / f"{split}.{suffix}", ("key", *columns), named)
    files = {split: str(tmp_path / f"{split}.{suffix}") for split in ("train", "dev")}
    values = {
        "data": {**block, **files, "id": "key"},
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {
            "model_name_or_path": str(world.build_network(tmp_path / "start", layers=2))
        },
        "max_seq_length": 32,
        "max_steps": 1,
        "predictions_texts": True,
    }
    loaded = world.loaded(values, tmp_path, "teach")
    pipeline.teach(loaded, console=world.console())
    lines = (tmp_path / "out" / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines]
    assert cells[0][:4] == ["index", "id", "label", "prediction"]
    assert [row[1] for row in cells[1:]] == [f"dev-{n}" for n in range(12)]
    assert [row[-2] for row in cells[1:]] == [text for text, _ in classes(12, 0)]
    without = values | {"data": {**block, **files}, "predictions_texts": False}
    same = run_fingerprint(world.loaded(without, tmp_path, "teach"), "teach")
    assert same == run_fingerprint(loaded, "teach"), "names and texts change no weights"


def test_a_teacher_with_its_labels_in_another_order(tmp_path):
    folder, loaded, _ = run_through(tmp_path, "sets", "csv")
    before = metrics_of(folder)["teacher"]["metrics"]
    teacher = tmp_path / "taught" / "teacher"
    model = AutoModelForSequenceClassification.from_pretrained(teacher)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(parameter.flip(0))
    model.config.id2label = {0: "good", 1: "bad"}
    model.config.label2id = {"good": 0, "bad": 1}
    model.save_pretrained(teacher)
    scored = pipeline.evaluate(teacher, loaded.config, console=world.console())
    assert scored["dev"]["metrics"] == pytest.approx(before)


def test_a_run_is_known_by_what_its_files_hold_and_found_again_by_its_folder(tmp_path):
    columns, block = KINDS["classes"][1:3]
    start = world.build_network(tmp_path / "start", layers=2)

    def loaded(where, **changes):
        where.mkdir(exist_ok=True)
        files = {}
        for split in ("train", "dev"):
            files[split] = str(where / f"{split}.csv")
            write(where / f"{split}.csv", columns, classes(24, 0))
        values = {
            "data": {**block, **files, "note": str(where), **changes},
            "output_dir": str(tmp_path / "out"),
            "teacher_architectures": {"model_name_or_path": str(start)},
            "max_seq_length": 32,
            "max_steps": 1,
        }
        return world.loaded(values, tmp_path, "teach")

    here, there = loaded(tmp_path / "here"), loaded(tmp_path / "there")
    assert run_fingerprint(here, "teach") == run_fingerprint(there, "teach")
    other = loaded(tmp_path / "here", labels=["plain", "fine", "bad"])
    assert run_fingerprint(other, "teach") != run_fingerprint(here, "teach")
    pipeline.teach(here, console=world.console())
    found = load(None, [*block_of_run(tmp_path / "out"), "task_name=data"], verb="evaluate").config
    assert found.data.train == here.config.data.train
    scored = pipeline.evaluate(tmp_path / "out", found, console=world.console())
    assert scored["dev"]["rows"] == 24
    for name in ("train", "dev"):  # without training rows the model's own names serve
        (tmp_path / "here" / f"{name}.csv").rename(tmp_path / f"{name}.csv")
    target = pipeline.predict(
        tmp_path / "out", tmp_path / "dev.csv", found, console=world.console()
    )
    assert len(read_predictions(target, CLASSES).scores) == 24


def test_a_network_is_judged_by_the_figures_of_its_run_without_naming_its_configuration(
    shared, tmp_path, teacher_of, capsys
):
    """The class that counts, the groups and the metric that selects go along with the run's folder."""
    for split in ("train", "dev"):
        lines = (shared / "data/chat" / f"{split}.data.txt").read_text("utf-8").splitlines()
        named = [f"{line[:-1]}{'ab'[int(line[-1])]}" for line in lines]
        (tmp_path / f"{split}.tsv").write_text("q\tr\tl\n" + "\n".join(named) + "\n", "utf-8")
    block = {split: str(tmp_path / f"{split}.tsv") for split in ("train", "dev")}
    block |= {"text": "q", "text_pair": "r", "label": "l", "group": "q", "labels": ["a", "b"]}
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), max_steps=1)
    values = {k: v for k, v in values.items() if k not in ("data_dir", "task_name")}
    values |= {"data": block, "positive_label": "b", "selection_metric": "map"}
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    dev = json.loads((tmp_path / "out/metrics.json").read_text("utf-8"))["dev"]
    assert (dev["positive"], dev["main"]) == ("b", "map")
    assert "positive label = b" in said
    assert f"map = {dev['metrics']['map']:.6g}  (95 % interval" in said


def test_class_weights_reach_the_loss_of_every_row(shared, tmp_path, teacher_of, monkeypatch):
    """Rows of the rare class count as much as all others together; other weights, other networks."""
    from chatstill.methods.theseus import Theseus

    seen, terms = [], Theseus.terms

    def watched(self, batch, student, teacher, ctx):
        seen.append((batch["labels"].tolist(), batch["row_weights"].tolist()))
        return terms(self, batch, student, teacher, ctx)

    def weights(name, **changes):
        values = world.values_for(shared / "data", tmp_path / name, teacher_of(), **changes)
        pipeline.distill(world.loaded(values, tmp_path / "configs"), console=world.console())
        return world.weights_of(tmp_path / name / "student")

    plain = weights("plain", max_steps=2)
    monkeypatch.setattr(Theseus, "terms", watched)
    weighted = weights("weighted", max_steps=2, class_weights="balanced")
    pairs = {
        (label, round(weight, 5))
        for labels, rows in seen
        for label, weight in zip(labels, rows, strict=True)
    }
    assert len(pairs) == 2  # one weight a class, in the pre-flight's trial and in training
    found = dict(pairs)
    assert found[1] / found[0] == pytest.approx(3, rel=1e-3)  # one of four replies fits
    assert any(not torch.equal(plain[name], weighted[name]) for name in plain)
