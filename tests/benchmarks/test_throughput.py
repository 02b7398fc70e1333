"""The arithmetic of the distillation table; measuring itself is not a test."""

import pytest

import throughput
import throughput_arms
from train_speed import forward_flops

SIZES = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 2, "num_labels": 2}
STUDENT = {**SIZES, "num_hidden_layers": 1}


def turns(seconds, length, rows=4, **more):
    return [
        {"seconds": s, "shapes": [(rows, length)], "peak_bytes": 2**20, **more} for s in seconds
    ]


def measured(**changes):
    arms = {
        "peak": [{"flops_per_second": value} for value in (1e6, 3e6, 2e6)],
        "textbrewer": turns([8.0, 4.0, 2.0], 128),
        "textbrewer_same": [],
        "live": turns([2.0], 8),
        "filling": turns([0.5], 8, bytes=1_600),
        "filled": turns([1.0], 8),
    }
    errors = {"textbrewer_same": "OSError: no space"}
    found = {"task": "sst2", "features": "logits", "turns": arms, "sizes": SIZES, "errors": errors}
    return {**found, **changes}


def test_what_each_arm_multiplies():
    shapes = [(4, 8)]
    teach, learn = forward_flops(SIZES, 4, 8), 3 * forward_flops(STUDENT, 4, 8)
    assert throughput.operations("filling", SIZES, shapes) == teach
    assert throughput.operations("filled", SIZES, shapes) == learn
    assert throughput.operations("live", SIZES, shapes) == teach + learn
    assert throughput.operations("textbrewer", SIZES, shapes) == teach + learn


def test_summary_takes_medians_and_counts_the_filling():
    found = throughput.summary(measured())
    assert found["peak_gflops"] == 2e-3
    assert found["arms"]["textbrewer"]["examples_per_second"] == 1.0
    assert found["arms"]["filled"]["examples_per_second"] == 4.0
    # three epochs of a row: 1 / 8 s to fill, 3 times 1 / 4 s to train
    assert found["three_epochs"] == {"three_epochs": pytest.approx(3 / (1 / 8 + 3 / 4))}
    factors = {(f["ours"], f["theirs"]): f for f in found["factors"]}
    assert factors.keys() == {(ours, "textbrewer") for ours in ("live", "three_epochs", "filled")}
    assert factors["filled", "textbrewer"] == {
        "ours": "filled",
        "theirs": "textbrewer",
        "times": 4.0,
        "aim": 12.0,
    }


def test_a_gpu_s_second_precision_stands_beside_and_has_no_aims():
    plain = measured()
    arms = {**plain["turns"], "filling_bf16": turns([0.25], 8), "filled_bf16": turns([0.5], 8)}
    found = throughput.summary({**plain, "turns": arms, "device": "a GPU"})
    assert found["three_epochs"]["three_epochs_bf16"] == pytest.approx(3 / (1 / 16 + 3 / 8))
    factors = {(f["ours"], f["theirs"]): f for f in found["factors"]}
    assert factors["filled_bf16", "textbrewer"]["times"] == 8.0
    assert all(factor["aim"] is None for factor in factors.values())
    operations = {arm: throughput.operations(arm, SIZES, [(4, 8)]) for arm in arms}
    assert operations["filled_bf16"] == operations["filled"]


@pytest.mark.parametrize("layers", [6, 12])
def test_inner_losses_take_three_layers_spread_over_both_networks(layers):
    pairs = throughput_arms.layer_pairs(layers)
    assert pairs[0] == [0, 0] and pairs[-1] == [layers // 2, layers]
    assert all(2 * student == teacher for student, teacher in pairs)
    assert throughput_arms.inner_terms(layers)["attention"]["pairs"] == pairs[1:]


def test_markdown_has_aims_bytes_and_what_is_missing():
    options = {"steps": 16, "rounds": 3, "batch": 4, "threads": 1}
    results = {"machine": {"device": "x"}, "options": options, "summaries": []}
    results["summaries"] = [throughput.summary(measured())]
    text = throughput.as_markdown(results)
    assert "The cache takes 2 kB." in text
    assert "- chatstill, filled cache: 4.00 times *textbrewer, padded to 128* (aim 12)" in text
    assert "not measured: textbrewer, chatstill's batches: OSError: no space" in text
    assert "PARTIAL" not in text
    partial = throughput.as_markdown({**results, "missing": ["mrpc, inner"]})
    assert "PARTIAL: missing are mrpc, inner." in partial
