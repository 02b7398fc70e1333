"""The rule by which a teacher's outputs are stored: counts and bytes alone."""

from dataclasses import replace

import pytest

from chatstill.data.teacher_cache_rule import CacheCost, decide, in_words

LOGITS = CacheCost(
    num_bytes=160_000,
    num_tokens=240_000,
    passes=3,
    flops_per_token=2e7,
    parts="logits",
)
STATES = replace(LOGITS, num_bytes=1_800_000_000, parts="hidden_states 0 2 4 6, attention 2 4 6")
MUCH = 10**12


def rule(cost=LOGITS, mode="auto", budget=10.0, device="cpu", free=MUCH, refusal=""):
    return decide(mode, budget, cost, device=device, free_bytes=free, refusal=refusal)


def test_several_epochs_are_worth_it():
    found = rule()
    assert found.use and found.num_bytes == 160_000
    assert found.text == "stored: 160 kB (logits); one pass in place of 3"


def test_one_epoch_is_not_unless_it_lies_there_already():
    once = replace(LOGITS, passes=1)
    assert not rule(once).use
    assert "stored it would be 160 kB" in rule(once).text
    there = rule(replace(once, present=1.0))
    assert there.use and "100 % there already" in there.text


def test_what_is_read_more_slowly_than_computed_stays_live():
    assert rule(STATES).use, "on a CPU the teacher is the slower of both"
    on_gpu = rule(STATES, device="cuda")
    assert not on_gpu.use and on_gpu.num_bytes == 0
    assert "reading them takes longer than computing them" in on_gpu.text
    assert rule(LOGITS, device="cuda").use


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"budget": 0.0001}, "more than teacher_cache_budget_gb, 0.0001"),
        ({"free": 100_000}, "do not fit the 100 kB that are free"),
        ({"refusal": "a term reads padded positions"}, "a term reads padded positions"),
    ],
)
def test_what_cannot_be_stored(arguments, words):
    found = rule(**arguments)
    assert not found.use and not found.wanted and words in found.text
    forced = rule(mode=True, **arguments)
    assert not forced.use and forced.wanted and words in forced.text


def test_true_stores_whatever_it_costs_and_false_nothing():
    assert rule(replace(LOGITS, passes=1), mode=True).use
    assert not rule(mode=False).use


def test_a_disk_that_holds_the_rest_is_enough():
    assert rule(replace(LOGITS, present=0.9), free=30_000).use


def test_parts_in_words():
    parts = ["logits", "cls.4", "attention.2.query", "attention.2.key", "attention.4.query"]
    assert in_words(parts) == "logits, cls 4, attention 2 4"
