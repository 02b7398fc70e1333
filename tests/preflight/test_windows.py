"""Layers that see a window of tokens, and terms that compare scores beyond it."""

from types import SimpleNamespace

import pytest
import torch
from tests.models.tiny_models import tiny_model

from chatstill.preflight.windows import scores_beyond_windows, window_of


def reach(model) -> int:
    """How far away a token can be that changes the states of the first one."""
    length = 40
    ids = torch.full((1, length), 5)
    mask = torch.ones_like(ids)

    def state(ids):
        return model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state[0, 0]

    found = 0
    with torch.no_grad():
        plain = state(ids)
        for place in range(1, length):
            changed = ids.clone()
            changed[0, place] = 7
            if not torch.equal(state(changed), plain):
                found = place
    return found


def test_the_window_of_a_layer_is_how_far_it_looks():
    model = tiny_model("modernbert", 4).eval()
    kinds = model.config.layer_types
    windows = [window_of(model.config, layer) for layer in range(1, 5)]
    assert [window is None for window in windows] == [kind == "full_attention" for kind in kinds]
    local = next(n for n, window in enumerate(windows) if window is not None)
    model.model.layers = model.model.layers[local : local + 1]
    model.config.layer_types = kinds[local : local + 1]
    assert reach(model) == windows[local] == 2


@pytest.mark.parametrize(("kind", "window"), [("bert", None), ("llama", None)])
def test_other_networks_have_none(kind, window):
    assert window_of(tiny_model(kind, 2).config, 1) is window


def test_a_window_that_is_switched_off_is_none():
    config = SimpleNamespace(sliding_window=4, use_sliding_window=False, layer_types=None)
    assert window_of(config, 1) is None
    assert window_of(SimpleNamespace(sliding_window=4, layer_types=None), 3) == 4


def spec(name, feature, *pairs):
    return SimpleNamespace(name=name, row=SimpleNamespace(feature=feature), pairs=pairs)


def test_a_term_that_compares_scores_beyond_a_window_is_named():
    full, local = "full_attention", "sliding_attention"
    teacher = SimpleNamespace(sliding_window=64, layer_types=[full, local, local, full])
    student = SimpleNamespace(sliding_window=32, layer_types=[full, local])
    specs = [
        spec("hidden", "hidden_states", (1, 2)),
        spec("scores", "attention_scores", (1, 2), (2, 4)),
        spec("all", "attention_scores", (1, 4)),
    ]
    (told,) = scores_beyond_windows(specs, student, teacher, 128)
    assert told.startswith("the term 'scores' compares")
    assert "the student's layer 2 (32)" in told and "the teacher's layer 2 (64)" in told
    assert "set max_seq_length to 32 or less" in told
    assert scores_beyond_windows(specs, student, teacher, 32) == []
