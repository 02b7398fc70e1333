"""Features from the cache are those of the live teacher, to the stored precision, for any batch."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from chatstill.data.teacher_cache import TeacherCache, cache_fingerprint
from chatstill.features.base import Needs
from chatstill.train.cached_teacher import CachedTeacher, compute_with, layout_of
from chatstill.train.teachers import LiveTeacher
from tests.draws import reseeded

from ..processes import run_processes
from .conftest import tiny_bert

CPU = torch.device("cpu")
HALF = 2**-11  # the relative step of float16


class Rows:
    """Rows of random ids of 3 to 12 tokens, padded on either side."""

    def __init__(self, number=40, side="right"):
        generator = np.random.default_rng(reseeded(3))
        self.lengths = generator.integers(3, 13, number)
        self.ids = [generator.integers(5, 40, length) for length in self.lengths]
        self.side = side

    def batch(self, rows, extra=0):
        width = int(self.lengths[rows].max()) + extra
        ids = np.zeros((len(rows), width), np.int64)
        mask = np.zeros_like(ids)
        for at, row in enumerate(rows):
            here = slice(0, self.lengths[row])
            if self.side == "left":
                here = slice(width - self.lengths[row], width)
            ids[at, here], mask[at, here] = self.ids[row], 1
        tensors = {"input_ids": ids, "attention_mask": mask, "index": np.asarray(rows)}
        return {name: torch.from_numpy(array) for name, array in tensors.items()}


NEEDS = Needs(
    logits=True, vector=True, hidden_states=(0, 4), attention=(1, 3), values=True, cls=(2, 4)
)


class Live(LiveTeacher):
    """The live teacher, counting how often it is asked."""

    def __init__(self, needs=NEEDS, model=None):
        super().__init__(model or tiny_bert(), needs)
        self.calls = 0

    def features(self, batch):
        self.calls += 1
        return super().features(batch)


def filled(folder, rows, live):
    probe = live.features(rows.batch(np.arange(2)))
    layout = layout_of(probe, live.needs)
    name = cache_fingerprint(layout, {"side": rows.side})
    cache = TeacherCache(folder, name, layout, rows.lengths)
    cache.fill(compute_with(live.features, live.needs, rows.batch, CPU))
    return CachedTeacher(cache, {n: kept.scaling for n, kept in probe.attention.items()})


def _qkv(kept):
    return kept.query, kept.key, kept.value


def close(found, wanted, mask):
    """Equal at valid tokens; 0 at the others."""
    torch.testing.assert_close(found.logits, wanted.logits, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(found.vector, wanted.vector, atol=2e-5, rtol=1e-5)
    valid = mask.bool()
    assert found.hidden_states.keys() == wanted.hidden_states.keys()
    assert found.attention.keys() == wanted.attention.keys()
    pairs = [(found.hidden_states[n], wanted.hidden_states[n]) for n in wanted.hidden_states]
    for layer, kept in wanted.attention.items():
        mine = found.attention[layer]
        assert mine.scaling == kept.scaling
        # Rotary positions count from the batch's edge: what a loss reads are the scores.
        one, other = (kept.query @ kept.key.transpose(-1, -2) for kept in (mine, kept))
        both = (valid[:, :, None] & valid[:, None, :])[:, None].expand_as(other)
        torch.testing.assert_close(one[both], other[both], rtol=2 * HALF, atol=5e-3)
        assert mine.query.shape == kept.query.shape and mine.key.shape == kept.key.shape
        pairs.append((mine.value.transpose(1, 2), kept.value.transpose(1, 2)))
    assert found.cls.keys() == wanted.cls.keys()
    for layer, state in wanted.cls.items():
        torch.testing.assert_close(found.cls[layer], state, atol=1e-5, rtol=1e-5)
    for one, other in pairs:
        assert one.dtype == torch.float32
        torch.testing.assert_close(one[valid], other[valid], rtol=HALF, atol=1e-5)
        assert not one[~valid].any()


def tiny_llama():
    """Reads the last token, with grouped heads and rotary positions: padding may stand on the left."""
    torch.manual_seed(reseeded(0))
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(vocab_size=40, **sizes, **heads, num_labels=2, pad_token_id=0)
    return LlamaForSequenceClassification(config)


@pytest.mark.parametrize(("side", "model"), [("right", tiny_bert), ("left", tiny_llama)])
def test_any_batch_of_any_epoch_has_the_live_teachers_features(tmp_path, side, model):
    rows, live = Rows(side=side), Live(model=model())
    cached = filled(tmp_path, rows, live)
    asked = live.calls
    for epoch in range(3):
        order = np.random.default_rng(reseeded(epoch)).permutation(40)
        for start in range(0, 40, 7):
            batch = rows.batch(order[start : start + 7])
            found = cached.features(batch)
            assert live.calls == asked, "the cache asks nobody"
            close(found, live.features(batch), batch["attention_mask"])
            asked = live.calls


def test_more_padding_changes_nothing(tmp_path):
    rows = Rows()
    cached = filled(tmp_path, rows, Live())
    some = np.array([7, 0, 31])
    tight, wide = cached.features(rows.batch(some)), cached.features(rows.batch(some, extra=5))
    width = int(rows.lengths[some].max())
    assert torch.equal(tight.logits, wide.logits)
    for layer, state in tight.hidden_states.items():
        assert torch.equal(state, wide.hidden_states[layer][:, :width])
        assert not wide.hidden_states[layer][:, width:].any()


def test_a_row_has_the_same_numbers_in_every_batch(tmp_path):
    """To the bit: what a step uses is what was stored, whoever stands beside the row."""
    rows = Rows()
    cached = filled(tmp_path, rows, Live())
    alone = cached.features(rows.batch(np.array([5])))
    beside = cached.features(rows.batch(np.array([30, 5, 2])))
    assert torch.equal(alone.logits[0], beside.logits[1])
    length = rows.lengths[5]
    for layer, tensors in alone.attention.items():
        for one, other in zip(_qkv(tensors), _qkv(beside.attention[layer]), strict=True):
            assert torch.equal(one[0, :, :length], other[1, :, :length])


def test_several_students_read_one_cache(tmp_path):
    rows, live = Rows(), Live()
    filled(tmp_path, rows, live)
    asked = live.calls
    second = filled(tmp_path, rows, live)
    assert live.calls == asked + 1, "one call for the shapes, none for rows"
    close(
        second.features(rows.batch(np.arange(9))),
        live.features(rows.batch(np.arange(9))),
        rows.batch(np.arange(9))["attention_mask"],
    )


def test_several_processes_fill_and_read_one_cache(tmp_path):
    rows = Rows()

    def run(rank):
        cached = filled(tmp_path, rows, Live())
        return cached.features(rows.batch(np.arange(rank, 40, 2))).logits.tolist()

    even, odd = run_processes(run, 2)
    wanted = Live().features(rows.batch(np.arange(40))).logits
    both = torch.stack([torch.tensor(even), torch.tensor(odd)], 1).flatten(0, 1)
    torch.testing.assert_close(both, wanted, atol=2e-6, rtol=1e-5)


def test_nothing_of_the_teachers_graph_is_kept(tmp_path):
    rows, live = Rows(), Live()
    found = filled(tmp_path, rows, live).features(rows.batch(np.arange(4)))
    assert not found.logits.requires_grad
    assert not any(state.requires_grad for state in found.hidden_states.values())


def test_only_what_is_needed_is_kept(tmp_path):
    rows = Rows()
    live = Live(Needs(attention=(2,), cls=(1,)))
    found = filled(tmp_path, rows, live)
    assert [part.name for part in found.cache.layout.parts] == [
        "cls.1",
        "attention.2.query",
        "attention.2.key",
    ]
    features = found.features(rows.batch(np.arange(3)))
    assert features.attention[2].value is None
    assert features.logits is None
