"""A BiLSTM student from its configuration to its folder: loss, vectors, interrupts, processes, stores."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file

from chatstill import cli
from chatstill.models.networks import network as network_of
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import refused

from . import world
from .broken import Broken
from .same_student import stored_teacher_equals_live, two_processes_equal_one

SIZES = {"width": 8, "units": 6, "hidden": 6, "vectors": "random"}
BILSTM = {
    "model_type": "LSTMTaskDistill",
    "theseus_scheduler": None,
    "student_architectures": {"network": SIZES},
    "learning_rate": 0.02,
    "num_train_epochs": 12,
}


def network(**keys):
    return {"student_architectures": {"network": {**SIZES, **keys}}}


@pytest.fixture(scope="module")
def made(shared, teacher_of, tmp_path_factory):
    """A finished run, with the same network trained alone, and what was printed."""
    folder = tmp_path_factory.mktemp("bilstm")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **BILSTM)
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def test_it_learns_the_logits_alone_and_its_folder_says_what_it_is(made):
    folder, said = made
    assert "term logits" in said and "term hard" not in said and "term soft" not in said
    assert "the student reads words, cut by 'words'" in said
    config = json.loads((folder / "student" / "config.json").read_text("utf-8"))
    assert config["model_type"] == "bilstm" and config["texts"] == 2
    assert config["hidden_size"] == 12
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9
    card = (folder / "student" / "README.md").read_text("utf-8")
    assert "import chatstill.auto" in card


def test_its_folder_is_evaluated_and_predicts_unasked(made, tmp_path, capsys):
    folder, _ = made
    assert cli.main(["evaluate", str(folder)]) == 0
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert f"mrr = {found['dev']['metrics']['mrr']:g}" in capsys.readouterr().out
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n\tno\n😀\t \n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--output", str(tmp_path / "p.tsv")]) == 0
    assert (tmp_path / "p.tsv").read_text("utf-8").count("\n") == 4


def test_rows_without_labels_count(run, shared, tmp_path):
    """With the gold labels of all but a few rows gone it learns what it learns with them."""
    folder = tmp_path / "data" / "chat"
    folder.mkdir(parents=True)
    lines = (shared / "data" / "chat" / "train.data.txt").read_text("utf-8").splitlines()
    few, rest = lines[:4], lines[4:]
    (folder / "train.data.txt").write_text("\n".join(few) + "\n", encoding="utf-8")
    bare = ["\t".join(line.split("\t")[:2]) for line in rest]
    (folder / "unlabeled.data.txt").write_text("\n".join(bare) + "\n", encoding="utf-8")
    dev = (shared / "data" / "chat" / "dev.data.txt").read_bytes()
    (folder / "dev.data.txt").write_bytes(dev)
    done = run(data=tmp_path / "data", **BILSTM)
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9


def test_on_gold_labels_alone_by_its_other_name_and_block(run):
    """`rnn_config` at the top is the block `network`."""
    changes = {key: value for key, value in BILSTM.items() if key != "student_architectures"}
    changes |= {"model_type": "BiLSTM", "rnn_config": {**SIZES, "layers": 2, "pooling": "max"}}
    terms = {"logits": {"weight": 0}, "hard": {"weight": 1}}
    changes["rnn_config"]["dropout"] = 0.0
    done = run(**{**changes, "num_train_epochs": 20}, distillation={"terms": terms})
    assert "term hard" in done.text and "term logits" not in done.text
    values = json.loads((done.folder / "student" / "config.json").read_text("utf-8"))
    assert (values["lstm_layers"], values["pooling"], values["lstm_size"]) == (2, "max", 6)
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9


def test_a_rate_that_is_left_out_is_that_of_lstms(run):
    said = run("check", **{**BILSTM, "learning_rate": None}).text
    rate = network_of("bilstm").rate
    assert f"{rate:g}, usual for random weights, an LSTM on word vectors" in said
    assert "learning_rate:" not in said
    said = run("check", **{**BILSTM, "learning_rate": rate / 10}, name="low").text
    assert f"{rate / 10:g} is 10 times below what is usual for random weights" in said


def test_soft_labels_gold_labels_and_vectors(run):
    terms = {
        "soft": {"weight": 0.5, "temperature": 4},
        "hard": {"weight": 0.5},
        "vec": {"feature": "vector", "loss": "mse", "weight": 1},
    }
    done = run(**{**BILSTM, **network(pooling="attention"), "distillation": {"terms": terms}})
    assert all(f"term {name}" in done.text for name in ("logits", *terms))
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9


def test_vectors_of_the_teacher_stay_where_they_are_fixed(run):
    """The table is the one that a run of no steps would start from; what is above it is trained."""
    tables = []
    for name, changes in (("one", {"max_steps": 1}), ("more", {"max_steps": 9})):
        values = {**BILSTM, **changes, "num_train_epochs": None}
        done = run(**{**values, **network(vectors="teacher", train_vectors=False)}, name=name)
        assert "PCA from 16 to 8" in done.text and "stay as they are" in done.text
        tables.append(load_file(done.folder / "student" / "model.safetensors"))
    assert torch.equal(*(table["bilstm.words.weight"] for table in tables))
    recurrent = [table["bilstm.lstm.back.0.weight_hh_l0"] for table in tables]
    assert not torch.equal(*recurrent)


def test_of_two_channels_one_stays_and_the_other_is_trained(run):
    tables = []
    for name, changes in (("one", {"max_steps": 1}), ("more", {"max_steps": 9})):
        values = {**BILSTM, **changes, "num_train_epochs": None}
        done = run(**{**values, **network(vectors="teacher", train_vectors="both")}, name=name)
        assert "a copy of them stays as it is" in done.text
        tables.append(load_file(done.folder / "student" / "model.safetensors"))
    assert torch.equal(*(table["bilstm.fixed"] for table in tables))
    assert not torch.equal(*(table["bilstm.words.weight"] for table in tables))
    words, fixed = (tables[0][f"bilstm.{name}"] for name in ("words.weight", "fixed"))
    assert words.shape == fixed.shape and not torch.equal(words, fixed)
    torch.testing.assert_close(words, fixed, atol=0.2, rtol=0)  # one step from it


def test_terms_of_layers_are_refused_by_name(run):
    terms = {"terms": {"states": {"feature": "hidden_states", "loss": "mse", "weight": 1}}}
    with refused("terms.not-given", "student", "hidden_states"):
        run("check", **{**BILSTM, "distillation": terms})


@pytest.mark.parametrize(
    "train", [True, *(pytest.param(o, marks=pytest.mark.slow) for o in (False, "both"))]
)
def test_killed_and_started_again_it_ends_as_unbroken(shared, teacher_of, tmp_path, train):
    changes = {**BILSTM, "num_train_epochs": 3, "save_steps": 3}
    changes |= network(layers=2, train_vectors=train)
    run = Broken(shared, teacher_of(), tmp_path, changes)
    run.kill_again_and_again("again", random.Random(reseeded(2)), times=3, least=1)


EXACT = {
    **BILSTM,
    **network(dropout=0.0, layers=2),
    "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
    "learning_rate": 0.1,
    "num_train_epochs": 3,
}


@pytest.mark.parametrize(
    "train", [True, *(pytest.param(o, marks=pytest.mark.slow) for o in (False, "both"))]
)
def test_two_processes_make_the_student_of_one(shared, teacher_of, tmp_path, train):
    exact = {**EXACT, **network(dropout=0.0, layers=2, train_vectors=train)}
    two_processes_equal_one(shared, teacher_of(), tmp_path, exact)


def test_a_stored_teacher_makes_the_student_of_a_live_one(shared, teacher_of, tmp_path):
    stored_teacher_equals_live(shared, teacher_of(), tmp_path, EXACT)
