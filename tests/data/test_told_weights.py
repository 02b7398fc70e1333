"""The weights of classes that a run takes are told when it begins."""

from types import SimpleNamespace

import numpy as np

from chatstill.data.class_weights import RowWeights
from chatstill.tasks.base import Labels


def test_balanced_weights_are_told_by_class():
    weights = RowWeights.of_config("balanced", Labels("classification", ("no", "yes")))
    view = SimpleNamespace(labels=np.array([0, 0, 0, 1, np.nan]))
    assert weights.fit(view) == "no 0.6667, yes 2"
