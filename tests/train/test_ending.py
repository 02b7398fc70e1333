"""Ending a run: which of several best weights is taken, by the figure that selects in the phase."""

import pytest
import torch

from chatstill.train.checkpoints import CheckpointStore, publish_weights
from chatstill.train.ending import end_phases
from chatstill.train.stage import StageModule

from .conftest import build_method

HIDDEN = {"hidden": {"feature": "hidden_states", "loss": "mse", "pairs": [[1, 2]]}}


@pytest.mark.parametrize(
    ("terms", "lower", "kept"),
    [(HIDDEN, False, 2), ({"soft": {"feature": "logits", "loss": "kl"}}, False, 4)],
    ids=["by its own loss", "by a metric"],
)
def test_the_better_of_two_best_weights_is_taken(tmp_path, terms, lower, kept):
    """Killed between the second one and the removal of the first: both are there."""
    method = build_method("matches", terms=terms)
    store = CheckpointStore(tmp_path)
    state = StageModule(method, method.phases()[0]).trained_state()
    name = next(name for name in state if "layer" in name)
    for step, value in ((2, 0.25), (4, 0.5)):
        marked = {key: tensor.detach().clone() for key, tensor in state.items()}
        marked[name] = torch.full_like(marked[name], step)
        selection = {"best": value, "best_step": step, "evaluations_since": 0, "step": step}
        publish_weights(store.path(0, step, best=True), marked, selection)
    results, ended = end_phases(method, store, [12], keep="best", seed=1, lower_is_better=lower)
    assert (results[0].best_step, ended.step) == (kept, kept)
    assert (
        float(dict(StageModule(method, method.phases()[0]).trained_state())[name].detach().mean())
        == kept
    )
