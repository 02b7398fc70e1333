"""A static student from its configuration to its folder: words, sides, vectors, interrupts, processes."""

import json
import random
import shutil

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file

from chatstill import cli
from chatstill.data.encoded import Lengths
from chatstill.errors import UserError
from chatstill.readers.word_pieces import RowEncoder
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import refused
from tests.longer import longer

from . import world
from .broken import Broken
from .same_student import two_processes_equal_one

STATIC = {
    "model_type": "StaticDistill",
    "theseus_scheduler": None,
    "student_architectures": {"network": {"width": 8, "hidden": 6, "vectors": "random"}},
    "learning_rate": 0.03,
    "num_train_epochs": 12,
}


def network(**keys):
    return {"student_architectures": {"network": {"width": 8, "hidden": 6, **keys}}}


@pytest.fixture(scope="module")
def made(shared, teacher_of, tmp_path_factory):
    """A finished run and what it printed."""
    folder = tmp_path_factory.mktemp("static")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **STATIC)
    where = world.console()
    pipeline.distill(world.loaded(values, folder), console=where)
    return folder / "out", world.said(where)


def test_it_learns_and_its_folder_says_what_it_is(made):
    folder, said = made
    assert "the student reads words, cut by 'words'" in said
    assert "by the language of the training texts" in said
    config = json.loads((folder / "student" / "config.json").read_text("utf-8"))
    assert config["model_type"] == "static" and config["texts"] == 2
    words = json.loads((folder / "student" / "words.json").read_text("utf-8"))
    assert config["vocab_size"] == len(words) and words[:3] == ["[PAD]", "[UNK]", "[SEP]"]
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9
    card = (folder / "student" / "README.md").read_text("utf-8")
    assert "import chatstill.auto" in card and "pip install chatstill" in card


def test_its_folder_is_evaluated_and_predicts_unasked(made, tmp_path, capsys):
    folder, _ = made
    assert cli.main(["evaluate", str(folder)]) == 0
    printed = capsys.readouterr().out
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert f"mrr = {found['dev']['metrics']['mrr']:g}" in printed
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n\tno\n😀\t \n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--output", str(tmp_path / "p.tsv")]) == 0
    assert (tmp_path / "p.tsv").read_text("utf-8").count("\n") == 4


@pytest.mark.parametrize("kind", longer(["roberta", "bert", "llama"]))
def test_pieces_of_any_teacher_part_the_two_texts(run, teacher_of, kind):
    """A tokenizer without token types: the rows' sides are marked all the same."""
    changes = {**STATIC, **network(segmenter="pieces", vectors="random")}
    done = run(teacher=teacher_of(kind), name=kind, **changes)
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9
    student = done.folder / "student"
    assert not (student / "words.json").exists()
    from chatstill.text.tokenizers import resolve_tokenizer

    tokenizer = resolve_tokenizer(None, str(student), None)
    import chatstill.auto  # noqa: F401

    alone = tf.AutoTokenizer.from_pretrained(student)  # its own files, not a tokenizer of words
    assert alone("the box", "sure")["input_ids"] == tokenizer("the box", "sure")["input_ids"]
    encoded = RowEncoder(tokenizer, Lengths(32), mark_sides=True)(["the box"], ["sure"])
    model = tf.AutoModelForSequenceClassification.from_pretrained(student).eval()
    ids, types = torch.tensor(encoded.ids[None]), torch.tensor(encoded.types[None])
    with torch.no_grad():
        by_types = model(ids, torch.ones_like(ids), types).logits
        plain = model(**alone("the box", "sure", return_tensors="pt")).logits
    torch.testing.assert_close(plain, by_types)
    assert set(encoded.types.tolist()) == {0, 1}
    assert sorted(encoded.types.tolist()) == encoded.types.tolist()


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_a_single_text_is_read_as_its_tokenizer_has_it(teacher_of, kind):
    """A teacher that shares the rows was trained with the type that the separator has there."""
    tokenizer = tf.AutoTokenizer.from_pretrained(teacher_of(kind))
    whole = tokenizer("the box", return_token_type_ids=True)
    for marked in (False, True):
        encoded = RowEncoder(tokenizer, Lengths(32), mark_sides=marked)(["the box"], [None])
        assert encoded.ids.tolist() == whole["input_ids"]
        assert encoded.types.tolist() == whole["token_type_ids"]


def test_words_that_are_too_rare_are_told_as_that(run):
    changes = {key: value for key, value in STATIC.items() if key != "student_architectures"}
    said = run("check", **changes, **network(min_count=15)).text
    assert said.count("min_count or a higher max_words") == 2, "of train and of dev"
    assert "tokenizer for this language" not in said and "of words; dev" in said


def test_vectors_of_the_teacher_and_terms_of_vectors(run):
    terms = {"terms": {"vec": {"feature": "vector", "loss": "mse", "weight": 1}}}
    done = run(**{**STATIC, **network(vectors="teacher"), "distillation": terms})
    assert "its word vectors are the teacher's" in done.text and "PCA from 16 to 8" in done.text
    assert "term vec" in done.text
    found = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    assert found["dev"]["metrics"]["auc"] > 0.9


def test_terms_of_layers_are_refused_by_name(run):
    terms = {"terms": {"states": {"feature": "hidden_states", "loss": "mse", "weight": 1}}}
    with refused("terms.not-given", "student", "hidden_states"):
        run("check", **{**STATIC, "distillation": terms})


def test_theseus_cannot_make_one(run):
    with pytest.raises(UserError) as caught:
        run("check", student_architectures={"model_type": "static"})
    assert "static" in str(caught.value)


def test_another_segmenter_is_another_run(run):
    done = run(**STATIC)
    with pytest.raises(UserError, match=r"network\.segmenter"):
        run(**{**STATIC, **network(segmenter="characters", vectors="random")})
    assert (done.folder / "student").is_dir()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def cut(text):\n    raise RuntimeError('no dictionary')\n", "fails on .*no dictionary"),
        ("def cut(text):\n    return text.upper().split()\n", "gives another text than it got"),
        ("words = 1\n", "has no function `cut`"),
        ("import not_there_at_all\n", "cannot be imported"),
    ],
)
def test_a_faulty_segmenter_is_one_message_and_nothing_is_written(
    run, tmp_path, monkeypatch, code, said
):
    name = f"cutter_{abs(hash(code)) % 10**6}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=said) as caught:
        run(**{**STATIC, **network(segmenter=name, vectors="random")})
    assert len(caught.value.problems) == 1
    assert not (tmp_path / "out").exists()


def test_a_module_of_ones_own_cuts_the_words(run, tmp_path, monkeypatch):
    (tmp_path / "my_cutter.py").write_text("def cut(text):\n    return text.split()\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = run(**{**STATIC, **network(segmenter="my_cutter", vectors="random")})
    settings = json.loads((done.folder / "student" / "tokenizer_config.json").read_text("utf-8"))
    assert settings["segmenter"] == "my_cutter"


def test_a_segmenter_that_cuts_otherwise_than_in_training_is_refused(made, tmp_path, capsys):
    folder = tmp_path / "student"
    shutil.copytree(made[0] / "student", folder)
    path = folder / "tokenizer_config.json"
    values = json.loads(path.read_text("utf-8"))
    values["segmenter_probe"], values["segmenter_version"] = ["我们", "在"], "0.1"
    path.write_text(json.dumps(values), encoding="utf-8")
    rows = tmp_path / "rows.tsv"
    rows.write_text("a\tb\n", encoding="utf-8")
    assert cli.main(["predict", str(folder), str(rows), "--task-name", "chat"]) == 2
    printed = capsys.readouterr().err
    assert "cuts otherwise than 0.1 of training" in printed and "Traceback" not in printed


def test_killed_and_started_again_it_ends_as_unbroken(shared, teacher_of, made, tmp_path):
    changes = {**STATIC, "num_train_epochs": 3, "save_steps": 3}

    run = Broken(shared, teacher_of(), tmp_path, changes)
    run.kill_again_and_again("again", random.Random(reseeded(2)), times=4, least=1)
    words = [
        (tmp_path / name / "student" / "words.json").read_bytes() for name in ("unbroken", "again")
    ]
    assert words[0] == words[1]


def test_types_that_only_the_teacher_would_read_otherwise_are_refused(run, copy_of):
    """Marking the sides in rows that both share would change what the teacher reads."""
    folder = copy_of()
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text("utf-8"))
    for part in values["post_processor"]["pair"]:
        next(iter(part.values()))["type_id"] = 0
    path.write_text(json.dumps(values), encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    about = json.loads(settings.read_text("utf-8"))
    about["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings.write_text(json.dumps(about), encoding="utf-8")
    pieces = {**STATIC, **network(segmenter="pieces", vectors="random")}
    with refused("words.sides-not-told-apart"):
        run("check", teacher=folder, **pieces)
    run("check", teacher=folder, **STATIC)  # with words of its own it has rows of its own


def test_types_that_plain_transformers_would_not_give_the_teacher_are_told(run, copy_of):
    folder = copy_of()
    assert "model_input_names" not in run("check", teacher=folder, **STATIC).text
    settings = folder / "tokenizer_config.json"
    about = json.loads(settings.read_text("utf-8"))
    about["model_input_names"] = ["input_ids", "attention_mask"]
    settings.write_text(json.dumps(about), encoding="utf-8")
    said = run("check", teacher=folder, name="unnamed", **STATIC).text
    assert "model_input_names" in said and str(folder) in said


def test_a_second_text_that_comes_late_makes_a_network_of_two():
    from chatstill.config.schema import RunConfig
    from chatstill.readers.fit import fit_reader
    from chatstill.tasks.base import Example
    from chatstill.text.segment import SAMPLE

    values = {"student_architectures": {"model_type": "static", "network": {"segmenter": "words"}}}
    rows = [Example(f"train-{n}", n + 1, "one text") for n in range(SAMPLE + 1)]
    pieces = world.tokenizer_of("bert")
    for pairs in (False, True):
        if pairs:
            rows[-1] = Example("train-last", 1, "one text", "another")
        fitted = fit_reader(RunConfig.model_validate(values), lambda: rows, pieces)
        assert fitted.pairs is pairs and fitted.config(None).texts == 1 + pairs


@pytest.mark.parametrize("file", ["words.json", "user_dictionary.txt"])
def test_other_words_of_a_static_teacher_are_another_run(made, tmp_path, file):
    """Nothing in tokenizer_config.json names these files."""
    from chatstill.run.fingerprint import content_of

    folder = tmp_path / "student"
    shutil.copytree(made[0] / "student", folder)
    before = content_of(str(folder))
    with (folder / file).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert content_of(str(folder)) != before


EXACT = {
    **STATIC,
    **network(dropout=0.0, vectors="random"),
    "training_arguments": {"optim": "sgd"},  # Adam divides by gradients near 0
    "learning_rate": 0.5,
    "num_train_epochs": 3,
}


def test_two_processes_make_the_student_of_one(shared, teacher_of, made, tmp_path):
    two_processes_equal_one(shared, teacher_of(), tmp_path, EXACT)
    words = [(tmp_path / name / "student" / "words.json").read_bytes() for name in ("one", "two")]
    assert words[0] == words[1]


def test_a_misspelt_segmenter_is_named_with_its_place_and_the_nearest(shared, teacher_of, tmp_path):
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **STATIC)
    values |= network(segmenter="jeiba")
    with pytest.raises(UserError, match="no segmenter or module 'jeiba'") as caught:
        world.loaded(values, tmp_path)
    (problem,) = caught.value.problems
    assert "line 1" in problem.place and "Did you mean 'jieba'?" in problem.hint


def test_the_teachers_vector_may_be_weighted_by_rare_tokens(shared, teacher_of, tmp_path):
    """The teacher's own view holds the weights; stored or live, the student comes out the same."""
    term = {"feature": "vector", "loss": "mse", "weight": 1, "pooling": "weighted"}
    students = []
    for cache in (True, False):
        folder = tmp_path / str(cache)
        values = world.values_for(shared / "data", folder, teacher_of(), **STATIC)
        values |= {"distillation": {"terms": {"vectors": term}}, "num_train_epochs": 1}
        where = world.console()
        pipeline.distill(world.loaded({**values, "teacher_cache": cache}, tmp_path), console=where)
        assert "weighted by inverse document frequency" in world.said(where)
        views = [*(folder / "cache").glob("*/token_weights.bin")]
        assert len(views) == 2  # of train and dev, as the teacher reads them
        students.append(load_file(folder / "student" / "model.safetensors"))
    assert students[0].keys() == students[1].keys()
    for name, tensor in students[0].items():
        torch.testing.assert_close(tensor, students[1][name], rtol=1e-3, atol=1e-5, msg=name)
