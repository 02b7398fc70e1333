"""A saved student is an ordinary checkpoint: complete or absent, and read without this package."""

import copy
import json
import os
import subprocess
import sys

import pytest
import torch
from tiny_models import tiny_batch, tiny_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
    PreTrainedTokenizerFast,
)

from chatstill.data.encoded import Lengths
from chatstill.models import save
from chatstill.models.layers import copy_layers
from chatstill.models.save import recover_saved, save_student
from chatstill.models.theseus.host import build_host, group_layers
from chatstill.readers.word_pieces import RowEncoder

pytestmark = pytest.mark.smoke

READER = """
import sys
sys.modules["chatstill"] = None
try:
    import chatstill
except ImportError:
    pass
else:
    raise SystemExit("chatstill can be imported")
import json, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
folder, batch, texts = sys.argv[1], torch.load(sys.argv[2], weights_only=True), ["w3 w4", "w5"]
model = AutoModelForSequenceClassification.from_pretrained(folder)
with torch.no_grad():
    torch.save(model(**batch).logits, sys.argv[3])
found = pipeline("text-classification", folder, top_k=None)(texts)
tokens = AutoTokenizer.from_pretrained(folder)(texts[0])["input_ids"]
print(json.dumps({"found": found, "tokens": tokens, "class": type(model).__name__}))
"""


@pytest.fixture
def tokenizer(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(35))]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    return BertTokenizer(str(tmp_path / "vocab.txt"))


def test_student_is_read_by_a_process_that_cannot_import_chatstill(tmp_path, tokenizer):
    teacher = tiny_model("bert", 4)
    student = copy_layers(teacher, 2, [0, 1])
    build_host(student, teacher, group_layers(4, 2)).train()
    save_student(student, tokenizer, tmp_path / "out" / "model", ["no", "yes"])
    torch.save(tiny_batch(), tmp_path / "batch.pt")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", READER, "out/model", "batch.pt", "logits.pt"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    with torch.no_grad():
        wanted = student(**tiny_batch()).logits
    found = torch.load(tmp_path / "logits.pt", weights_only=True)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)  # it may have other threads
    assert result["class"] == "BertForSequenceClassification"
    assert result["tokens"] == tokenizer("w3 w4")["input_ids"] and 1 not in result["tokens"]
    assert {item["label"] for item in result["found"][0]} == {"no", "yes"}
    assert abs(sum(item["score"] for item in result["found"][0]) - 1) < 1e-6


def test_files_and_config(tmp_path, tokenizer):
    model = tiny_model("bert", 2)
    save_student(model, tokenizer, tmp_path / "m", ["no", "yes"])
    config = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "no", "1": "yes"} and config["label2id"] == {
        "no": 0,
        "yes": 1,
    }
    assert config["problem_type"] == "single_label_classification"
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert (tmp_path / "m" / "model.safetensors").is_file()
    assert not list((tmp_path / "m").glob("*.bin"))
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1"}


@torch.no_grad()
def test_a_pairs_types_are_given_by_the_saved_tokenizer_unasked(tmp_path, tokenizer):
    """The network was trained with them; a tokenizer of ``tokenizer.json`` alone names no inputs."""
    plain = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, **tokenizer.special_tokens_map
    )
    settings = copy.deepcopy(plain.init_kwargs)
    model = tiny_model("bert", 2).eval()
    model.bert.embeddings.token_type_embeddings.weight.normal_()
    save_student(model, plain, tmp_path / "m", ["no", "yes"])
    save_student(tiny_model("distilbert", 2), plain, tmp_path / "without", ["no", "yes"])
    assert plain.init_kwargs == settings and "token_type_ids" not in plain.model_input_names

    row = RowEncoder(plain, Lengths(32))(["w3 w4"], ["w5"])
    ids, types = torch.tensor(row.ids[None]), torch.tensor(row.types[None].astype("int64"))
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    batch = AutoTokenizer.from_pretrained(tmp_path / "m")("w3 w4", "w5", return_tensors="pt")
    torch.testing.assert_close(
        again(**batch).logits, model(ids, torch.ones_like(ids), types).logits
    )
    assert "token_type_ids" not in AutoTokenizer.from_pretrained(tmp_path / "without")("a", "b")


def test_regression_and_sigmoid(tmp_path):
    model = tiny_model("bert", 2, num_labels=1)
    save_student(model, None, tmp_path / "r", [], "regression")
    save_student(model, None, tmp_path / "s", ["bad", "good"], "classification")
    first, second = (
        json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8")) for name in "rs"
    )
    assert first["problem_type"] == "regression"
    assert second["id2label"] == {"0": "good"}


def test_saving_again_replaces_and_leaves_nothing_beside(tmp_path):
    model = tiny_model("bert", 2)
    save_student(model, None, tmp_path / "m", [])
    (tmp_path / "m" / "stale.txt").write_text("x", encoding="utf-8")
    save_student(model, None, tmp_path / "m", [])
    assert not (tmp_path / "m" / "stale.txt").exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m"]


@pytest.mark.parametrize("moment", ["save_pretrained", "sync"])
def test_a_save_that_fails_leaves_the_old_one(tmp_path, monkeypatch, moment):
    model = tiny_model("bert", 2)
    save_student(model, None, tmp_path / "m", [])
    before = (tmp_path / "m" / "model.safetensors").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((model, moment) if moment == "save_pretrained" else (save, moment)), full)
    with pytest.raises(OSError):
        save_student(model, None, tmp_path / "m", [])
    monkeypatch.undo()
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before
    save_student(model, None, tmp_path / "m", [])
    assert [item.name for item in tmp_path.iterdir()] == ["m"]


def test_recovery_between_the_two_renames(tmp_path):
    model = tiny_model("bert", 2)
    save_student(model, None, tmp_path / "m", [])
    (tmp_path / "m").rename(tmp_path / ".m.old")
    recover_saved(tmp_path / "m")
    assert (tmp_path / "m" / "config.json").is_file() and not (tmp_path / ".m.old").exists()


def test_leftovers_of_killed_saves_go(tmp_path):
    model = tiny_model("bert", 2)
    save_student(model, None, tmp_path / "m", [])
    # killed after both renames, and in the middle of writing, by this version and by an earlier one
    for name in (".m.old", ".m.0123456789ab.new", ".m.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stale.txt").write_text("x", encoding="utf-8")
        os.utime(tmp_path / name, (0, 0))
    save_student(model, None, tmp_path / "m", [])
    assert [item.name for item in tmp_path.iterdir()] == ["m"]
    assert not (tmp_path / "m" / "stale.txt").exists()
