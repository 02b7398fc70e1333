"""Rows of rare classes count more: weights by class, against torch's weighted cross entropy."""

import numpy as np
import pytest
import torch
from tests.found import refused
from torch.nn import functional as F

from chatstill.data.class_weights import check_class_weights, class_weights
from chatstill.losses import hard_label_loss
from chatstill.tasks.base import Labels

THREE = Labels("classification", ("a", "b", "c"))
GOLD = np.array([0, 0, 0, 1, 2, 2, np.nan])


def test_balanced_gives_every_class_the_same_part():
    found = class_weights("balanced", THREE, GOLD)
    counts = np.array([3, 1, 2])
    assert found * counts == pytest.approx([2, 2, 2])  # N / C each: the mean over the rows is 1


def test_numbers_are_divided_by_their_mean_over_the_rows():
    for wanted in ((1.0, 4.0, 1.0), {"c": 1, "a": 1, "b": 4}):
        found = class_weights(wanted, THREE, GOLD)
        assert found[1] / found[0] == pytest.approx(4)
        assert float(found @ np.array([3, 1, 2])) / 6 == pytest.approx(1)
    turned = Labels("classification", ("no", "yes"), columns=("yes", "no"), positive="yes")
    assert class_weights((4.0, 1.0), turned, np.array([0.0, 1])) == pytest.approx([0.4, 1.6])


def test_a_class_that_no_row_has_weighs_nothing():
    assert class_weights("balanced", THREE, np.array([0.0, 0, 1]))[2] == 0
    assert class_weights(None, THREE, GOLD) is None


@pytest.mark.parametrize(
    ("wanted", "labels", "expected"),
    [
        ("balanced", Labels("regression"), ("without-effect",)),
        ("balanced", Labels("multi_label", ("a",)), ("without-effect",)),
        ((1.0, 2.0), THREE, ("other-count", "2 numbers", "3 classes")),
        ({"a": 1, "b": 1}, THREE, ("other-names", "'c'")),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, THREE, ("other-names", "'d'")),
        ((1.0, -1.0, 1.0), THREE, ("wrong-values", "-1")),
        ((0.0, 0.0, 0.0), THREE, ("wrong-values", "0.0")),
    ],
)
def test_what_does_not_fit_is_refused(wanted, labels, expected):
    what, *values = expected
    with refused(f"class-weights.{what}", *values):
        check_class_weights(wanted, labels)


def test_the_loss_is_torchs_weighted_one():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, generator=generator)
    labels = torch.tensor([0, 0, 0, 1, 2, 2, -100])
    weights = torch.tensor(class_weights("balanced", THREE, GOLD), dtype=torch.float32)
    rows = torch.where(labels >= 0, weights[labels.clamp(min=0)], 0.0)
    found = hard_label_loss(logits, labels, "cross_entropy", rows)
    aim = F.cross_entropy(logits, labels, weight=weights, reduction="sum", ignore_index=-100)
    assert float(found) == pytest.approx(float(aim), rel=1e-6)
    one = logits[:, :1]
    binary = torch.tensor([0.0, 1, 1, 0, 1, 0, float("nan")])
    found = hard_label_loss(one, binary, "sigmoid", rows)
    known = ~binary.isnan()
    aim = F.binary_cross_entropy_with_logits(
        one[known, 0], binary[known], weight=rows[known], reduction="sum"
    )
    assert float(found) == pytest.approx(float(aim), rel=1e-6)
    alike = torch.ones(7)
    assert torch.equal(
        hard_label_loss(logits, labels, "cross_entropy", alike),
        hard_label_loss(logits, labels, "cross_entropy"),
    )
