"""What a benchmark's network costs: measured once, and again where an older record lacks a figure."""

import json

import pytest

import network_costs
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer


@pytest.fixture
def run(tmp_path):
    register_networks()
    tokenizer = WordTokenizer(words=[*SPECIAL, "where", "is", "box"], segmenter="words")
    ours = network("bilstm")
    block = ours.Block(width=4, units=3, hidden=5)
    student = new_classifier(ours.build_config(block, tokenizer, pairs=True), seed=1)
    student.save_pretrained(tmp_path / "student")
    tokenizer.save_pretrained(tmp_path / "student")
    rows = [{"text": "where is", "other": "the box"}, {"text": "box", "other": ""}] * 40
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def costs_of(run):
    return network_costs.costs(run, run / "student", run / "test.jsonl", 16)


def by_hand(words, width=4, units=3, hidden=5, labels=2):
    """Vectors, two directions of one layer (weights and two biases), what is made of the pair, logits."""
    direction = 4 * units * (width + units) + 8 * units
    joined = 4 * 2 * units
    return words * width + 2 * direction + (joined + 1) * hidden + (hidden + 1) * labels


def test_parameters_are_counted_and_times_are_those_of_whole_rows(run):
    found = costs_of(run)
    assert found["parameters"] == by_hand(words=len(SPECIAL) + 3)
    assert found["ms"]["ids"] > 0 and found["ms"]["network"] > 0
    assert found["rows a second"] > 0 and found["megabytes"] > 0


def test_they_are_measured_once(run):
    assert costs_of(run) == costs_of(run)


def test_a_record_without_parameters_is_measured_again_where_the_network_is_there(run):
    old = {"megabytes": 7.0, "ms": {"ids": 1.0, "network": 2.0, "device": "another"}}
    (run / "costs.json").write_text(json.dumps(old))
    assert costs_of(run)["parameters"] == by_hand(words=len(SPECIAL) + 3)
    (run / "costs.json").write_text(json.dumps(old))
    (run / "student").rename(run / "gone")
    assert costs_of(run) == old
