"""A masked language model from its configuration to its folder: figures, interrupts, processes, refusals."""

import html
import json
import random
import shutil

import numpy as np
import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.config import load
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import refused
from tests.longer import longer

from . import world
from .broken import Broken
from .same_student import one_and_two_alike

KINDS = ("bert", "roberta", "electra", "distilbert")
NO_PREDICTIONS = ("eval_results.txt",)


def told(folder, name="metrics.json"):
    return json.loads((folder / name).read_text("utf-8"))


def corpus(documents, seed=0):
    """Documents of one word each, over and over: what is masked stands beside it.

    Lines of seed 0 are shorter than those of others: none of its text stands there.
    """
    generator = np.random.default_rng(reseeded(seed))
    longer = 6 if seed else 0
    written = []
    for _ in range(documents):
        word = str(generator.choice((*world.GOOD, *world.BAD)))
        lines = [" ".join([word] * (longer + int(generator.integers(3, 9)))) for _ in range(3)]
        written.append("\n".join(lines))
    return "\n\n".join(written) + "\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text(corpus(60), encoding="utf-8")
    (folder / "corpus" / "dev.txt").write_text(corpus(20, seed=1), encoding="utf-8")
    return folder


def network(folder, kind="bert", dropout=0.1, head=True):
    tokenizer = world.tokenizer_of(kind)
    torch.manual_seed(reseeded(0))
    config = world.config_of(kind, len(tokenizer), 2, dropout)
    family = tf.AutoModelForMaskedLM if head else tf.AutoModel
    family.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return network(tmp_path_factory.mktemp("start"))


def values_for(data, output, start, **changes):
    values = {
        "model_type": "MaskedLM",
        "task_name": "corpus",
        "data_dir": str(data),
        "output_dir": str(output),
        "pretrained_architectures": {"model_name_or_path": str(start)},
        "max_seq_length": 16,
        "per_gpu_train_batch_size": 8,
        "num_train_epochs": 2,
        "learning_rate": 0.003,
        "save_steps": 4,
        "logging_steps": 2,
        "seed": reseeded(5),
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}


def run(values, folder):
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return world.said(where)


@pytest.fixture(scope="module")
def made(data, start, tmp_path_factory):
    """A run that learns, and what it printed."""
    folder = tmp_path_factory.mktemp("made")
    changes = {"num_train_epochs": 25, "learning_rate": 0.01, "eval_steps": 20}
    said = run(values_for(data, folder / "out", start, **changes), folder)
    return folder / "out", said


def seen_on_dev(folder):
    """Loss on dev by step."""
    lines = (folder / "history.jsonl").read_text("utf-8").splitlines()
    return {r["step"]: r["dev/loss"] for line in lines if "dev/loss" in (r := json.loads(line))}


def test_it_learns_and_the_lowest_loss_on_dev_is_kept(made):
    folder, said = made
    dev, kept = told(folder)["dev"], told(folder)["kept"]
    seen = seen_on_dev(folder)
    assert min(seen.values()) < 0.7 * seen[20]
    assert kept["step"] == min(seen, key=seen.__getitem__)
    assert dev["main"] == "loss" and dev["value"] == min(seen.values())
    assert dev["metrics"]["pseudo_perplexity"] == pytest.approx(np.exp(dev["value"]))
    assert dev["metrics"]["masked_acc"] > 0.6  # the commonest piece is right in an eighth
    low, high = dev["interval"]
    assert low < dev["value"] < high
    guess = dev["guess"]
    assert guess["metric"] == "masked_acc" and 0 < guess["value"] < dev["metrics"]["masked_acc"]
    beside = f"always '{guess['piece']}': {guess['value']:.3f}"
    for page in ("report.html", "student/README.md"):
        assert beside in html.unescape((folder / page).read_text("utf-8"))
    assert f"(always '{guess['piece']}': {guess['value']:.6g})" in said
    assert "blocks of up to 16 tokens" in said and "2 bytes a token" in said
    for page in ("report.html", "student/README.md"):
        assert f"{dev['value']:.3f}" in (folder / page).read_text("utf-8")


def test_its_folder_is_what_transformers_loads_and_fills_masks_in(made):
    student = made[0] / "student"
    found = tf.AutoModelForMaskedLM.from_pretrained(student, output_loading_info=True)
    model, info = found
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert told(student, "config.json")["architectures"] == ["BertForMaskedLM"]
    tokenizer = tf.AutoTokenizer.from_pretrained(student)
    inputs = tokenizer("sure sure [MASK] never", return_tensors="pt")
    assert model.eval()(**inputs).logits.shape[-1] == len(tokenizer)
    text = (student / "README.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0].replace("path/to/this/folder", str(student))
    exec(code, {})


def test_evaluate_gives_the_figures_of_the_run_and_nothing_predicts(made, data, tmp_path, capsys):
    folder, alone = made[0], shutil.copytree(made[0] / "student", tmp_path / "alone")
    for words in (
        [str(folder)],
        [
            str(alone),
            "--task-name",
            "corpus",
            "--data-dir",
            str(data),
            "--set",
            "max_seq_length=16",
        ],
    ):
        assert cli.main(["evaluate", *words, "--output", str(tmp_path / "figures")]) == 0
        assert told(tmp_path / "figures")["dev"] == told(folder)["dev"]
    other = tmp_path / "other"  # held-out text alone
    other.mkdir()
    shutil.copy(data / "corpus" / "dev.txt", other / "dev.txt")
    words = ["evaluate", str(alone), "--task-name", "corpus", "--data-dir", str(other)]
    figures = ["--set", "max_seq_length=16", "--output", str(tmp_path / "figures")]
    assert cli.main([*words, *figures]) == 0
    assert told(tmp_path / "figures")["dev"] == told(folder)["dev"]
    capsys.readouterr()
    assert cli.main([*words, "--split", "test"]) == 2
    assert "Name other text dev.txt" in capsys.readouterr().err
    shutil.rmtree(other)
    rows = tmp_path / "rows.tsv"
    rows.write_text("a\tb\n", encoding="utf-8")
    for words in (
        ["predict", str(folder), str(rows)],
        ["predict", str(alone), str(rows), "--task-name", "chat"],
        ["submit", str(folder)],
        ["evaluate", str(alone), "--task-name", "chat", "--data-dir", str(data)],
        ["evaluate", str(folder), "--ranking"],
        ["evaluate", str(folder), "--split", "test"],
    ):
        assert cli.main(words) == 2, words
        assert "Traceback" not in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "figures", "rows.tsv"]


@pytest.mark.parametrize("kind", longer(KINDS, keep=2))
def test_other_families_and_random_weights(data, tmp_path, kind):
    start = network(tmp_path / "start", kind)
    block = {
        "config_file": str(start / "config.json"),
        "tokenizer_name_or_path": str(start),
    }
    said = run(
        values_for(data, tmp_path / "out", start, pretrained_architectures=block), tmp_path / "c"
    )
    assert "random weights" in said and "figures say little" in said
    tf.AutoModelForMaskedLM.from_pretrained(tmp_path / "out" / "student")
    first, last = (np.array(losses(tmp_path / "out"))[at] for at in (0, -1))
    assert last < first


def losses(folder):
    lines = (folder / "history.jsonl").read_text("utf-8").splitlines()
    return [record["loss"] for line in lines if "loss" in (record := json.loads(line))]


def test_a_frozen_body_stays_as_it_is_and_its_new_head_learns(data, tmp_path):
    start = network(tmp_path / "start", head=False)
    values = values_for(data, tmp_path / "out", start, masked_lm={"train": "head"})
    said = run(values, tmp_path / "c")
    assert "starts at random" in said and "the body is frozen" in said
    before, after = world.weights_of(start), world.weights_of(tmp_path / "out" / "student")
    body = {name for name in after if name.startswith("bert.")}
    assert body and body != after.keys()
    for name in body:
        assert torch.equal(before[name.removeprefix("bert.")], after[name])
    assert losses(tmp_path / "out")[-1] < losses(tmp_path / "out")[0]


class BrokenOnCorpus(Broken):
    """Runs on a corpus; they write no predictions."""

    files = NO_PREDICTIONS

    def load(self, name):
        values = values_for(self.shared, self.folder / name, self.teacher, **self.changes)
        return world.loaded(values, self.folder / f"configs-{name}")


def test_killed_and_started_again_it_ends_as_unbroken(data, start, tmp_path):
    """Masks are drawn by epoch and row: a resume inside an epoch draws the same."""
    changes = {"save_steps": 3, "eval_steps": 4, "num_train_epochs": 3}
    broken = BrokenOnCorpus(data, start, tmp_path, changes)
    broken.kill_again_and_again("again", random.Random(reseeded(2)), times=4, least=1)


@pytest.mark.parametrize("accumulation", longer([1, 2]))
def test_two_processes_make_the_network_of_one(data, tmp_path, accumulation):
    start = network(tmp_path / "start", dropout=0.0)
    exact = {"training_arguments": {"optim": "sgd"}, "learning_rate": 0.2, "keep": "last"}
    exact["gradient_accumulation_steps"] = accumulation

    def loaded(name, batch):
        values = values_for(data, tmp_path / name, start, **exact, per_gpu_train_batch_size=batch)
        return world.loaded(values, tmp_path / f"configs-{name}")

    one = one_and_two_alike(loaded, tmp_path)
    begun = world.weights_of(start)["bert.encoder.layer.0.intermediate.dense.weight"]
    moved = one["bert.encoder.layer.0.intermediate.dense.weight"] - begun
    assert moved.abs().max() > 1e-4
    figures = [told(tmp_path / name)["dev"]["metrics"] for name in ("one", "two")]
    assert figures[0] == pytest.approx(figures[1], rel=1e-4)


BAD = {
    "empty": ({"train.txt": b"\n\n"}, {}, "corpus.empty"),
    "binary": ({"train.txt": b"a\0b\n"}, {}, "corpus.binary"),
    "not text": ({"train.txt": b"\xff\xfea\0"}, {}, "data.not-utf-8"),
    "a block": ({"train.txt": b"where is the box\n", "dev.txt": b"a\n"}, {}, "corpus.too-small"),
    "a document": ({"train.txt": b"where is the box\n" * 9}, {}, "corpus.one-document"),
    "beyond the table": ({}, {"max_seq_length": 65}, "lengths.beyond-the-position-table"),
    "no network": ({}, {"pretrained_architectures": None}, "corpus.no-network"),
    "a task without files": ({}, {"task_name": "sst2"}, "data.no-file-of-the-split"),
    "a metric": ({}, {"selection_metric": "loss"}, "metric.not-for-selection"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input_is_one_message_and_nothing_is_written(data, start, tmp_path, name, capsys):
    files, changes, code = BAD[name]
    where = shutil.copytree(data, tmp_path / "data") if not files else tmp_path / "data"
    where.mkdir(exist_ok=True)
    for file, content in files.items():
        (where / file).write_bytes(content)
    (where / "SST-2").mkdir()
    values = values_for(where, tmp_path / "out", start, **changes)
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    with refused(code):
        pipeline.distill(load(tmp_path / "my.json", [], verb="distill"), console=world.console())
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_methods_of_a_task_refuse_a_corpus(data, start, tmp_path):
    values = values_for(data, tmp_path / "out", start, model_type="KD")
    values["teacher_architectures"] = values["pretrained_architectures"]
    with refused("corpus.method-of-a-task"):
        world.loaded(values, tmp_path)


def test_a_decoder_and_another_vocabulary_are_refused_by_name(data, tmp_path):
    llama = world.build_network(tmp_path / "llama", "llama")
    with refused("corpus.no-masked-lm", "llama"):
        run(values_for(data, tmp_path / "out", llama), tmp_path / "c")
    start = network(tmp_path / "start")
    other = tmp_path / "other"
    pieces = [*world.PIECES, *(f"more{number}" for number in range(50))]
    tf.BertTokenizer(vocab={p: n for n, p in enumerate(pieces)}).save_pretrained(other)
    with pytest.raises(UserError):
        run(
            values_for(data, tmp_path / "out", start, tokenizer_name_or_path=str(other)),
            tmp_path / "c",
        )
    assert not (tmp_path / "out").exists()


def test_another_share_is_another_run_and_check_writes_nothing(data, start, tmp_path):
    values = values_for(data, tmp_path / "out", start, max_steps=2, num_train_epochs=None)
    loaded = world.loaded(values, tmp_path / "c")
    pipeline.check(loaded, console=world.console())
    assert not (tmp_path / "out").exists()
    run(values, tmp_path / "c")
    with refused("run.another-configuration", "masked_share"):
        run({**values, "masked_lm": {"masked_share": 0.3}}, tmp_path / "c")


def test_a_stopped_run_can_be_finished(data, start, tmp_path, capsys):
    values = values_for(data, tmp_path / "out", start, save_steps=3, eval_steps=3)
    broken = BrokenOnCorpus(data, start, tmp_path, {"save_steps": 3, "eval_steps": 3})
    assert broken.attempt("out", kill_at=broken.changes_made * 3 // 5) != 0
    file = tmp_path / "my.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["finish", str(tmp_path / "out"), "--config", str(file)]) == 0
    assert "Traceback" not in capsys.readouterr().err
    found = told(tmp_path / "out")
    assert (
        "best on dev" in found["kept"]["text"] and "ended before its time" in found["ended"]["text"]
    )
    values = seen_on_dev(tmp_path / "out")
    assert found["dev"]["value"] == min(values.values()) == values[found["kept"]["step"]]
