"""LTD-BERT from its configuration to its folder: two phases, the teacher's weighted vectors, interrupts."""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from chatstill import cli
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded
from tests.found import codes, refused
from tests.longer import longer

from . import world
from .broken import Broken
from .same_student import stored_teacher_equals_live, two_processes_equal_one

SIZES = {"width": 8, "units": 6, "hidden": 6, "vectors": "random"}
LTD = {
    "model_type": "LTDTaskDistill",
    "theseus_scheduler": None,
    "student_architectures": {"network": SIZES},
    "learning_rate": 0.02,
    "num_train_epochs": 8,
}


def network(**keys):
    return {"student_architectures": {"network": {**SIZES, **keys}}}


def terms(**changes):
    return {"distillation": {"terms": changes}}


def told(folder, name="metrics.json"):
    return json.loads((folder / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def made(shared, teacher_of, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ltd")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **LTD)
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def test_vectors_first_by_their_loss_then_the_task_by_its_metric(made):
    folder, said = made
    assert "phase: vectors" in said and "phase: task" in said
    assert "cos of vector, weight 1, weighted by inverse document frequency" in said
    assert said.count("term hard") == said.count("term vector") == 1 and "term soft" not in said
    first, then = told(folder)["training"]["phases"]
    assert (first["name"], first["data"]) == ("vectors", "texts")
    assert (then["name"], then["data"]) == ("task", "train")
    assert 0 < first["best"] < 0.6 and told(folder)["dev"]["metrics"]["auc"] > 0.9
    config = told(folder / "student", "config.json")
    assert (config["model_type"], config["hidden_size"], config["vector_size"]) == ("ltd", 16, 16)


def test_its_weights_are_those_of_the_training_texts(made, shared):
    """log((1 + N) / (1 + df)) + 1 by hand; and they stand in the student's file."""
    folder, said = made
    lines = (shared / "data" / "chat" / "train.data.txt").read_text("utf-8").splitlines()
    texts = [text.lower().split() for line in lines for text in line.split("\t")[:2]]
    weights = load_file(folder / "student" / "model.safetensors")["bilstm.weights"]
    words = told(folder / "student", "words.json")
    for number, word in enumerate(words[3:], 3):
        found = sum(word in text for text in texts)
        wanted = torch.log(torch.tensor((1 + len(texts)) / (1 + found))) + 1
        torch.testing.assert_close(weights[number], wanted, msg=word)
    assert weights[1] == weights.max() and weights[0] == weights[2] == 0
    assert "words weigh" in said


def test_its_folder_is_evaluated_and_predicts(made, tmp_path, capsys):
    folder, _ = made
    assert cli.main(["evaluate", str(folder)]) == 0
    evaluated = capsys.readouterr().out
    assert f"mrr = {told(folder)['dev']['metrics']['mrr']:g}" in evaluated
    assert "no word that the network knows" not in evaluated
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n\tno\n😀\t \n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--output", str(tmp_path / "p.tsv")]) == 0
    assert f"{rows}: 1 row holds no word that the network knows" in capsys.readouterr().out
    assert (tmp_path / "p.tsv").read_text("utf-8").count("\n") == 4


@pytest.mark.parametrize(
    "vector",
    longer(
        [
            {"pooling": "cls"},
            {"pooling": "mean", "loss": "mse", "normalize": True},
            {"pooling": "weighted_characters"},
        ]
    ),
)
def test_other_vectors_of_the_teacher(run, vector):
    done = run(**{**LTD, "num_train_epochs": 1, **terms(vector=vector)})
    assert told(done.folder)["training"]["phases"][0]["best"] > 0


def test_the_vector_term_and_soft_labels_can_go_on_in_the_second_phase(run):
    changes = terms(soft={"weight": 0.5})
    changes["distillation"]["keep_vector_term"] = True
    done = run(**{**LTD, "num_train_epochs": 1, **changes})
    assert done.text.count("term vector") == 2 and done.text.count("term soft") == 1


def test_the_first_phase_can_be_left_out(run):
    changes = terms(vector={"weight": 0})
    changes["distillation"]["vector_epochs"] = 0
    done = run(**{**LTD, "num_train_epochs": 1, **changes})
    assert "phase: vectors" not in done.text and "term hard" in done.text


@pytest.fixture(scope="module")
def of_vectors(shared, teacher_of, tmp_path_factory):
    """A run of the first phase alone."""
    folder = tmp_path_factory.mktemp("vectors")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **LTD)
    values |= {"num_train_epochs": 4, "distillation": {"task_epochs": 0}}
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def test_the_second_phase_can_be_left_out_and_the_classifier_is_marked(of_vectors):
    folder, said = of_vectors
    assert "phase: task" not in said and "term hard" not in said
    assert [phase["data"] for phase in told(folder)["training"]["phases"]] == ["texts"]
    dev = told(folder)["dev"]
    assert 0 < dev["metrics"]["loss"] < 1
    assert f"texts of dev: {dev['rows']} rows" in said and dev["rows"] != 60
    assert dev["unit"] == told(folder)["training"]["unit"] == "texts"
    card = (folder / "student" / "README.md").read_text("utf-8")
    assert f"On {dev['rows']} dev texts." in card and "chatstill index" in card
    assert "Its vectors rank replies" in said and "TinyBert" not in said
    assert told(folder / "student", "config.json")["chatstill"]["classifier"] == "untrained"


def test_answers_of_a_classifier_that_nobody_taught_are_warned_of(of_vectors, tmp_path, capsys):
    rows, out = tmp_path / "rows.tsv", str(tmp_path / "p.tsv")
    rows.write_text("where is the box\tsure\n", encoding="utf-8")
    assert cli.main(["predict", str(of_vectors[0]), str(rows), "--output", out]) == 0
    assert "its answers say nothing" in capsys.readouterr().out


def test_both_phases_cannot_be_left_out(run):
    changes = {"distillation": {"task_epochs": 0, "vector_epochs": 0}}
    with pytest.raises(UserError, match="no phase is left"):
        run("check", **{**LTD, **changes})


# -- vectors of the pre-trained network ---------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(shared, tmp_path_factory):
    """Another network of the teacher's shape and tokenizer, without a classifier."""
    folder = world.build_network(tmp_path_factory.mktemp("pretrained") / "one", seed=7)
    body = tf.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    body.save_pretrained(folder)
    return folder


SHORT = {"num_train_epochs": None, "max_steps": 2}


def taught_by(folder, **changes):
    knobs = {"vectors_of": "pretrained", **changes}
    named = {"pretrained_architectures": {"model_name_or_path": str(folder)}} if folder else {}
    return {**LTD, **SHORT, **named, "distillation": knobs}


def losses(run_folder):
    return [phase["best"] for phase in told(run_folder)["training"]["phases"]]


@pytest.mark.slow
def test_the_pretrained_network_teaches_the_first_phase_and_the_teacher_the_second(
    run, teacher_of, pretrained
):
    usual = run(**{**LTD, **SHORT}, name="usual").folder
    same = run(**taught_by(teacher_of()), name="same").folder
    by_it = run(**taught_by(pretrained), name="by-it")
    assert f"distillation.vectors_of: {pretrained}" in by_it.text
    weights = [world.weights_of(one / "student") for one in (usual, same, by_it.folder)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["bilstm.map.weight"], weights[2]["bilstm.map.weight"])
    assert losses(usual) == losses(same) and losses(by_it.folder)[0] != losses(usual)[0]


def test_the_loss_on_dev_is_the_distance_to_its_vectors(run, shared, pretrained):
    """By hand, of a student of vectors alone: 1 - cos, a mean over the distinct dev texts."""
    changes = taught_by(pretrained, task_epochs=0)
    changes["distillation"]["terms"] = {"vector": {"pooling": "mean"}}
    done = run(**changes)
    lines = (shared / "data" / "chat" / "dev.data.txt").read_text("utf-8").splitlines()
    texts = sorted({text for line in lines for text in line.split("\t")[:2]})
    teacher = tf.AutoModel.from_pretrained(pretrained).eval()
    pieces = tf.AutoTokenizer.from_pretrained(pretrained)
    student = open_network(done.folder)
    total = 0.0
    for text in texts:
        row = pieces(text, return_tensors="pt")
        with torch.no_grad():
            aim = teacher(**row).last_hidden_state.mean(1)
        total += 1 - float(torch.cosine_similarity(student.encode_query(text).vector, aim))
    assert told(done.folder)["dev"]["metrics"]["loss"] == pytest.approx(
        total / len(texts), abs=1e-4
    )


def test_pieces_of_both_networks_weigh_what_the_students_file_says(
    run, shared, teacher_of, tmp_path
):
    """The dev loss by hand: weights of a file, and of unknown pieces, on the teacher's side too."""
    weights = tmp_path / "idf.txt"
    weights.write_text("is 9.5\nthe 0.25\nbox 3\n", encoding="utf-8")
    changes = network(segmenter="pieces", idf=str(weights), unknown_idf=7.0)
    done = run(**{**LTD, **SHORT, **changes, "distillation": {"task_epochs": 0}})
    lines = (shared / "data" / "chat" / "dev.data.txt").read_text("utf-8").splitlines()
    texts = sorted({text for line in lines for text in line.split("\t")[:2]})
    teacher = tf.AutoModel.from_pretrained(teacher_of()).eval()
    pieces = tf.AutoTokenizer.from_pretrained(teacher_of())
    table = load_file(done.folder / "student" / "model.safetensors")["bilstm.weights"]
    assert table[pieces.unk_token_id] == 7 and table[pieces.sep_token_id] == 0
    assert {9.5, 0.25, 3.0, 7.0} >= set(table.tolist()) - {0.0}
    student = open_network(done.folder)

    def loss(weights):
        total = 0.0
        for text in texts:
            row = pieces(text, return_tensors="pt")
            share = weights[row["input_ids"]][..., None]
            with torch.no_grad():
                aim = (share * teacher(**row).last_hidden_state).sum(1) / share.sum()
            total += 1 - float(torch.cosine_similarity(student.encode_query(text).vector, aim))
        return total / len(texts)

    found = told(done.folder)["dev"]["metrics"]["loss"]
    assert found == pytest.approx(loss(table), abs=1e-6)
    assert abs(loss((table > 0).float()) - found) > 1e-5, "other weights would be seen"


@pytest.mark.slow
def test_it_is_stored_as_it_is_live(shared, teacher_of, pretrained, tmp_path):
    exact = {**taught_by(pretrained), **EXACT, "max_steps": -1}
    stored_teacher_equals_live(shared, teacher_of(), tmp_path, exact)


def test_a_network_that_reads_other_rows_is_refused_and_two_runs_are_named(run, tmp_path):
    other = world.build_network(tmp_path / "other", "electra")
    tokenizer = world.tokenizer_of("roberta")
    narrow = tmp_path / "narrow"
    config = tf.BertConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_attention_heads=2, num_hidden_layers=1
    )
    tf.BertModel(config).save_pretrained(narrow)
    tokenizer.save_pretrained(narrow)
    with refused("second-teacher.of-another-kind", "tokenizer", "8 wide", "16", "vector_epochs"):
        run("check", **taught_by(narrow))
    assert run("check", **taught_by(other)).text  # its tokens and its width are the teacher's
    with refused("second-teacher.missing"):
        run("check", **taught_by(None))


def test_a_network_that_is_padded_where_the_teacher_cannot_be_is_refused(run, tmp_path):
    """Both read the same rows; XLNet is right with padding on the left alone, the teacher on the right."""
    tokenizer = world.tokenizer_of("bert")
    config = tf.XLNetConfig(vocab_size=len(tokenizer), d_model=16, n_layer=1, n_head=2, d_inner=24)
    for name, kind in ("second", tf.XLNetModel), ("teacher", tf.XLNetForSequenceClassification):
        kind(config).save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    with refused("network.padded-on-another-side", "pre-trained network", "the teacher's"):
        run("check", **taught_by(tmp_path / "second"))
    small = world.build_network(tmp_path / "small", layers=1) / "config.json"
    student = {"config_file": str(small), "copy_from": "none"}
    alike = {"student_architectures": student, "model_type": "KD", "theseus_scheduler": None}
    with refused("network.padded-on-another-side", "the student's", "the teacher's"):
        run("check", **alike, teacher=tmp_path / "teacher")


def test_a_second_run_goes_on_from_a_students_folder(run, of_vectors):
    """What the method's file says of sizes does not count beside weights."""
    student = {"model_name_or_path": str(of_vectors[0] / "student")}
    changes = {**LTD, **SHORT, "student_architectures": student}
    changes["distillation"] = {"vector_epochs": 0, "terms": {"vector": {"weight": 0}}}
    done = run(**changes)
    config = told(done.folder / "student", "config.json")
    assert config["vector_size"] == 16 and "classifier" not in config.get("chatstill", {})
    with refused("network.block-beside-weights"):
        run("check", **{**changes, "student_architectures": {**student, "network": SIZES}})


def test_a_network_that_is_not_whole_teaches_nothing(run, pretrained, tmp_path):
    folder = shutil.copytree(pretrained, tmp_path / "parts")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("encoder.layer.3.output.dense.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with refused("weights.layers-lacking", "encoder.layer.3.output.dense.weight"):
        run("check", **taught_by(folder))


@pytest.mark.parametrize("knob", [{"vector_epochs": 0}, {"keep_vector_term": True}])
def test_keys_that_do_not_go_with_it_are_refused(run, pretrained, knob):
    with pytest.raises(UserError, match="vectors_of"):
        run("check", **taught_by(pretrained, **knob))


# -- in an index --------------------------------------------------------------------------------------

REPLIES = ["sure we can go", "never", "a red cat", "the box is fine"]


def test_a_trained_student_is_indexed_and_ranks_as_it_predicts(made, tmp_path):
    folder, _ = made
    (tmp_path / "replies.txt").write_text("\n".join(REPLIES) + "\n", encoding="utf-8")
    rows = "".join(f"where is the box\t{reply}\n" for reply in REPLIES)
    (tmp_path / "rows.tsv").write_text(rows, encoding="utf-8")
    index, out = str(tmp_path / "index"), str(tmp_path / "p.tsv")
    assert cli.main(["index", str(folder), str(tmp_path / "replies.txt"), "--out", index]) == 0
    assert cli.main(["predict", str(folder), str(tmp_path / "rows.tsv"), "--output", out]) == 0
    scores = torch.tensor(read_predictions(Path(out), ["0", "1"]).scores)
    wanted = scores.softmax(-1)[:, 1].tolist()
    found = {one.reply: one.score for one in Ranker(folder, index).rank("where is the box")}
    assert [found[reply] for reply in REPLIES] == pytest.approx(wanted, abs=5e-3)


def test_a_student_of_vectors_alone_ranks_by_their_cosine(of_vectors, tmp_path, capsys):
    folder, _ = of_vectors
    (tmp_path / "replies.txt").write_text("\n".join(REPLIES) + "\n", encoding="utf-8")
    index = str(tmp_path / "index")
    assert cli.main(["index", str(folder), str(tmp_path / "replies.txt"), "--out", index]) == 0
    capsys.readouterr()
    assert cli.main(["rank", str(folder), index, "--query", "a red cat", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    assert "cosine" in err and "was not trained" in err
    assert out.splitlines()[1].split("\t")[3] == "a red cat"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"vector": {"weight": 0}}, "ltd.no-vector-term"),
        ({"hard": {"weight": 0}}, "ltd.no-task-term"),
    ],
)
def test_a_phase_without_a_term_is_refused(run, changes, code):
    with refused(code):
        run("check", **{**LTD, **terms(**changes)})


def test_weights_by_character_of_a_student_that_weighs_none_are_refused(run):
    changes = {**LTD, **terms(vector={"pooling": "weighted_characters"})}
    changes["student_architectures"] = {"model_type": "bilstm", "network": {"vectors": "random"}}
    with refused("words.no-weights-of-words"):
        run("check", **changes)


def test_weights_by_character_of_a_student_of_pieces_are_refused_for_what_they_are(run):
    changes = {**network(segmenter="pieces"), **terms(vector={"pooling": "weighted_characters"})}
    with refused("words.weights-of-pieces", "weighted_characters"):
        run("check", **{**LTD, **changes})


def test_killed_and_started_again_it_ends_as_unbroken(shared, teacher_of, tmp_path):
    changes = {**LTD, "num_train_epochs": 2, "save_steps": 3}
    run = Broken(shared, teacher_of(), tmp_path, changes)
    run.kill_again_and_again("again", random.Random(reseeded(2)), times=4, least=1)


EXACT = {
    **LTD,
    **network(dropout=0.0),
    "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
    "learning_rate": 0.1,
    "num_train_epochs": 2,
}


def test_two_processes_make_the_student_of_one(shared, teacher_of, tmp_path):
    """The projection is trained in the first phase alone: the second does not wait for its gradient."""
    sizes = EXACT["student_architectures"]["network"] | {"vector_width": 12}
    projected = EXACT | {"student_architectures": {"network": sizes}}
    two_processes_equal_one(shared, teacher_of(), tmp_path, projected)


def test_a_stored_teacher_makes_the_student_of_a_live_one(shared, teacher_of, tmp_path):
    stored_teacher_equals_live(shared, teacher_of(), tmp_path, EXACT)


@pytest.mark.slow
def test_the_same_network_alone_has_the_same_shape(shared, teacher_of, tmp_path):
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **LTD)
    values |= {"compare_alone": True, "num_train_epochs": 1}
    path = tmp_path / "ltd.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", str(path)]) == 0
    shapes = [
        {name: tensor.shape for name, tensor in load_file(file).items()}
        for file in sorted((tmp_path / "out").glob("*/student/model.safetensors"))
    ]
    assert len(shapes) == 2 and shapes[0] == shapes[1]


def test_the_second_phase_passes_over_no_row_that_teaches_it_nothing(run, shared, tmp_path):
    """Empty labels and a transfer set: their texts are the first phase's; with soft labels all count."""
    data = tmp_path / "data"
    shutil.copytree(shared / "data", data)
    train = data / "chat" / "train.data.txt"
    rows = [line.split("\t")[:3] for line in train.read_text("utf-8").splitlines()]
    for row in rows[:8]:
        row[2] = ""
    train.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    (train.parent / "unlabeled.data.txt").write_text("who are you\ta new friend\n", "utf-8")
    keys = LTD | {"num_train_epochs": 1, "per_gpu_train_batch_size": 8}
    said = run("check", data=data, **keys).text
    assert f"{len(rows) - 8} rows of {train} (" in said and "8 of 48 rows have no label" in said
    assert "unlabeled.data.txt: is not read" not in said
    plans = said, run("check", **keys).text
    sizes = [int(re.search(r"(\d+) of \d+ different ones", plan)[1]) for plan in plans]
    assert sizes[0] > sizes[1], "words of the transfer set alone are words of the student"
    soft = run("check", data=data, **keys, **terms(soft={"weight": 1})).text
    assert f"{len(rows) + 1} rows of {train} and " in soft


def test_both_phases_share_the_budget_of_stored_outputs(run):
    keys = LTD | terms(soft={"weight": 1}) | {"num_train_epochs": 2, "teacher_cache": True}
    stored = told(run(**keys).folder, "teacher_cache.json")["phases"]
    sizes = [phase["bytes"] for phase in stored.values()]
    assert len(sizes) == 2 and all(sizes)
    for budget, fits in ((sum(sizes), True), (sum(sizes) - 1, False)):
        again = keys | {"teacher_cache_budget_gb": budget / 1e9}
        if fits:
            run(name="fits", **again)
        else:
            with pytest.raises(UserError) as caught:
                run(name="not", **again)
            assert "cache.outputs-not-storable" in codes(caught.value)
