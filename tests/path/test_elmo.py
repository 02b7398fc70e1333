"""An ELMo student from its two files to its folder: files, loss, interrupts, processes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from chatstill import cli
from chatstill.run import phase_rows
from chatstill.run import run as pipeline
from chatstill.text.byte_tokenizer import ByteTokenizer
from tests.draws import reseeded
from tests.elmo_by_hand import write_elmo
from tests.found import codes, refused

from . import world
from .broken import Broken
from .same_student import two_processes_equal_one

KEYS = {"hidden": 16, "dropout": 0.0, "classifier_dropout": 0.0}
ELMO = {
    "model_type": "ELMOTaskDistill",
    "theseus_scheduler": None,
    "learning_rate": 0.01,
    "num_train_epochs": 3,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the two files; nothing else lies in it."""
    sizes = {"filters": [[1, 8], [2, 12], [3, 16]], "width": 12, "cell": 10, "clip": 2}
    sizes["scale"] = 0.3
    return write_elmo(tmp_path_factory.mktemp("files"), seed=2, **sizes)


def network(files, **keys):
    named = {} if files is None else {"model_name_or_path": str(files)}
    return {"student_architectures": {**named, "network": {**KEYS, **keys}}}


@pytest.fixture(scope="module")
def made(shared, teacher_of, files, tmp_path_factory):
    """A finished run, and what was printed."""
    folder = tmp_path_factory.mktemp("elmo")
    values = {**ELMO, **network(files)}
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **values)
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def bilm_of(folder):
    state = load_file(folder / "student" / "model.safetensors")
    inside = {name: tensor for name, tensor in state.items() if ".bilm." in name}
    assert inside and len(inside) < len(state)
    return inside


def test_its_folder_says_what_it_is(made, files):
    folder, said = made
    assert "term soft" in said and "term hard" in said and "term logits" not in said
    assert str(files / "my_weights.hdf5") in said and "it stays as it is" in said
    assert "the student reads the bytes of words, cut by 'words'" in said
    config = json.loads((folder / "student" / "config.json").read_text("utf-8"))
    assert (config["model_type"], config["texts"], config["hidden_size"]) == ("elmo", 2, 24)
    card = (folder / "student" / "README.md").read_text("utf-8")
    assert "import chatstill.auto" in card and "32 words" in card and "tokens" not in card
    data = json.loads((folder / "data_report.json").read_text("utf-8"))
    longest = data["train"]["tokens"]["row"]["longest"]
    assert f"longest {longest} words, 0.0 % of rows cut" in said
    assert f"longest {longest} words; 0 of train's rows cut" in said
    assert str(files) not in (folder / "student" / "config.json").read_text("utf-8")


@pytest.mark.parametrize("some", [1, 2, 99])
def test_the_longest_row_is_counted_in_words(monkeypatch, some):
    """Some rows at a time; an empty one is of length 0."""
    monkeypatch.setattr(phase_rows, "SOME_ROWS", some)
    tokenizer = ByteTokenizer(segmenter="words")
    rows = [
        [],
        tokenizer(["a long-winded"])["input_ids"][0],
        tokenizer("a b c", "d é")["input_ids"],
        [],
    ]
    offsets = np.cumsum([0, *map(len, rows)])
    kind = type("Rows", (SimpleNamespace,), {"__len__": lambda self: len(rows)})
    view = kind(ids=np.concatenate(rows).astype(np.int64), offsets=offsets)
    assert phase_rows._longest(view, tokenizer) == 5 + 2  # a separator behind each text


def test_its_language_model_is_that_of_the_file(made, files):
    inside = bilm_of(made[0])
    with h5py.File(files / "my_weights.hdf5", "r") as file:
        assert np.array_equal(inside["elmo.bilm.tokens.characters"], file["char_embed"][...])
        cell = file["RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell"]
        assert np.array_equal(inside["elmo.bilm.back.1.projection.weight"].T, cell["W_P_0"][...])


def test_its_folder_holds_no_pickle_and_needs_neither_the_files_nor_the_data(made, tmp_path):
    folder = tmp_path / "student"
    folder.mkdir()
    for file in (made[0] / "student").iterdir():
        assert file.suffix in (".json", ".safetensors", ".txt", ".md"), file
        (folder / file.name).write_bytes(file.read_bytes())
    code = (
        "import sys, chatstill.auto\n"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n"
        f"model = AutoModelForSequenceClassification.from_pretrained({str(folder)!r}).eval()\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(folder)!r})\n"
        "rows = tokenizer(['where is the box'], ['sure'], return_tensors='pt')\n"
        "print(type(tokenizer).__name__, 'h5py' in sys.modules, model(**rows).logits.shape)\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(source)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ByteTokenizer", "False", "torch.Size([1,", "2])"]


def test_its_folder_is_evaluated_and_predicts_unasked(made, tmp_path, capsys):
    folder, _ = made
    assert cli.main(["evaluate", str(folder)]) == 0
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert f"mrr = {found['dev']['metrics']['mrr']:g}" in capsys.readouterr().out
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n\tno\n😀\t \n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--output", str(tmp_path / "p.tsv")]) == 0
    assert (tmp_path / "p.tsv").read_text("utf-8").count("\n") == 4


def test_a_student_goes_on_from_a_saved_one(run, made):
    """A folder with a config.json is a network of ours, and no released ELMo."""
    weights = {"model_name_or_path": str(made[0] / "student")}
    done = run(**{**ELMO, "student_architectures": weights, "num_train_epochs": 1})
    before, after = bilm_of(made[0]), bilm_of(done.folder)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_fine_tuned_it_learns_and_every_part_of_it_moves(run, files, made, tmp_path):
    data = world.write_chat(tmp_path / "data", train=60)
    done = run(data=data, **{**ELMO, **network(files, fine_tune=True), "num_train_epochs": 5})
    assert "it is trained too" in done.text
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9
    before, after = bilm_of(made[0]), bilm_of(done.folder)
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_single_texts_logits_and_vectors(run, files):
    terms = {
        "soft": {"weight": 0},
        "logits": {"weight": 1},
        "vec": {"feature": "vector", "loss": "mse", "weight": 1},
    }
    student = network(files, pooling="max")
    done = run(**{**ELMO, **student, "task_name": "sst2", "distillation": {"terms": terms}})
    assert all(f"term {name}" in done.text for name in ("logits", "hard", "vec"))
    config = json.loads((done.folder / "student" / "config.json").read_text("utf-8"))
    assert config["texts"] == 1


def test_terms_of_layers_are_refused_by_name(run, files):
    terms = {"terms": {"states": {"feature": "hidden_states", "loss": "mse", "weight": 1}}}
    with refused("terms.not-given", "student", "hidden_states"):
        run("check", **{**ELMO, **network(files), "distillation": terms})


# -- the files --------------------------------------------------------------------------------------


def test_without_a_name_they_lie_in_data_dir_or_the_working_directory(
    run, shared, files, tmp_path, monkeypatch
):
    data = tmp_path / "data"
    data.mkdir()
    (data / "chat").symlink_to(shared / "data" / "chat")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with refused("elmo.files-not-found", str(data), "working directory"):
        run("check", data=data, **ELMO, **network(None))
    for place in (work, data):  # the second goes first
        for file in files.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
        done = run("check", data=data, **ELMO, **network(None))
        expected = data / "my_weights.hdf5" if place is data else Path("my_weights.hdf5")
        assert f"that of {expected}," in done.text


def test_two_of_one_kind_and_a_damaged_file_stop_the_run_before_it_starts(run, files, tmp_path):
    folder = write_elmo(tmp_path / "two")
    (folder / "options.json").write_text("{}")
    with refused("elmo.files-not-found", "my_options.json", "options.json"):
        run("check", **ELMO, **network(folder))
    with refused("elmo.files-not-found", "Keep one file of each kind") as caught:
        run("check", **ELMO, **network(folder, fine_tune=True))
    assert codes(caught) == ["elmo.files-not-found"], "no other fault is told for it"
    with refused("elmo.files-not-found", "nowhere") as caught:
        run("check", **ELMO, **network(tmp_path / "nowhere", finetune=False))
    assert set(codes(caught)) == {"elmo.files-not-found", "config.unknown-key"}
    with refused("network.start-is-a-file", str(folder)):
        run("check", **ELMO, **network(folder / "my_weights.hdf5"))
    with refused("elmo.files-not-found"):
        run("check", data="\0", **ELMO, **network(None))
    folder = write_elmo(tmp_path / "nan")
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][0] = np.nan
    with refused("elmo.tensor-not-finite", "CNN_proj/b_proj"):
        run("check", **ELMO, **network(folder))
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        del file["CNN_proj/b_proj"]
    with refused("elmo.tensor-missing", "CNN_proj/b_proj"):
        run("check", **ELMO, **network(folder))


def test_other_files_are_another_run_and_another_place_is_none(shared, teacher_of, files, tmp_path):
    from chatstill.run.fingerprint import run_fingerprint

    def printed(folder):
        values = {**ELMO, **network(folder)}
        values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **values)
        return run_fingerprint(world.loaded(values, tmp_path / "configs"), "distill")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in files.iterdir():
        (elsewhere / file.name).write_bytes(file.read_bytes())
    one = printed(files)
    assert printed(elsewhere) == one
    with h5py.File(elsewhere / "my_weights.hdf5", "r+") as file:
        file["char_embed"][0, 0] += 1
    other = printed(elsewhere)
    assert {key.rpartition(".")[2] for key in one if one[key] != other[key]} == {"weights"}


# -- interrupts and processes -----------------------------------------------------------------------


@pytest.mark.parametrize("fine_tune", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_and_started_again_it_ends_as_unbroken(
    shared, teacher_of, files, tmp_path, fine_tune
):
    changes = {**ELMO, **network(files, fine_tune=fine_tune, dropout=0.5)}
    changes |= {"num_train_epochs": 3, "save_steps": 3}
    broken = Broken(shared, teacher_of(), tmp_path, changes)
    broken.kill_again_and_again("again", random.Random(reseeded(2)), times=3, least=1)


@pytest.mark.parametrize("fine_tune", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_two_processes_make_the_student_of_one(shared, teacher_of, files, tmp_path, fine_tune):
    exact = {
        **ELMO,
        **network(files, fine_tune=fine_tune),
        "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
        "learning_rate": 0.1,
        "num_train_epochs": 3,
    }
    two_processes_equal_one(shared, teacher_of(), tmp_path, exact)
