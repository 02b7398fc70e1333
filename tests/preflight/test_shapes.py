"""Lengths, precision and launcher, with the figures in the message."""

import json

import pytest
import torch
from tests.found import codes
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from chatstill.models import lengths as shapes
from chatstill.preflight import machine

SMALL = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 50,
}
CASES = [
    (BertConfig(**SMALL, max_position_embeddings=40), BertForSequenceClassification, 40),
    (RobertaConfig(**SMALL, max_position_embeddings=42), RobertaForSequenceClassification, 40),
    (
        DistilBertConfig(dim=8, hidden_dim=8, n_layers=1, n_heads=2, max_position_embeddings=40),
        DistilBertForSequenceClassification,
        40,
    ),
    (
        BartConfig(
            d_model=8,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=1,
            decoder_attention_heads=1,
            encoder_ffn_dim=8,
            decoder_ffn_dim=8,
            vocab_size=50,
            max_position_embeddings=40,
        ),
        BartForSequenceClassification,
        40,
    ),
    (LlamaConfig(**SMALL, max_position_embeddings=40), LlamaForSequenceClassification, None),
]


@pytest.mark.parametrize(("config", "kind", "usable"), CASES, ids=lambda case: str(case)[:12])
def test_usable_positions_from_the_model_and_from_its_configuration(config, kind, usable):
    assert shapes.usable_positions(config, kind(config)) == usable
    assert shapes.usable_positions(config) == usable


def test_roberta_base_serves_512_of_514():
    config = RobertaConfig(max_position_embeddings=514)
    assert shapes.check_lengths(512, config, role="teacher") == []
    (problem,) = shapes.check_lengths(513, config, role="teacher")
    assert problem.severity == "error"
    assert all(number in str(problem) for number in ("513", "512", "514"))


def test_the_usable_positions_are_what_the_model_really_bears():
    config = CASES[1][0]
    model = RobertaForSequenceClassification(config).eval()
    model(input_ids=torch.full((1, 40), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, 41), 5))


def test_a_rotary_model_is_warned_beyond_what_it_was_made_for():
    (problem,) = shapes.check_lengths(64, CASES[4][0], role="student")
    assert problem.severity == "warning"
    assert shapes.check_lengths(40, CASES[4][0], role="student") == []


def test_parts_longer_than_the_whole_are_a_warning():
    config = BertConfig()
    (problem,) = shapes.check_lengths(
        64, config, role="teacher", num_special=3, max_query_length=40, max_reply_length=22
    )
    assert problem.severity == "warning" and "65" in problem.message
    (alone,) = shapes.check_lengths(64, config, role="teacher", num_special=4, max_reply_length=61)
    assert alone.code == problem.code and "max_query_length" not in alone.message
    assert not shapes.check_lengths(64, config, role="teacher", num_special=4, max_reply_length=60)


def test_precision():
    assert machine.check_precision(fp16=False, bf16=False, device="cpu") == []
    (problem,) = machine.check_precision(fp16=True, bf16=False, device="cpu")
    assert problem.severity == "error"
    (problem,) = machine.check_precision(fp16=False, bf16=True, device="cpu", native=False)
    assert problem.severity == "warning"
    assert machine.check_precision(fp16=False, bf16=True, device="cpu", native=True) == []
    assert machine.check_precision(fp16=True, bf16=False, device="cuda") == []
    assert machine.check_precision(fp16=True, bf16=True, device="cuda", native=True)


def test_bf16_units_are_read_from_the_machine(monkeypatch):
    assert isinstance(machine.native_bf16("cpu"), bool)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False})
    assert not machine.native_bf16("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert machine.native_bf16("cpu")


@pytest.mark.parametrize(
    ("launched", "precision", "told"),
    [
        ("bf16", "float32", True),
        ("fp8", "bf16", True),
        ("bf16", "bf16", False),
        ("no", "bf16", False),
        ("", "float32", False),
    ],
)
def test_another_precision_of_the_launcher_is_told(launched, precision, told):
    environ = {"ACCELERATE_MIXED_PRECISION": launched} if launched else {}
    problems = machine.check_launcher({}, environ, precision=precision)
    assert codes(problems) == ["machine.launcher-precision"] * told
    assert all(problem.severity == "warning" for problem in problems)


def test_deepspeed_zero_3_is_refused_wherever_it_is_asked_for(tmp_path):
    file = tmp_path / "ds.json"
    file.write_text(json.dumps({"zero_optimization": {"stage": 3}}), encoding="utf-8")
    launched = {"ACCELERATE_USE_DEEPSPEED": "true"}
    cases = [
        ({"deepspeed": str(file)}, {}),
        ({"deepspeed": {"zero_optimization": {"stage": 3}}}, {}),
        ({"deepspeed": "missing.json"}, {}),
        ({}, {**launched, "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}),
        ({}, {**launched, "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file)}),
        ({}, launched),
    ]
    for arguments, environ in cases:
        (problem,) = machine.check_launcher(arguments, environ)
        assert problem.severity == "error" and "ZeRO-3" in problem.message
    (problem,) = machine.check_launcher({}, {**launched, "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"})
    assert problem.severity == "warning"
    assert machine.check_launcher({"deepspeed": None}, {"ACCELERATE_USE_FSDP": "true"}) == []
