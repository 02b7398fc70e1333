"""An LSTM under autocast where the processor has no kernel in bf16 computes in its own precision."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from chatstill.models.networks import lstm_precision


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("read_before", [True, False])  # a layer before it gives bf16
def test_it_computes_in_float32_and_learns(monkeypatch, packed, read_before):
    monkeypatch.setattr(lstm_precision, "has_kernel", lambda: False)
    torch.manual_seed(0)
    layer, lstm = nn.Linear(6, 6), nn.LSTM(6, 4, batch_first=True)
    states = torch.randn(2, 3, 6)
    with torch.autocast("cpu", torch.bfloat16):
        given = layer(states) if read_before else states
        if packed:
            given = pack_padded_sequence(given, torch.tensor([3, 2]), batch_first=True)
        found, (last, _) = lstm_precision.run_lstm(lstm, given)
        assert torch.is_autocast_enabled("cpu")
    found = found.data if packed else found
    assert found.dtype == last.dtype == torch.float32
    found.sum().backward()
    assert lstm.weight_ih_l0.grad.abs().sum() > 0
    expected = lstm(given.to(torch.float32))[0]
    assert torch.equal(found, expected.data if packed else expected)


def test_nothing_is_changed_without_autocast():
    lstm, states = nn.LSTM(6, 4, batch_first=True), torch.randn(2, 3, 6)
    assert torch.equal(lstm_precision.run_lstm(lstm, states)[0], lstm(states)[0])
