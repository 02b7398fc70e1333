"""The arithmetic of the speed table; measuring itself is not a test."""

import train_speed

SIZES = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 2, "num_labels": 2}


def test_forward_flops_by_hand():
    # a layer and token: 4 projections of 2*4*4, two of 2*4*8, scores and mix 2 * 2*3*4
    layer_token = 4 * 32 + 2 * 64 + 2 * 24
    head = 2 * 4 * 4 + 2 * 4 * 2
    assert train_speed.forward_flops(SIZES, 5, 3) == 5 * (3 * 2 * layer_token + head)


def measured() -> dict:
    peak = [{"flops_per_second": value} for value in (1e6, 3e6, 2e6)]

    def turns(seconds: list[float], length: int) -> list[dict]:
        return [
            {"seconds": s, "shapes": [(4, length)] * 2, "peak_bytes": 2**20 * (i + 1)}
            for i, s in enumerate(seconds)
        ]

    return {
        "threads": 1,
        "hello": {"sizes": SIZES},
        "errors": {"padded": "OSError: no space"},
        "turns": {
            "peak": peak,
            "padded": [],
            "trainer": turns([2.0, 4.0, 8.0], 16),
            "engine": turns([1.0, 2.0, 4.0], 8),
        },
    }


def test_summary_takes_medians_and_factors():
    found = train_speed.summary(measured())
    assert found["peak_gflops"] == 2e-3
    assert found["arms"].keys() == {"trainer", "engine"}
    assert found["arms"]["trainer"]["examples_per_second"] == 2.0
    assert found["arms"]["engine"]["tokens_per_example"] == 8
    assert found["arms"]["engine"]["peak_bytes"] == 3 * 2**20
    assert found["factors"] == {"trainer": 2.0}
    flops = 3 * 2 * train_speed.forward_flops(SIZES, 4, 8)
    assert found["arms"]["engine"]["share_of_peak"] == flops / 2.0 / 2e6


def test_markdown_names_what_is_missing():
    results = {
        "summaries": [train_speed.summary(measured())],
        "options": {"batch": 4, "steps": 2, "rounds": 3},
        "machine": {"device": "a machine", "commit": ""},
    }
    text = train_speed.as_markdown(results)
    assert "2.00 times *Trainer as it comes* (aim 2.3)" in text
    assert "not measured: rows padded to 128: OSError: no space" in text
    assert "device a machine" in text and "commit" not in text.split("device a machine")[1]
