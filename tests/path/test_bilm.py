"""A bidirectional language model, from its corpus to an ELMo student that starts from it."""

import json
import random
import shutil
from collections import Counter

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from chatstill import cli
from chatstill.config import load, load_chain
from chatstill.errors import UserError
from chatstill.run import chain as chains
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import codes, refused

from . import world
from .broken import Broken
from .same_student import one_and_two_alike
from .test_masked_lm import NO_PREDICTIONS, corpus, told

SIZES = {
    "min_count": 1,
    "char_size": 4,
    "filters": [[1, 4], [2, 6], [3, 6]],
    "projection_size": 8,
    "cell_size": 12,
}
FILES = {"options.json", "weights.hdf5", "words.json", "model.safetensors", "config.json"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text(corpus(60), encoding="utf-8")
    text = corpus(20, seed=1) + "\nunseen unseen\n"
    (folder / "corpus" / "dev.txt").write_text(text, encoding="utf-8")
    return folder


def values_for(data, output, **changes):
    values = {
        "model_type": "BiLM",
        "task_name": "corpus",
        "data_dir": str(data),
        "output_dir": str(output),
        "bilm": SIZES,
        "max_seq_length": 16,
        "per_gpu_train_batch_size": 8,
        "num_train_epochs": 2,
        "learning_rate": 0.01,
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
def made(data, tmp_path_factory):
    """A run that learns, and what it printed."""
    folder = tmp_path_factory.mktemp("made")
    changes = {"num_train_epochs": 5, "learning_rate": 0.02, "eval_steps": 20}
    return folder / "out", run(values_for(data, folder / "out", **changes), folder)


def by_frequency(data):
    """Perplexity of dev where each word is guessed by how often it stands in train, in both directions."""
    parts = []
    for name in ("train", "dev"):
        text = (data / "corpus" / f"{name}.txt").read_text("utf-8")
        lines = [["<S>", *line.split(), "</S>"] for line in text.split("\n") if line.strip()]
        parts.append(Counter(w for line in lines for w in (*line[1:], *line[:-1])))
    train, dev = parts
    seen = {word: (train[word] or 1) / train.total() for word in dev}
    return np.exp(-sum(n * np.log(seen[w]) for w, n in dev.items()) / dev.total())


def test_it_learns_more_than_frequencies_and_the_best_on_dev_is_kept(made, data):
    folder, said = made
    dev = told(folder)["dev"]
    assert dev["main"] == "loss" and dev["lower_is_better"] and dev["unit"] == "blocks"
    assert dev["metrics"]["perplexity"] == pytest.approx(np.exp(dev["value"]))
    assert dev["metrics"]["perplexity"] < 0.6 * by_frequency(data)
    assert dev["metrics"]["next_acc"] > 0.4
    records = map(json.loads, (folder / "history.jsonl").read_text("utf-8").splitlines())
    seen = {record["step"]: record["dev/loss"] for record in records if "dev/loss" in record}
    assert dev["value"] == min(seen.values()) == seen[told(folder)["kept"]["step"]]
    assert "blocks of up to 16 words" in said and "2 bytes a word" in said
    assert "9 different ones, 8 of them predicted, 100.0% of all" in said
    assert "tokens" not in said and "masked" not in said


def test_the_share_of_words_called_right_selects_by_its_own_name(data, tmp_path):
    """masked_acc is a figure of other networks: the loss must not be taken as it."""
    with refused("metric.of-another-network", "next_acc"):
        run(values_for(data, tmp_path / "no", selection_metric="masked_acc"), tmp_path)
    folder = tmp_path / "out"
    run(values_for(data, folder, selection_metric="next_acc", eval_steps=3), tmp_path)
    (phase,), dev = told(folder)["training"]["phases"], told(folder)["dev"]
    assert dev["main"] == "next_acc" and not dev["lower_is_better"]
    assert phase["best"] == pytest.approx(dev["value"], abs=1e-6)


def test_its_folder_holds_an_elmo_and_the_words(made):
    student = made[0] / "student"
    assert FILES <= {file.name for file in student.iterdir()}
    assert all(
        file.suffix in (".json", ".safetensors", ".hdf5", ".md") for file in student.iterdir()
    )
    state = load_file(student / "model.safetensors")
    with h5py.File(student / "weights.hdf5", "r") as file:
        assert np.array_equal(file["char_embed"], state["bilm.tokens.characters"])
    assert told(student, "config.json")["vocab_size"] == 13 == len(state["head.weight"])
    words = json.loads((student / "words.json").read_text("utf-8"))
    assert {*words[5:]} == {*world.GOOD, *world.BAD}
    card = (student / "README.md").read_text("utf-8")
    assert "ELMOTaskDistill" in card and f"{told(made[0])['dev']['value']:.4f}" in card


def test_evaluate_gives_the_figures_of_the_run_and_nothing_predicts(made, data, tmp_path, capsys):
    alone = shutil.copytree(made[0] / "student", tmp_path / "alone")
    named = ["--task-name", "corpus", "--data-dir", str(data), "--set", "max_seq_length=16"]
    for words in ([str(made[0])], [str(alone), *named]):
        assert cli.main(["evaluate", *words, "--output", str(tmp_path / "figures")]) == 0
        assert told(tmp_path / "figures")["dev"] == told(made[0])["dev"]
    rows = tmp_path / "rows.tsv"
    rows.write_text("a\tb\n", encoding="utf-8")
    for words in (
        ["predict", str(made[0]), str(rows)],
        ["evaluate", str(alone), "--task-name", "chat", "--data-dir", str(data)],
    ):
        assert cli.main(words) == 2, words
        assert "Traceback" not in capsys.readouterr().err
    kept = (alone / "words.json").read_text("utf-8")
    for text in (kept.replace('"never",\n', "").replace(',\n"never"', ""), "[]"):
        (alone / "words.json").write_text(text, encoding="utf-8")
        assert cli.main(["evaluate", str(alone), *named]) == 2
        assert "words.json" in (said := capsys.readouterr().err) and "Traceback" not in said


# -- an ELMo starts from it -------------------------------------------------------------------------


def elmo_of(folder, **network):
    block = {"model_type": "elmo", "model_name_or_path": str(folder)}
    return {
        "model_type": "ELMOTaskDistill",
        "theseus_scheduler": None,
        "student_architectures": {**block, "network": {"hidden": 8, **network}},
    }


def test_an_elmo_student_starts_from_its_folder(made, run):
    done = run(**elmo_of(made[0] / "student"), max_steps=2, num_train_epochs=None)
    assert f"that of {made[0] / 'student' / 'weights.hdf5'}," in done.text
    assert "trained on other words" not in done.text
    theirs = load_file(made[0] / "student" / "model.safetensors")
    ours = load_file(done.folder / "student" / "model.safetensors")
    inside = {name.removeprefix("elmo."): t for name, t in ours.items() if ".bilm." in name}
    assert inside and all(torch.equal(tensor, theirs[name]) for name, tensor in inside.items())


def test_a_student_with_other_words_than_it_was_trained_on_is_told(made, run):
    named = elmo_of(made[0] / "student", segmenter="characters")
    text = run("check", **named, do_lower_case=True).text
    assert (
        "it was trained on other words: cut by 'words', here by 'characters', lower-cased" in text
    )


def test_in_a_chain_it_is_checked_before_it_is_there_and_taken_when_it_is(
    shared, teacher_of, tmp_path
):
    """Its corpus is the texts of the task; a damaged key of the second link stops the first."""
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), max_steps=2)
    for key in ("model_type", "theseus_scheduler", "num_train_epochs"):
        del values[key]
    student = elmo_of("link:elmo", fine_tune=True) | {"name": "student"}
    del student["theseus_scheduler"]
    values["pipeline"] = [{"name": "elmo", "model_type": "BiLM", "bilm": SIZES}, student]

    def chain():
        (tmp_path / "c.json").write_text(json.dumps(values), encoding="utf-8")
        return load_chain(tmp_path / "c.json", [], verb="distill")

    student["student_architectures"]["network"]["hiden"] = 3
    with refused("config.unknown-key", "hiden"):
        chain()
    del student["student_architectures"]["network"]["hiden"]
    for _ in range(2):  # the second time both are finished
        where = world.console()
        chains.distill_chain(chain(), console=where)
    assert world.said(where).count("finished before") == 2
    record = told(tmp_path / "out" / "student", "run.json")
    assert "student_architectures.network.weights" in record["fingerprint"]


@pytest.mark.parametrize(
    ("block", "code", "value"),
    [
        ({"model_type": "bert"}, "network.two-types", "bilm"),
        ({}, "network.no-classifier-of-type", '"model_type": "elmo"'),
    ],
)
def test_no_other_network_goes_on_from_it(made, run, block, code, value):
    named = {**block, "model_name_or_path": str(made[0] / "student")}
    with refused(code, value):
        run("check", model_type="KD", theseus_scheduler=None, student_architectures=named)


# -- broken runs, processes -------------------------------------------------------------------------


class BrokenBiLm(Broken):
    """They write no predictions."""

    files = NO_PREDICTIONS

    def load(self, name):
        values = values_for(self.shared, self.folder / name, **self.changes)
        return world.loaded(values, self.folder / f"configs-{name}")


def test_killed_and_started_again_it_ends_as_unbroken(data, tmp_path):
    changes = {"save_steps": 3, "eval_steps": 4, "max_steps": 14, "num_train_epochs": None}
    broken = BrokenBiLm(data, None, tmp_path, changes)
    broken.kill_again_and_again("again", random.Random(reseeded(2)), times=3, least=1)
    one, other = (tmp_path / name / "student" / "weights.hdf5" for name in ("unbroken", "again"))
    assert one.read_bytes() == other.read_bytes()


def test_two_processes_make_the_network_of_one(data, tmp_path):
    exact = {"training_arguments": {"optim": "sgd"}, "learning_rate": 0.2, "keep": "last"}
    exact["bilm"] = {**SIZES, "dropout": 0.0}

    def loaded(name, batch):
        values = values_for(data, tmp_path / name, **exact, per_gpu_train_batch_size=batch)
        return world.loaded(values, tmp_path / f"configs-{name}")

    one_and_two_alike(loaded, tmp_path)
    figures = [told(tmp_path / name)["dev"]["metrics"] for name in ("one", "two")]
    assert figures[0] == pytest.approx(figures[1], rel=1e-4)
    assert figures[0]["loss"] < 0.95 * np.log(13), "it has learnt something"


# -- what is told -----------------------------------------------------------------------------------

BAD = {
    "a convolution": ({"filters": [[51, 4]]}, {}, "config.refused-value", "bilm.filters"),
    "no list": ({"filters": "wide"}, {}, "config.wrong-value", "bilm.filters"),
    "a size": ({"cell_size": 0}, {}, "config.wrong-value", "bilm.cell_size"),
    "all sizes": (
        {"projection_size": 16384, "cell_size": 16384},
        {},
        "config.refused-value",
        "parameters",
    ),
    "a key": ({"cellsize": 8}, {}, "config.unknown-key", "cell_size"),
    "a segmenter": ({"segmenter": "jeiba"}, {}, "config.refused-value", "jieba"),
    "pieces": ({"segmenter": "pieces"}, {}, "segmenter.pieces-are-no-words", "bilm.segmenter"),
    "a dictionary": (
        {"segmenter": "jieba", "user_dictionary": "nowhere.txt"},
        {},
        "words.dictionary-unreadable",
        "nowhere.txt",
    ),
    "rare words": ({"min_count": 10**6}, {}, "words.none-left", "bilm.min_count"),
    "a task of labels": ({}, {"task_name": "sst2"}, "data.no-file-of-the-split", "sst2"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_configuration_is_one_message(data, tmp_path, name, capsys):
    keys, changes, code, value = BAD[name]
    values = values_for(data, tmp_path / "out", bilm={**SIZES, **keys}, **changes)
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    with refused(code, value) as caught:
        pipeline.distill(load(tmp_path / "my.json", [], verb="distill"), console=world.console())
    assert {*codes(caught)} == {code}, "and no other"
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_keys_without_effect_are_named(data, teacher_of, tmp_path):
    named = {"model_name_or_path": str(teacher_of())}
    values = values_for(data, tmp_path / "out", student_architectures={"num_hidden_layers": 2})
    values |= {"tokenizer_name_or_path": str(teacher_of()), "pretrained_architectures": named}
    warnings = world.loaded(values, tmp_path / "c").warnings
    told = [w.message for w in warnings if w.code == "corpus.key-without-effect"]
    assert len(told) == 3 and all("the words of its text" in message for message in told)


def test_words_for_networks_are_not_said_to_belong_to_it(run):
    """Only where it is what runs."""
    with pytest.raises(UserError) as caught:
        run("check", segmenter="jieba", layers=3)
    assert codes(caught) == ["config.unknown-key"] * 2 and "bilm" not in str(caught.value)


def test_chinese_is_cut_by_jieba_and_other_words_are_another_run(tmp_path):
    pytest.importorskip("jieba")
    talk = ["我在医院工作", "你喜欢喝茶吗", "我更喜欢咖啡", "今天天气怎么样"]
    (tmp_path / "train.txt").write_text("\n\n".join(talk * 6), encoding="utf-8")
    (tmp_path / "dev.txt").write_text("我在医院喝咖啡\n", encoding="utf-8")
    values = values_for(tmp_path, tmp_path / "out", max_steps=2, num_train_epochs=None)
    assert "cut by 'jieba" in run(values, tmp_path / "c")
    words = json.loads((tmp_path / "out" / "student" / "words.json").read_text("utf-8"))
    assert "医院" in words and "咖啡" in words
    with refused("run.another-configuration", "max_words"):
        run({**values, "bilm": {**SIZES, "max_words": 3}}, tmp_path / "c")
