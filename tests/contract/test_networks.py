"""Every network of the package: a new one is tested at once, with rows of one text and of two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chatstill.features.base import Needs
from chatstill.models.custom import is_own, register_networks
from chatstill.models.load import load_classifier, new_classifier
from chatstill.models.networks import network, networks
from chatstill.models.reading import read_features
from chatstill.models.save import save_student
from chatstill.text.byte_tokenizer import ByteTokenizer
from chatstill.text.tokenizers import resolve_tokenizer
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer
from tests.dc_bert_by_hand import dc_bert
from tests.draws import reseeded
from tests.elmo_by_hand import write_elmo
from tests.path import world

WORDS = "where is the box sure not a cat 我们 来".split()
PAIRS = [
    ("where is the box", "sure"),
    ("a cat", "not the box"),
    ("the", ""),
    ("", "sure"),
    ("", ""),
]
TEXTS = ["where is the box", "", "😀 😀", "   ", "unheard of"]
SMALL = {
    "static": {"width": 8, "hidden": 6, "dropout": 0.0},
    "bilstm": {"width": 6, "units": 4, "hidden": 6, "dropout": 0.0},
    "elmo": {"hidden": 6, "dropout": 0.0, "classifier_dropout": 0.0},
    "ltd": {"width": 6, "units": 4, "hidden": 6, "dropout": 0.0},
}
FORMS = {
    "static": [{}, {"pooling": "weighted"}, {"hidden": 0}],
    "bilstm": [
        {},
        {"pooling": "max", "layers": 2},
        {"pooling": "attention", "hidden": 0},
        {"train_vectors": False},
        {"train_vectors": "both"},
    ],
    "elmo": [
        {},
        {"fine_tune": True},
        {"fine_tune": True, "pooling": "max", "layer_norm": True},
        {"boundaries": True, "hidden": 0},
    ],
    "ltd": [
        {},
        {"pooling": "max", "vector_width": 5},
        {"pooling": "attention", "hidden": 0},
        {"train_vectors": "both"},
    ],
    "dc-bert": [
        {},
        {"kind": "linear", "shared": True},
        {"kind": "lstm", "teacher": "distilbert"},
        {"layers": 2, "teacher": "roberta"},
        {"teacher": "electra"},
        {"attends": "one_way"},
        {"width": 5},
        {"attends": "one_way", "width": 4, "layers": 2, "shared": True},
        {"attends": "one_way", "layers": 2, "teacher": "distilbert"},
    ],
}
CASES = [
    (name, form, texts - 1)
    for name, ours in networks().items()
    for form in FORMS.get(name, [{}])
    for texts in ours.texts
]
FIRST = [(name, FORMS.get(name, [{}])[0], ours.texts[-1] - 1) for name, ours in networks().items()]


@pytest.fixture(params=CASES, ids=str)
def chosen(request):
    return request.param


@pytest.fixture
def tokenizer(chosen):
    name, form, _ = chosen
    if name == "dc-bert":
        return world.tokenizer_of(form.get("teacher", "bert"))
    if network(name).reads_bytes:
        return ByteTokenizer(segmenter="words")
    return WordTokenizer(words=[*SPECIAL, *WORDS], segmenter="words")


@pytest.fixture
def case(chosen, tokenizer, tmp_path_factory):
    """(the network, whether it reads pairs), with weights that are all different from zero."""
    name, form, pairs = chosen
    register_networks()
    ours = network(name)
    if ours.made_by:  # out of a teacher
        model = dc_bert(**{"dropout": 0.0, "outputs": 3, **form}).model
    else:
        keys = {**SMALL.get(name, {}), **form}
        if ours.starts_from_files:
            keys["folder"] = str(write_elmo(tmp_path_factory.mktemp("elmo")))
        block = ours.Block(**keys)
        config = ours.build_config(block, tokenizer, pairs=bool(pairs))
        config.num_labels = 3
        model = new_classifier(config, seed=1)
    generator = torch.Generator().manual_seed(reseeded(3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval(), bool(pairs)


def rows_of(tokenizer, pairs, **how):
    texts = list(zip(*PAIRS, strict=True)) if pairs else [TEXTS]
    return tokenizer(*map(list, texts), padding=True, return_tensors="pt", **how)


def test_it_is_known_by_the_name_of_its_folder_and_of_its_config():
    for name, ours in networks().items():
        config_class, model_class = ours.classes()
        assert name == ours.model_type == config_class.model_type
        assert model_class.config_class is config_class
        assert network(name.upper()) is ours


def test_it_does_not_pass_for_a_users_plugin(case):
    assert not is_own(case[0])


def test_saved_and_loaded_it_answers_alike(case, tokenizer, tmp_path):
    model, pairs = case
    save_student(model, tokenizer, tmp_path / "student", ["x", "y", "z"])
    names = {file.name for file in (tmp_path / "student").iterdir()}
    assert not [name for name in names if not name.endswith((".json", ".safetensors", ".txt"))]
    from chatstill.config.schema import Architecture

    loaded = load_classifier(
        Architecture(model_name_or_path=str(tmp_path / "student")),
        role="teacher",
        num_labels=None,
        label_names=None,
        problem="classification",
        strict_head=True,
    )
    again = resolve_tokenizer(None, str(tmp_path / "student"), None)
    rows = rows_of(tokenizer, pairs)
    assert torch.equal(rows["input_ids"], rows_of(again, pairs)["input_ids"])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(**rows).logits, model(**rows).logits)


def test_a_row_alone_is_the_row_in_a_batch_and_padding_changes_nothing(case, tokenizer):
    model, pairs = case
    rows = rows_of(tokenizer, pairs)
    more = {key: torch.nn.functional.pad(value, (0, 5)) for key, value in rows.items()}
    left = {key: torch.nn.functional.pad(value, (3, 0)) for key, value in rows.items()}
    with torch.no_grad():
        together = model(**rows).logits
        assert torch.isfinite(together).all()
        for other in (more, left):
            torch.testing.assert_close(model(**other).logits, together, atol=1e-5, rtol=1e-5)
        for number, length in enumerate(rows["attention_mask"].sum(1).tolist()):
            alone = {key: value[number : number + 1, :length] for key, value in rows.items()}
            torch.testing.assert_close(
                model(**alone).logits[0], together[number], atol=1e-5, rtol=1e-5
            )


def test_where_one_text_ends_and_the_other_begins_is_seen(case, tokenizer):
    model, pairs = case
    if not pairs:
        pytest.skip("one text")
    cuts = [("where is the box", "sure"), ("where is", "the box sure")]
    rows = tokenizer(*map(list, zip(*cuts, strict=True)), padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**rows).logits
        by_separator = model(rows["input_ids"], rows["attention_mask"]).logits
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    torch.testing.assert_close(by_separator, logits)


def test_every_parameter_gets_a_gradient(case, tokenizer):
    model, pairs = case
    rows = rows_of(tokenizer, pairs)
    model.train()
    model(**rows).logits.square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    if not getattr(model.config, "train_vectors", True):
        assert without.pop(0) == "bilstm.words.weight"
    if not getattr(model.config, "fine_tune", True):  # the language model, and nothing else
        inside = [n for n, _ in model.named_parameters() if n.startswith("elmo.bilm.")]
        assert inside == without[: len(inside)]
        del without[: len(inside)]
    # a key's bias adds the same to every score of a row: its gradient is 0 by mathematics
    assert not [name for name in without if not name.endswith(("key.bias", "k_lin.bias"))]


def test_what_it_gives_is_what_it_says(case, tokenizer):
    model, pairs = case
    rows = rows_of(tokenizer, pairs)
    needs = Needs(logits="logits" in model.gives, vector="vector" in model.gives)
    found = read_features(model, rows, needs)
    torch.testing.assert_close(found.logits, model(**rows).logits)
    if needs.vector:
        assert found.vector.shape == (len(rows["input_ids"]), model.config.hidden_size)
    nothing = read_features(model, rows, Needs())
    assert nothing.logits is None and nothing.vector is None


def test_the_two_halves_of_a_pass_are_the_pass_itself(case, tokenizer):
    """Of a network that classifies by vectors of the texts alone; it can be indexed then."""
    model, pairs = case
    if not hasattr(model, "text_vectors"):
        pytest.skip("one vector of each text by itself is not all that it reads")
    sides = [list(side) for side in zip(*PAIRS, strict=True)] if pairs else [TEXTS]
    rows = [tokenizer(side, padding=True, return_tensors="pt") for side in sides]
    with torch.no_grad():
        vectors = [model.text_vectors(row["input_ids"], row["attention_mask"]) for row in rows]
        logits = model(**rows_of(tokenizer, pairs)).logits
        torch.testing.assert_close(model.logits_of(vectors), logits, atol=1e-5, rtol=1e-5)
        for row, vector in zip(rows, vectors, strict=True):
            given = read_features(model, row, Needs(vector=True)).vector
            torch.testing.assert_close(given, vector, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "chosen",
    [pytest.param(one, marks=[] if one in FIRST else pytest.mark.slow) for one in CASES],
    ids=str,
    indirect=True,
)
def test_transformers_alone_takes_the_folder_after_one_import(case, tokenizer, tmp_path):
    model, pairs = case
    save_student(model, tokenizer, tmp_path / "student", ["x", "y", "z"])
    text = {"text": "where is the box", "text_pair": "sure"} if pairs else "where is the box"
    folder = str(tmp_path / "student")
    code = (
        "import chatstill.auto\n"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline\n"
        f"model = AutoModelForSequenceClassification.from_pretrained({folder!r})\n"
        f"judge = pipeline('text-classification', {folder!r}, device=-1)\n"
        f"print(type(model).__name__, judge([{text!r}])[0]['score'])\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    kind, score = done.stdout.split()
    rows = tokenizer(*([text["text"], text["text_pair"]] if pairs else [text]), return_tensors="pt")
    with torch.no_grad():
        expected = model(**rows).logits.softmax(-1).max()
    assert kind == type(model).__name__
    assert float(score) == pytest.approx(float(expected), abs=1e-5)
