"""DC-BERT from its configuration to its folder: teachers, outputs, forms, interrupts, processes."""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
import transformers

from chatstill import cli
from chatstill.data.splits import lengths_of, lengths_of_network
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.longer import longer

from ..pages import fences
from . import by_hand, world
from .broken import Broken
from .same_student import two_processes_equal_one

DC = {
    "model_type": "dc-bert",
    "theseus_scheduler": None,
    "dc_bert_model_config": {"last_layer_model_type": "Transformer"},
    "max_query_length": 10,
}
EXAMPLE = Path(__file__).resolve().parents[2] / "models" / "dc_bert.py"
PAGE = "docs/dc_bert.md"
PAIRS = (["can we go home now"] * 2, ["sure", "not today"])
LEARNS = {**DC, "learning_rate": 0.005, "num_train_epochs": 6}
OURS = [
    {},
    {"interaction": "one_way", "num_interaction_layers": 2},
    {"document_width": 6},
    {"freeze_documents": True},
]


def knobs(**more):
    return {"dc_bert_model_config": {"last_layer_model_type": "transformer", **more}}


def test_the_plan_names_the_blocks_of_other_methods(run):
    text = run("check", **{**DC, "theseus_scheduler": {"replacing_rate": 0.3}}).text
    line = next(line for line in text.splitlines() if line.lstrip().startswith("no effect"))
    assert "theseus_scheduler" in line and "dc-bert" in line
    assert "dc_bert_model_config" not in line
    assert "no effect" not in run("check", **DC).text


@pytest.mark.parametrize(
    "lengths", [{"max_query_length": 40}, {"max_query_length": 20, "max_reply_length": 20}]
)
def test_lengths_beyond_the_row_are_one_message(shared, teacher_of, tmp_path, capsys, lengths):
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **{**DC, **lengths})
    path = tmp_path / "my.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["check", str(path)]) == 2
    said = capsys.readouterr()
    told = [line for line in (said.err + said.out).splitlines() if "max_query_length" in line]
    assert len(told) == 1 and told[0].startswith("error: max_query_length")


@pytest.mark.parametrize(
    "lengths", [{"max_query_length": 40}, {"max_query_length": 20, "max_reply_length": 20}]
)
def test_other_networks_are_told_once_that_pairs_are_cut_again(run, lengths):
    done = run("check", **lengths)
    assert done.loaded.warnings == [] and done.text.count("more than max_seq_length 32") == 1


def numbers_in(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)]


def told(folder, name="metrics.json"):
    return json.loads((folder / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def made(shared, teacher_of, tmp_path_factory):
    """A finished run and what it printed."""
    folder = tmp_path_factory.mktemp("dc")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **LEARNS)
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def test_it_learns_and_says_what_it_starts_from(made):
    folder, said = made
    assert "encoders start as the teacher's layers [0, 1, 2, 3] (0-based)" in said
    assert "two encoders; the interaction starts as the teacher's layers [3] (0-based)" in said
    assert "queries are cut to 10 tokens, replies to 19" in said
    assert told(folder)["dev"]["metrics"]["auc"] > 0.9
    resolved = told(folder, "config.resolved.json")
    assert resolved["max_reply_length"] == {
        "value": 19,
        "origin": "usual of a network that encodes each text alone",
    }


def test_its_folder_is_safetensors_and_json(made):
    student = made[0] / "student"
    config = told(student, "config.json")
    assert config["model_type"] == "dc-bert"
    assert (config["max_query_length"], config["max_reply_length"]) == (10, 19)
    endings = {file.suffix for file in student.iterdir()}
    assert endings <= {".json", ".safetensors", ".txt", ".md"}
    card = (student / "README.md").read_text("utf-8")
    assert "import chatstill.auto" in card and "chatstill rank path/to/this/folder" in card


def test_its_folder_is_evaluated_and_predicts_unasked(made, tmp_path, capsys):
    folder, _ = made
    assert cli.main(["evaluate", str(folder)]) == 0
    assert f"mrr = {told(folder)['dev']['metrics']['mrr']:g}" in capsys.readouterr().out
    alone = shutil.copytree(folder / "student", tmp_path / "alone")  # nothing of the run beside it
    rows = tmp_path / "rows.tsv"
    long = " ".join(["where is the red box"] * 40)
    rows.write_text(f"where is the box\tsure\n{long}\t{long} sure\n\tno\n \t \n", encoding="utf-8")
    scores = []
    for model in (folder, alone):
        target = tmp_path / f"{model.name}.tsv"
        words = ["predict", str(model), str(rows), "--output", str(target), "--task-name", "chat"]
        assert cli.main(words) == 0
        scores.append(target.read_text("utf-8"))
    assert scores[0].count("\n") == 5
    assert scores[0] == scores[1]


def test_texts_are_cut_where_a_folder_away_from_its_run_says_it(made, shared, tmp_path):
    """Else ``evaluate`` would cut them on another side than ``index``, ``rank`` and training."""
    folder = shutil.copytree(made[0] / "student", tmp_path / "alone")
    file = folder / "config.json"
    file.write_text(json.dumps({**told(folder, file.name), "truncation_side": "left"}), "utf-8")
    network = transformers.AutoConfig.from_pretrained(folder)
    asking = {**DC, "max_reply_length": 19}
    values = world.values_for(shared / "data", tmp_path / "out", folder, **asking)
    for asked, side in ({}, "left"), ({"truncation_side": "right"}, "right"):
        config = world.loaded({**values, **asked}, tmp_path / "configs").config
        found = config.model_copy(update=lengths_of_network(config, network))
        assert lengths_of(found).truncation_side == side
    usual = transformers.AutoConfig.from_pretrained(made[0] / "student")
    assert lengths_of_network(config, usual) == {}
    assert lengths_of_network(config, transformers.BertConfig(truncation_side="left")) == {}


def test_the_code_of_the_card_gives_the_scores_of_the_run_for_long_texts_too(
    made, tmp_path, capsys
):
    folder, _ = made
    code = (
        (folder / "student" / "README.md")
        .read_text("utf-8")
        .split("```python\n")[1]
        .split("```")[0]
    )
    code = code.replace("path/to/this/folder", str(folder / "student"))
    texts = " ".join(["where is the red box"] * 4), " ".join(["sure it is here"] * 9)
    code = code.replace('"…", "…"', ", ".join(map(repr, texts)))
    exec(code, {})
    printed = numbers_in(capsys.readouterr().out)
    rows, target = tmp_path / "rows.tsv", tmp_path / "scores.tsv"
    rows.write_text("\t".join(texts) + "\n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--output", str(target)]) == 0
    head, row = (line.split("\t") for line in target.read_text("utf-8").splitlines())
    scores = [float(cell) for name, cell in zip(head, row, strict=True) if "score" in name]
    assert scores == pytest.approx(printed[: len(scores)], abs=2e-4)


def test_a_student_larger_than_its_teacher_is_told(made):
    assert "it is larger than what it learns from" in made[1]


def test_the_code_of_the_page_encodes_each_side_by_itself(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output_dc_bert").symlink_to(made[0])
    exec(fences(PAGE, "python")[1], kept := {})
    printed = numbers_in(capsys.readouterr().out.split("tensor(")[-1])
    rows = kept["tokenizer"](*PAIRS, padding=True, return_tensors="pt")
    whole = kept["model"](**rows).logits.flatten().tolist()
    assert printed == pytest.approx(whole, abs=1e-3)


def test_the_class_of_the_page_is_an_interaction(run, tmp_path):
    (tmp_path / "mine.py").write_text(fences(PAGE, "python")[0], encoding="utf-8")
    changes = {**DC, **knobs(last_layer_model_type="COSINE")}
    done = run(**changes, plugins=[str(tmp_path / "mine.py")])
    assert "interaction 'COSINE'" in done.text


@pytest.mark.parametrize("kind", longer(["roberta", "distilbert", "electra"]))
def test_other_families_of_teachers(run, teacher_of, kind):
    done = run(teacher=teacher_of(kind), name=kind, **LEARNS)
    assert told(done.folder)["dev"]["metrics"]["auc"] > 0.9


def test_a_decoder_is_refused_by_name_and_nothing_is_written(run, teacher_of, tmp_path):
    with pytest.raises(UserError, match="a 'llama' cannot be the start of DC-BERT's encoders"):
        run(teacher=teacher_of("llama"), **DC)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", longer(OURS[1:]), ids=str)
def test_a_smaller_index_learns_too_and_the_folder_knows_its_knobs(run, more):
    done = run(**{**LEARNS, **knobs(**more)})
    assert told(done.folder)["dev"]["metrics"]["auc"] > 0.9
    config = told(done.folder / "student", "config.json")
    assert {key: config.get(key, value) for key, value in more.items()} == more


def test_projected_states_start_from_training_replies_and_their_terms_are_logged(run):
    done = run(**{**DC, **knobs(document_width=6)})
    said = " ".join(done.text.split())
    (states,) = re.findall(r"16 numbers are stored as 6: the main axes of (\d+) states", said)
    assert int(states) > 20  # not those of an empty reply alone
    assert "replies' states, projected to 6 attention and logits of the unprojected form" in said
    names = {
        key
        for line in (done.folder / "history.jsonl").read_text("utf-8").splitlines()
        for key in json.loads(line)
        if key.startswith("term/") and not key.endswith("_weighted")
    }
    assert names == {"term/task", "term/task_unprojected", "term/attention", "term/logits"}


@pytest.mark.parametrize("form", ["LINEAR", "lstm"])
def test_other_forms(run, form):
    done = run(**{**LEARNS, **knobs(last_layer_model_type=form, shared_encoder=True)})
    assert told(done.folder)["dev"]["metrics"]["auc"] > 0.9
    assert f"one encoder for both texts; interaction '{form.lower()}'" in done.text


def test_terms_of_ours_are_there_where_they_are_asked_for(run, made):
    done = run(**{**LEARNS, **knobs(weight_soft=0.5, temperature=3, two_tower=0.25)})
    assert "soft labels of the teacher  weight 0.5, temperature 3" in done.text
    assert "two towers" in done.text
    assert "two towers" not in made[1] and "soft labels" not in made[1]
    names = {
        key
        for line in (done.folder / "history.jsonl").read_text("utf-8").splitlines()
        for key in json.loads(line)
    }
    assert {"term/task", "term/soft", "term/two_tower"} <= names


@pytest.mark.slow
def test_one_logit_and_a_score(run, tmp_path, shared):
    teacher = world.build_network(tmp_path / "one", outputs=1)
    by_hand.make_right(teacher)
    one = run(name="one-logit", teacher=teacher, **{**LEARNS, **knobs(two_tower=1)})
    assert told(one.folder)["dev"]["metrics"]["auc"] > 0.9
    score = run(name="score", teacher=teacher, task_name="sts-b", allow_weak_teacher=True, **DC)
    assert told(score.folder)["dev"]["rows"] == 60
    with pytest.raises(UserError, match="needs rows that are right or wrong"):
        changes = {**DC, **knobs(two_tower=1)}
        run(name="no", teacher=teacher, task_name="sts-b", allow_weak_teacher=True, **changes)


def test_several_labels_of_pairs(tmp_path):
    rows = [
        {"a": "where is", "b": "the cat", "tags": ["x"]},
        {"a": "the box", "b": "sure", "tags": ["y"]},
    ]
    for split in ("train", "dev"):
        text = "".join(json.dumps(row) + "\n" for row in rows * 8)
        (tmp_path / f"{split}.jsonl").write_text(text, encoding="utf-8")
    block = {"kind": "multi_label", "text": "a", "text_pair": "b", "label": "tags"}
    block |= {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev")}
    teacher = world.build_network(tmp_path / "tags", outputs=2)
    file = teacher / "config.json"
    names = {"id2label": {"0": "x", "1": "y"}, "label2id": {"x": 0, "y": 1}}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **names}), encoding="utf-8")
    values = world.values_for(tmp_path, tmp_path / "out", teacher, **DC, allow_weak_teacher=True)
    del values["task_name"], values["data_dir"]
    loaded = world.loaded({**values, "data": block}, tmp_path / "configs")
    pipeline.distill(loaded, console=world.console())
    assert told(tmp_path / "out")["dev"]["rows"] == 16
    config = told(tmp_path / "out" / "student", "config.json")
    assert config["problem_type"] == "multi_label_classification"
    assert config["id2label"] == names["id2label"]


def test_a_task_of_one_text_is_refused_with_all_else(shared, teacher_of, tmp_path, capsys):
    changes = {**DC, **knobs(copy_from_bert_layer_num=9), "task_name": "sst2"}
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **changes)
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "its rows have one text" in printed
    assert "is 9, and the teacher has 4 layers: 0 to 3, or -1 (the last) to -4" in printed
    assert "Traceback" not in printed and not (tmp_path / "out").exists()


def test_other_knobs_and_other_code_of_ones_own_are_another_run(run, tmp_path, monkeypatch):
    own = EXAMPLE.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "dc_bert.py"
    file.write_text(own, encoding="utf-8")
    changes = {**LEARNS, **knobs(last_layer_model_type="MaxSim")}
    done = run(**changes)
    assert told(done.folder)["dev"]["metrics"]["auc"] > 0.9
    with pytest.raises(UserError, match="shared_encoder"):
        run(**{**changes, **knobs(last_layer_model_type="MaxSim", shared_encoder=True)})
    file.write_text(own + "\n# changed\n", encoding="utf-8")
    with pytest.raises(UserError, match="last_layer_model_type"):
        run(**changes)


def test_a_class_of_ones_own_is_found_again_or_named(run, tmp_path, monkeypatch, capsys):
    own = EXAMPLE.read_text("utf-8")
    (tmp_path / "mine.py").write_text(own.replace("class MaxSim", "class Mine"), encoding="utf-8")
    plugin = str(tmp_path / "mine.py")
    done = run(**{**DC, **knobs(last_layer_model_type="mine"), "plugins": [plugin]})
    student, rows = str(done.folder / "student"), tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n", encoding="utf-8")
    words = ["predict", student, str(rows), "--task-name", "chat", "--output", str(tmp_path / "p")]
    assert cli.main([*words, "--plugin", plugin]) == 0
    monkeypatch.chdir(tmp_path)  # a folder without models/dc_bert.py
    assert cli.main(words) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "there is no interaction 'mine'" in printed
    assert "--plugin" in printed and "Traceback" not in printed


@pytest.mark.parametrize("more", longer(OURS), ids=str)
def test_killed_and_started_again_it_ends_as_unbroken(shared, teacher_of, tmp_path, more):
    """With soft labels: the teacher's logits are stored, and read again after the kill."""
    terms = knobs(weight_soft=1, two_tower=0.5, **more)
    changes = {**DC, **terms, "num_train_epochs": 3, "save_steps": 3}
    changes |= {"teacher_cache": True}

    run = Broken(shared, teacher_of(), tmp_path, changes)
    run.kill_again_and_again("again", random.Random(reseeded(2)), times=4, least=1)


EXACT = {
    **DC,
    "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
    "learning_rate": 0.2,
}


@pytest.mark.parametrize("more", longer(OURS), ids=str)
def test_two_processes_make_the_student_of_one(shared, tmp_path, more):
    teacher = world.build_network(tmp_path / "teacher", dropout=0.0)
    by_hand.make_right(teacher)
    config = json.loads((teacher / "config.json").read_text("utf-8"))
    (teacher / "config.json").write_text(json.dumps({**config, "classifier_dropout": 0.0}))

    exact = {**EXACT, **knobs(weight_soft=1, two_tower=0.5, **more)}
    two_processes_equal_one(shared, teacher, tmp_path, exact)
    one = world.weights_of(tmp_path / "one" / "student")
    start = world.weights_of(teacher)["bert.encoder.layer.0.intermediate.dense.weight"]
    moved = one["dc_bert.document_encoder.encoder.layer.0.intermediate.dense.weight"] - start
    assert (moved.abs().max() > 1e-4) != more.get("freeze_documents", False)


def test_the_best_on_dev_is_kept(run):
    done = run(**{**LEARNS, "keep": "best", "eval_steps": 4})
    assert "kept = best" in done.text
