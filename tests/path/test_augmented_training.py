"""From `chatstill augment` to a student: the door, the options, training on the rows, and what is stale."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.augment.keys import AugmentationKeys
from chatstill.config import load
from chatstill.config.augmented import augmented_doubts
from chatstill.config.task import task_of
from chatstill.run import run as pipeline
from chatstill.run.fingerprint import run_fingerprint
from chatstill.tasks import get_task, hub_data
from tests.draws import reseeded
from tests.found import codes, refused

from . import world

ROOT = Path(__file__).resolve().parents[2]
BY_RULES = ("--set", "augmentation.method=bilstm")
EPOCH = {"num_train_epochs": 1, "save_steps": None, "learning_rate": 0.003}


@pytest.fixture
def data(shared, tmp_path):
    """Files of its own, to be written beside."""
    return Path(shutil.copytree(shared / "data", tmp_path / "data"))


def augment(data, *more, task="chat"):
    return cli.main(["augment", "--task_name", task, "--data_dir", str(data), *BY_RULES, *more])


def rows_of(folder):
    report = json.loads((folder / "data_report.json").read_text("utf-8"))
    return report["train"]["rows"]


def same(left, right):
    left, right = (world.weights_of(run.folder / "student") for run in (left, right))
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_a_student_learns_from_the_augmented_rows(run, data, capsys):
    assert augment(data, "--N", "3") == 0, capsys.readouterr().err
    written = list(get_task("chat").read(data / "chat" / "train_aug.data.txt", "train"))
    plain = run(data=data, name="plain", **EPOCH)
    more = run(data=data, name="more", use_augmented=True, **EPOCH)
    assert (rows_of(plain.folder), rows_of(more.folder)) == (48, len(written))
    facts = [
        json.loads((one.folder / "metrics.json").read_text("utf-8"))["training"]
        for one in (plain, more)
    ]
    copies = len(written) - 48
    assert "augmented" not in facts[0]
    assert facts[1]["augmented"] == {"method": "bilstm", "originals": 48, "copies": copies}
    report = (more.folder / "report.html").read_text("utf-8")
    assert f"{copies:,} copies of bilstm among them" in report
    assert len(written) > 100 and not same(plain, more)


@pytest.mark.slow
def test_stored_answers_are_those_of_the_augmented_rows(run, data, tmp_path):
    """One cache folder for runs with and without them: each row's answer is its own."""
    assert augment(data, "--N", "3") == 0
    knobs = {
        **EPOCH,
        "theseus_scheduler": None,
        "model_type": "KD",
        "num_train_epochs": 2,
        "distillation": {"matches": []},
        "data": data,
    }
    live = run(name="live", use_augmented=True, teacher_cache=False, **knobs)
    shared = {"teacher_cache": True, "cache_dir": str(tmp_path / "shared")}
    run(name="plain", **shared, **knobs)
    stored = run(name="stored", use_augmented=True, **shared, **knobs)
    alone = run(name="alone", use_augmented=True, teacher_cache=True, **knobs)
    assert same(stored, alone)
    left, right = (world.weights_of(one.folder / "student") for one in (live, stored))
    assert all(torch.allclose(left[key], right[key], atol=2e-3) for key in left)


def test_existing_configurations_keep_their_fingerprint(data, teacher_of, tmp_path):
    def fingerprint(**changes):
        values = world.values_for(data, tmp_path / "out", teacher_of(), **changes)
        return run_fingerprint(world.loaded(values, tmp_path), "distill")

    plain = fingerprint()
    assert not [key for key in plain if "augment" in key]
    assert fingerprint(use_augmented=False, augmentation={"copies": 3}) == plain
    assert augment(data) == 0
    assert fingerprint(use_augmented=True)["data.train"] != plain["data.train"]


def refusal(data, teacher, folder, **changes):
    values = {"use_augmented": True, **changes}
    values = world.values_for(data, folder / "out", teacher, **values)
    return lambda: world.loaded(values, folder)


def test_rows_that_are_missing_stale_or_of_others_are_not_used(data, teacher_of, tmp_path):
    load_it = refusal(data, teacher_of(), tmp_path)
    train, rows = data / "chat" / "train.data.txt", data / "chat" / "train_aug.data.txt"
    with refused("augment.no-file", "chatstill augment"):
        load_it()
    assert augment(data) == 0
    load_it()
    before = train.read_bytes()
    train.write_bytes(before + b"a new row\tyes\t1\n")
    with refused("augment.stale", "training rows"):
        load_it()
    train.write_bytes(before)
    load_it()
    dev = data / "chat" / "dev.data.txt"
    dev.write_bytes(dev.read_bytes() + b"a new row\tyes\t1\n")
    with refused("augment.stale", "dev"):
        load_it()
    assert augment(data) == 0  # of our own, so they are written anew
    load_it()
    block = {"method": "bilstm", "seed": 9}
    with refused("augment.stale", "seed: 42, now 9"):
        refusal(data, teacher_of(), tmp_path, augmentation=block)()
    path = tmp_path / "my.json"
    values = {"use_augmented": True, "augmentation": {"method": "bilstm"}}
    path.write_text(json.dumps(world.values_for(data, tmp_path / "out", teacher_of(), **values)))
    written_anew = "chatstill augment " + str(path) + " --set augmentation.seed=9"
    with refused("augment.stale", written_anew):
        load(path, ["augmentation.seed=9"], verb="distill")
    rows.write_bytes(rows.read_bytes() + b"x\ty\t1\tq\n")
    with refused("augment.not-its-record"):
        load_it()


def test_a_model_that_is_named_is_compared_by_its_name(data, teacher_of, tmp_path):
    """Where it lies elsewhere its content is not known here; another name is another model."""
    assert augment(data) == 0
    record = data / "chat" / "train_aug.json"
    values = json.loads(record.read_text("utf-8"))
    block = AugmentationKeys(model_name_or_path="org/one", copies=3)
    values["made_of"] |= {"settings": block.deciding(3), "word_vectors": None}

    def load_it(made_of, name):
        values["made_of"] |= {"model": made_of, "tokenizer": None}
        record.write_text(json.dumps(values))
        keys = {"model_name_or_path": name, "copies": 3}
        refusal(data, teacher_of(), tmp_path, augmentation=keys)()

    load_it({"name": "org/one"}, "org/one")
    load_it({"model.safetensors": "0" * 64}, "org/one")
    with refused("augment.stale", "masked language model"):
        load_it({"name": "org/one"}, "org/another")


def test_another_code_of_the_tagger_makes_the_rows_stale(data, teacher_of, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "a_tagger_of_tests.py"
    module.write_text("def tag(words):\n    return ['N'] * len(words)\n", encoding="utf-8")
    named = {"method": "bilstm", "tagger": "a_tagger_of_tests:tag"}
    assert augment(data, "--set", f"augmentation={json.dumps(named)}") == 0
    load_it = refusal(data, teacher_of(), tmp_path, augmentation=named)
    load_it()
    module.write_text("def tag(words):\n    return ['V'] * len(words)\n", encoding="utf-8")
    with refused("augment.stale", "the code of the tagger"):
        load_it()
    module.unlink()
    load_it()  # as a model that lies elsewhere


MIXED = """
class Mine:
    task_name = "mine"

    def get_train_examples(self, folder):
        return [{"text_a": f"red tree {w}", "text_b": b, "label": w}
                for w, b in [("x", None), ("y", "big dog"), ("x", "cat")]]

    get_dev_examples = get_train_examples

    def get_labels(self):
        return ["x", "y"]
"""


def test_rows_are_fresh_whichever_row_has_a_second_text(data, teacher_of, tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text(MIXED, encoding="utf-8")
    values = {"task_name": "mine", "plugins": [str(plugin)], "augmentation": {"method": "bilstm"}}
    path = tmp_path / "my.json"
    path.write_text(json.dumps({**values, "data_dir": str(data)}), encoding="utf-8")
    assert cli.main(["augment", str(path)]) == 0, capsys.readouterr().err
    refusal(data, teacher_of(), tmp_path, **values)()


def test_shares_of_the_same_words_add_up_to_one_at_most(data, tmp_path):
    path = tmp_path / "my.json"
    block = {"method": "bilstm", "mask_probability": 0.7, "tag_probability": 0.5}
    values = {"task_name": "chat", "data_dir": str(data), "augmentation": block}
    path.write_text(json.dumps(values), encoding="utf-8")
    with refused("augment.shares-above-one", "1.2"):
        load(path, [], verb="augment")


def test_rows_of_several_files_are_found_and_read_by_a_run(data, teacher_of, tmp_path, capsys):
    lines = (data / "chat" / "train.data.txt").read_text("utf-8").splitlines()
    for name, some in (("a", lines[:20]), ("b", lines[20:])):
        target = data / "parts" / f"{name}.tsv"
        target.parent.mkdir(exist_ok=True)
        target.write_text("q\tr\tlabel\n" + "\n".join(some) + "\n", encoding="utf-8")
    dev = data / "dev.tsv"
    dev.write_text("q\tr\tlabel\n" + (data / "chat" / "dev.data.txt").read_text("utf-8"), "utf-8")
    block = {"train": str(data / "parts" / "*.tsv"), "dev": str(dev), "text": "q", "text_pair": "r"}
    values = {"task_name": "mine", "data": {**block, "label": "label"}}
    path = tmp_path / "my.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    plain = world.values_for(data, tmp_path / "out", teacher_of(), use_augmented=True)

    def load_it():
        return world.loaded({**plain, **values}, tmp_path)

    with refused("augment.no-file", ".augmented"):
        load_it()
    assert cli.main(["augment", str(path), *BY_RULES, "--N", "3"]) == 0, capsys.readouterr().err
    rows = (data / "parts" / ".augmented" / "train_aug.tsv").read_text("utf-8").splitlines()
    loaded = load_it()
    task = task_of(loaded.config)
    read = list(task.read(task.find("train", data), "train"))
    assert len(read) == len(rows) - 1 > 100
    (data / "parts" / "c.tsv").write_text("q\tr\tlabel\na\tb\t1\n", encoding="utf-8")
    with refused("augment.stale", "c.tsv is new"):
        load_it()


def test_rows_of_a_data_set_are_found_below_data_dir(data, teacher_of, tmp_path, capsys):
    pytest.importorskip("datasets")
    for split, name in (("train", "train"), ("dev", "validation")):
        text = (data / "chat" / f"{split}.data.txt").read_text("utf-8")
        rows = [line.split("\t")[:3] for line in text.splitlines()]
        lines = [json.dumps(dict(zip(("q", "r", "label"), row, strict=True))) for row in rows]
        target = tmp_path / "mine" / f"{name}.jsonl"
        target.parent.mkdir(exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    block = {"dataset": str(tmp_path / "mine"), "format": "csv", "text": "q", "text_pair": "r"}
    values = {"data_dir": str(data), "task_name": "", "data": {**block, "label": "label"}}
    path = tmp_path / "my.json"
    path.write_text(json.dumps({**values, "augmentation": {"method": "bilstm", "copies": 2}}))
    assert cli.main(["augment", str(path)]) == 0
    shown = capsys.readouterr()
    assert "data-dir-without-effect" not in shown.err
    rows = (data / "mine" / "train_aug.jsonl").read_text("utf-8").splitlines()
    plain = world.values_for(data, tmp_path / "out", teacher_of(), use_augmented=True)
    task = task_of(world.loaded({**plain, **values}, tmp_path).config)
    assert len(list(task.read(task.find("train", data), "train"))) == len(rows) > 50
    with (tmp_path / "mine" / "train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"q": "a", "r": "b", "label": "1"}\n')
    hub_data._load.cache_clear()
    with refused("augment.stale", "training rows"):
        world.loaded({**plain, **values}, tmp_path)


def masked_lm(folder, head=True, seed=0):
    tokenizer = world.tokenizer_of("bert")
    torch.manual_seed(reseeded(seed))
    family = tf.AutoModelForMaskedLM if head else tf.AutoModel
    family.from_config(world.config_of("bert", len(tokenizer), 1, 0.1)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_options_of_the_public_script_and_a_changed_model(data, teacher_of, tmp_path, capsys):
    model = masked_lm(tmp_path / "mlm")
    options = [
        "--pretrained_bert_model",
        str(model),
        "--glue_dir",
        str(data),
        "--task_name",
        "SST-2",
    ]
    vectors = tmp_path / "glove.txt"
    vectors.write_text("cat 1 0\ndog 0 1\n", encoding="utf-8")
    options += ["--glove_embs", str(vectors), "--M", "4", "--N", "2", "--p", "0.9"]
    assert cli.main(["augment", *options, "--workers", "1"]) == 0, capsys.readouterr().err
    record = json.loads((data / "SST-2" / "train_aug.json").read_text("utf-8"))
    assert record["made_of"]["settings"] == {
        **{"method": "tinybert", "copies": 2, "seed": 42, "probability": 0.9, "candidates": 4},
        "bf16": False,
    }
    assert record["made_of"]["word_vectors"]
    load_it = refusal(data, teacher_of(), tmp_path, task_name="sst2")
    (warned,) = augmented_doubts(load_it().config)
    assert record["doubts"][0] in warned.message, "its weights are random"
    console = world.console()
    pipeline.check(load_it(), verb="distill", console=console)
    said = " ".join(world.said(console).split())
    assert f"warning: use_augmented: {' '.join(warned.message.split())}" in said
    masked_lm(model, seed=1)
    with refused("augment.stale", "masked language model"):
        load_it()


def test_the_door_reads_the_example_and_takes_a_path(data, tmp_path):
    def through(*arguments):
        command = [sys.executable, str(ROOT / "data_utils" / "data_augmentation.py"), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = through()
    assert done.returncode == 2 and "distill.example.1.json" in done.stderr
    assert "Traceback" not in done.stderr and "augmentation" in done.stderr
    path = tmp_path / "my.json"
    values = {"task_name": "chat", "data_dir": "data", "augmentation": {"method": "bilstm"}}
    path.write_text(json.dumps(values), encoding="utf-8")
    done = through("my.json", "--N", "2")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "48 rows" in said[0] and "2 copies" in said[0]
    assert "at most 144 rows" in said[1] and "free" in said[1]
    assert (data / "chat" / "train_aug.data.txt").is_file()


def test_faults_of_the_configuration_are_told_at_once(tmp_path):
    values = {
        "task_name": "chat",
        "data_dir": str(tmp_path / "nowhere"),
        "augmentation": {"word_vectors": "no.txt", "probability": 2, "tagger": "nltk"},
    }
    path = tmp_path / "my.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(Exception) as caught:
        load(path, [], verb="augment")
    assert {
        *("augment.model-missing", "augment.vectors-missing"),
        *("config.wrong-value", "data.dir-missing"),
    } <= {*codes(caught.value)}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"task_name": "ax"}, "data.no-file-of-the-split"),
        ({"task_name": "corpus"}, "augment.of-a-corpus"),
        ({"task_name": "sst2"}, "augment.model-missing"),
    ],
)
def test_tasks_that_cannot_be_augmented(data, tmp_path, more, code):
    path = tmp_path / "my.json"
    path.write_text(json.dumps({"data_dir": str(data), **more}), encoding="utf-8")
    with refused(code):
        load(path, [], verb="augment")


def test_a_model_without_a_trained_head_names_the_run_that_trains_it(data, tmp_path, capsys):
    body = masked_lm(tmp_path / "body", head=False)
    arguments = ["augment", "--task_name", "chat", "--data_dir", str(data), "--model", str(body)]
    assert cli.main(arguments) == 2
    assert "MaskedLM" in capsys.readouterr().err
    assert not [path for path in (data / "chat").iterdir() if "aug" in path.name]


def test_evaluation_reads_the_rows_as_they_are(data, teacher_of, tmp_path):
    assert augment(data) == 0
    values = world.values_for(data, tmp_path / "out", teacher_of(), use_augmented=True)
    assert world.loaded(values, tmp_path, "evaluate").config.use_augmented is False
    (tmp_path / "out").mkdir()
    values["do_train"] = False
    assert world.loaded(values, tmp_path).config.use_augmented is False
