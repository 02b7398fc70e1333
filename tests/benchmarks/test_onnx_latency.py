"""onnxruntime's benchmark: the same answers from both, whatever order a tokenizer gives its tensors in."""

import json

import pytest
import torch
from tests.path import world

from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer


def test_both_libraries_give_the_same_logits(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    import onnx_latency

    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    teacher = world.build_network(tmp_path / "teacher", layers=1)
    register_networks()
    tokenizer = WordTokenizer(words=[*SPECIAL, "where", "is", "box"], segmenter="words")
    ours = network("bilstm")
    block = ours.Block(width=4, units=3, hidden=5)
    student = new_classifier(ours.build_config(block, tokenizer, pairs=True), seed=1)
    student.save_pretrained(tmp_path / "student")
    tokenizer.save_pretrained(tmp_path / "student")
    rows = tmp_path / "some" / "test.jsonl"
    rows.parent.mkdir()
    pairs = [("where is", "the box"), ("box", ""), ("is", "where where is")]
    lines = [json.dumps({"text": one, "other": two}) for one, two in pairs]
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = [f"teacher={teacher}", f"BiLSTM={tmp_path / 'student'}", "--rows", str(rows)]
    places = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    assert onnx_latency.main([*words, *places]) == 0
    found = json.loads((tmp_path / "out" / "onnx_latency.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in found["networks"]] == ["teacher", "BiLSTM"]
    assert all(one["difference"] < 1e-4 for one in found["networks"])
    assert "| BiLSTM |" in capsys.readouterr().out
