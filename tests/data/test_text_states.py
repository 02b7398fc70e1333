"""States of texts that are computed once for each, in an order of their own, and read from disk."""

import numpy as np
import pytest
import torch

from chatstill.data.text_states import TextStates

TEXTS = [[2, 7, 3], [2, 9, 8, 3], [2, 3], [2, 7, 3], [2, 8, 3]]


class Network:
    """(B, L, 2): the id, and the place in the text; counts what it is asked."""

    def __init__(self, scale=1.0):
        self.scale, self.asked = scale, []

    def __call__(self, ids, mask):
        assert mask.all()
        self.asked += [tuple(row) for row in ids.tolist()]
        places = torch.arange(ids.shape[1]).expand_as(ids)
        return torch.stack([ids, places], -1).float() * self.scale


def states(folder, texts=TEXTS, network=None, name="a"):
    return TextStates(folder, [np.array(ids) for ids in texts], network or Network(), 2, name)


def test_each_text_is_computed_once_without_padding_and_read_padded(tmp_path):
    network = Network()
    found = states(tmp_path, network=network)
    assert sorted(network.asked) == sorted({tuple(ids) for ids in TEXTS}) and len(found) == 4
    ids = torch.tensor([[2, 9, 8, 3], [2, 3, 0, 0], [2, 7, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
    expected = [
        [[2, 0], [9, 1], [8, 2], [3, 3]],
        [[2, 0], [3, 1], [0, 0], [0, 0]],
        [[2, 0], [7, 1], [3, 2], [0, 0]],
    ]
    assert found(ids, mask).tolist() == expected
    assert found(ids[1:2, :2], mask[1:2, :2]).tolist() == [expected[1][:2]]


def test_found_again_whatever_the_order_of_the_rows_and_only_for_the_same_network(tmp_path):
    first, again, other = states(tmp_path), Network(), Network()
    assert states(tmp_path, TEXTS[::-1], again).folder == first.folder and not again.asked
    assert states(tmp_path, network=other, name="b").folder != first.folder and other.asked
    assert states(tmp_path, TEXTS[:2]).folder != first.folder


def test_an_interrupted_filling_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("chatstill.data.text_states.BATCH_TOKENS", 1)
    monkeypatch.setattr("chatstill.data.text_states.COMMIT_EVERY", 1)
    whole = states(tmp_path / "whole")

    class Stops(Network):
        def __call__(self, ids, mask):
            if len(self.asked) == 2:
                raise KeyboardInterrupt
            return super().__call__(ids, mask)

    with pytest.raises(KeyboardInterrupt):
        states(tmp_path / "other", network=Stops())
    rest = Network()
    found = states(tmp_path / "other", network=rest)
    assert len(rest.asked) == 2
    data = [(one.folder / "states.bin").read_bytes() for one in (whole, found)]
    assert data[0] == data[1]


@pytest.mark.parametrize("scale", [float("nan"), 1e6])
def test_states_that_16_bits_do_not_hold_are_refused(scale, tmp_path):
    with pytest.raises(ValueError, match="16-bit"):
        states(tmp_path, network=Network(scale))
