"""Weights that are not read: each refusal says what the file is and what to do."""

import pickle
import zipfile
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from tests.found import refused
from tiny_models import tiny_model

from chatstill.errors import UserError
from chatstill.models.hub import hub_errors
from chatstill.models.weights import find_weights, read_tensors

PLACE = "teacher_architectures.model_name_or_path"


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_tensors(find_weights(str(path), PLACE), PLACE)
    text = str(caught.value)
    assert PLACE in text and Path(path).name.split(".")[0] in text
    return text


def test_a_run_that_was_stopped_before_its_first_checkpoint(tmp_path):
    (tmp_path / "run.json").write_text('{"state": "running"}', encoding="utf-8")
    with refused("run.not-ended", "before its first checkpoint"):
        find_weights(str(tmp_path), "MODEL")


@pytest.mark.parametrize(
    ("given", "files", "expected"),
    [
        (
            "bert_model.ckpt",
            ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"],
            "from_tf",
        ),
        ("bert_model.ckpt.index", ["bert_model.ckpt.index"], "from_tf"),
        ("b.ckpt.data-00000-of-00001", ["b.ckpt.data-00000-of-00001"], "from_tf"),
        ("tf_model.h5", ["tf_model.h5"], "from_tf"),
        ("flax_model.msgpack", ["flax_model.msgpack"], "from_flax"),
        ("model.onnx", ["model.onnx"], "ONNX"),
        ("folder", ["folder/bert_model.ckpt.index", "folder/bert_config.json"], "from_tf"),
        ("folder", ["folder/tf_model.h5", "folder/config.json"], "from_tf"),
        ("folder", ["folder/flax_model.msgpack"], "from_flax"),
        ("folder", ["folder/adapter_model.safetensors"], "merge_and_unload"),
        ("folder", ["folder/config.json", "folder/vocab.txt"], "it holds config.json, vocab.txt"),
        ("folder", ["folder/run.json", "folder/checkpoints/a"], "chatstill finish"),
    ],
)
def test_other_formats(tmp_path, given, files, expected):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert expected in refusal(tmp_path / given)


def test_torch_weights_win_over_tensorflow_ones_beside_them(tmp_path):
    tiny_model("bert", 1).save_pretrained(tmp_path)
    (tmp_path / "tf_model.h5").write_bytes(b"x")
    assert find_weights(str(tmp_path), PLACE).files == (tmp_path / "model.safetensors",)


def test_a_pickled_model_is_refused_and_not_run(tmp_path):
    torch.save(tiny_model("bert", 1), tmp_path / "whole.bin")
    text = refusal(tmp_path / "whole.bin")
    assert "transformers.models.bert" in text and "save_pretrained" in text


def test_a_malicious_pickle_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weight": Evil()}, tmp_path / "evil.bin")
    assert "run code" in refusal(tmp_path / "evil.bin")
    (tmp_path / "evil2.bin").write_bytes(pickle.dumps(Evil()))
    assert "run code" in refusal(tmp_path / "evil2.bin")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["m.safetensors", "m.bin"])
@pytest.mark.parametrize("content", [b"", b"garbage and more garbage", None])
def test_damaged_files(tmp_path, name, content):
    file = tmp_path / name
    if content is None:  # cut short
        if name.endswith("bin"):
            torch.save({"a": torch.ones(1000)}, file)
        else:
            tiny_model("bert", 1).save_pretrained(tmp_path)
            (tmp_path / "model.safetensors").rename(file)
        content = file.read_bytes()[:600]
    file.write_bytes(content)
    text = refusal(file)
    assert f"{len(content)} bytes" in text


def test_a_git_lfs_pointer(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "pytorch_model.bin").write_bytes(pointer)
    assert "git lfs pull" in refusal(tmp_path / "pytorch_model.bin")


def test_a_bin_file_without_a_network(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.bin")
    assert "no named tensors" in refusal(tmp_path / "list.bin")


@pytest.mark.parametrize("path", ["./nowhere/at all", "/no/such/folder", "x.bin", "a/b/c"])
def test_paths_that_are_nothing(path):
    with refused("weights.missing"):
        find_weights(path, PLACE)


@pytest.mark.parametrize("name", ["bert-base-uncased", "hfl/chinese-roberta-wwm-ext"])
def test_hub_names(name):
    assert find_weights(name, PLACE).hub_name == name


def test_hub_out_of_reach(monkeypatch, tmp_path):
    from transformers import PretrainedConfig

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as caught, hub_errors("some/model", PLACE):
        PretrainedConfig.get_config_dict("some/model", cache_dir=str(tmp_path))
    text = str(caught.value)
    assert "some/model" in text and "HF_ENDPOINT" in text and "HF_HUB_OFFLINE" in text
    assert "./some/model" in text


def test_a_hub_name_goes_through_from_pretrained(monkeypatch, tmp_path):
    """A cache that was filled before stands for the hub: layout of huggingface_hub, used "
    "offline."""
    from test_load import Block, load

    revision = "0" * 40
    home = tmp_path / "models--some--model"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(revision, encoding="utf-8")
    tiny_model("bert", 2).save_pretrained(home / "snapshots" / revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    loaded = load(Block("bert", "some/model"), cache_dir=str(tmp_path))
    assert loaded.report.complete and loaded.report.source == "some/model"


NOT_PLAIN = {
    "sparse": (lambda: torch.eye(3).to_sparse(), "sparse"),
    "csr": (lambda: torch.eye(3).to_sparse_csr(), "sparse"),
    "expanded": (lambda: torch.zeros(1).expand(10**6, 10**6), "of 1,000,000,000,000 numbers"),
    "meta": (lambda: torch.empty(10**9, device="meta"), "without values"),
    "quantized": (
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "quantized",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "what"), NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_tensors_that_cannot_be_copied_are_named(tmp_path, make, what):
    torch.save({"bert.pooler.weight": make()}, tmp_path / "model.bin")
    text = refusal(tmp_path / "model.bin")
    assert "bert.pooler.weight" in text and what in text
    assert "\n" not in text.partition("\n    ")[0]


def test_a_thousand_views_of_one_storage_are_refused(tmp_path):
    one = torch.zeros(100_000)
    torch.save({f"layer.{n}": one[:] for n in range(1000)}, tmp_path / "model.bin")
    assert "its tensors claim 400,000,000" in refusal(tmp_path / "model.bin")


def test_a_compressed_file_is_not_unpacked(tmp_path):
    torch.save({"w": torch.zeros(100_000)}, tmp_path / "plain.bin")
    packed = tmp_path / "packed.bin"
    with zipfile.ZipFile(tmp_path / "plain.bin") as plain:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in plain.namelist():
                archive.writestr(name, plain.read(name))
    assert "would unpack to" in refusal(packed)


def test_views_and_tied_tensors_are_read_as_tensors_of_their_own(tmp_path):
    table = torch.arange(12.0).reshape(3, 4)
    tensors = {"a": table, "b": table, "c": table.T, "d": table[1:].half(), "e": torch.tensor(7)}
    torch.save(tensors, tmp_path / "model.bin")
    found = read_tensors(find_weights(str(tmp_path / "model.bin"), PLACE), PLACE)
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor.float() if name != "e" else tensor), name
        assert found[name].is_contiguous()
    found["a"][0, 0] = 5
    assert found["b"][0, 0] == 0
