"""Students of words in onnxruntime: the graph of one batch answers any other as torch does."""

import io

import numpy as np
import pytest
import torch
from tests.pages import fences
from torch import nn

from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

WORDS = ["where", "is", "the", "box", "sure", "rare"]
NAMES = ["input_ids", "attention_mask", "token_type_ids"]
PAIRS = [
    [("where is the box", "sure"), ("", "the")],
    [("is", "where is sure the box"), ("rare the box is", ""), ("", ""), ("unheard", "box")],
    [("sure", "rare")],
]
TEXTS = [[one for one, _ in rows] for rows in PAIRS]
FORMS = [
    *(("static", kind) for kind in ("mean", "weighted")),
    *(("bilstm", kind) for kind in ("last", "max", "attention")),
    *(("ltd", kind) for kind in ("weighted", "max", "attention")),
]


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer(words=[*SPECIAL, *WORDS], segmenter="words")


class Logits(nn.Module):
    """Tensors in, a tensor out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(*inputs).logits


def built(tokenizer, name, pooling, pairs):
    register_networks()
    ours = network(name)
    sizes = {"width": 4, "hidden": 5, "dropout": 0.0, "pooling": pooling}
    if name != "static":
        sizes["units"] = 3
    if name == "bilstm":
        sizes["layers"] = 2
    block = ours.Block(**sizes)
    model = new_classifier(ours.build_config(block, tokenizer, pairs=pairs), seed=1).eval()
    if name == "ltd":
        rarity = torch.linspace(1, 3, len(SPECIAL) + len(WORDS)).numpy()
        ours.fill(model, block, Start(tokenizer, None, None, None, 1, rarity=rarity.copy))
    return model


def session(model, rows):
    """What onnxruntime makes of the graph that is traced with these rows."""
    file = io.BytesIO()
    axes = {name: {0: "rows", 1: "places"} for name in NAMES} | {"logits": {0: "rows"}}
    torch.onnx.export(
        Logits(model),
        tuple(rows[name] for name in NAMES),
        file,
        input_names=NAMES,
        output_names=["logits"],
        dynamic_axes=axes,
        dynamo=False,
    )
    return runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("examples", [PAIRS, TEXTS], ids=["pairs", "texts"])
@pytest.mark.parametrize(("name", "pooling"), FORMS)
def test_other_rows_have_the_logits_of_torch(tokenizer, name, pooling, examples):
    model = built(tokenizer, name, pooling, pairs=examples is PAIRS)
    batches = [tokenizer(each, padding=True, return_tensors="pt") for each in examples]
    served = session(model, batches[0])
    for batch in batches:
        read = [one.name for one in served.get_inputs()]  # of one text without the types
        (found,) = served.run(None, {key: batch[key].numpy() for key in read})
        with torch.no_grad():
            expected = model(**batch).logits
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-4)


def test_the_code_of_the_page_runs(tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("jieba")
    code, by_itself = fences("docs/rnn_students.md", "python")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "output_bilstm" / "student"
    model = built(tokenizer, "bilstm", "last", pairs=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    names = {}
    exec(code.replace("how are you", "where is the box"), names)
    with torch.no_grad():
        expected = model(**names["rows"]).logits
    torch.testing.assert_close(torch.from_numpy(names["logits"]), expected, atol=1e-5, rtol=1e-4)
    alone = {}
    exec(by_itself.replace("how are you", "Where is  the box"), alone)
    assert alone["ids"][-1] == 2 and 1 not in alone["ids"]
    np.testing.assert_allclose(alone["answer"], expected[:1].numpy(), atol=1e-5, rtol=1e-4)
