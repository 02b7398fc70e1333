"""Values that train nothing or overflow are warned of, usual ones are not."""

import pytest

from chatstill.terms.extremes import extremes
from chatstill.terms.rows import Row
from tests.found import holds, told

SOFT = {"feature": "logits", "loss": "kl"}
SCORES = {"feature": "attention_scores", "loss": "mse"}


def warned(**rows):
    return [told([problem]) for problem in extremes({k: Row(**v) for k, v in rows.items()})]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**SOFT, "temperature": 1e-30}, ("terms.temperature-too-low", "1e-30")),
        ({**SOFT, "temperature": 1e30}, ("terms.temperature-too-high", "1e+30")),
        (
            {"feature": "logits", "loss": "mse", "temperature": 1e30},
            "terms.difference-divided-away",
        ),
        ({"feature": "logits", "loss": "mse", "temperature": 1e-30}, "overflow"),
        ({**SCORES, "zero_below": 1e30}, ("terms.all-scores-zero", "1e+30")),
        ({**SOFT, "weight": 1e-30}, ("terms.weight-too-small", "1e-30")),
        ({**SOFT, "weight": 1e30}, ("terms.weight-overflows", "1e+30")),
    ],
)
def test_extreme_values(row, words):
    (text,) = warned(one=row)
    assert text.startswith("term one: ") and holds(text, words)


def test_a_weight_too_small_beside_another():
    (text,) = warned(one={**SOFT, "weight": 1e-7}, other={**SOFT, "weight": 500})
    assert "term one" in text and "beside the largest, 500" in text


@pytest.mark.parametrize("temperature", [0.1, 1, 20, 1000])
@pytest.mark.parametrize("weight", [1e-3, 1, 500])
def test_usual_values(temperature, weight):
    rows = {"one": {**SOFT, "temperature": temperature, "weight": weight}, "other": SOFT}
    assert warned(**rows) == []


@pytest.mark.parametrize("floor", [None, -100, -0.001, 0])
def test_usual_floors_of_scores(floor):
    assert warned(one={**SCORES, "zero_below": floor}) == []
