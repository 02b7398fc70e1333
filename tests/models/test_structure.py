"""A second structure over the same parameters has everything else of its own."""

import torch
from torch import nn

from chatstill.models.structure import structural_copy


def test_parameters_are_shared_and_hooks_flags_and_parts_are_not():
    kept = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.LSTM(2, 3, bidirectional=True))
    kept[0].register_buffer("scale", torch.ones(1))
    trained = structural_copy(kept)
    for name, parameter in kept.named_parameters():
        assert trained.get_parameter(name) is parameter
    for name, buffer in kept.named_buffers():
        assert trained.get_buffer(name) is buffer
    assert all(
        ours is not theirs for ours, theirs in zip(kept.modules(), trained.modules(), strict=True)
    )

    calls = []
    trained[0].register_forward_hook(lambda *_: calls.append("trained"))
    trained[0].register_parameter("extra", nn.Parameter(torch.zeros(1)))
    trained.train(False)
    trained[2] = nn.Identity()
    kept[0](torch.zeros(1, 2))
    assert calls == [] and "extra" not in kept[0]._parameters
    assert all(part.training for part in kept.modules()) and isinstance(kept[2], nn.LSTM)
    trained[0](torch.zeros(1, 2))
    assert calls == ["trained"]


def test_weights_that_are_tied_stay_tied():
    kept = nn.ModuleDict({"a": nn.Embedding(3, 2), "b": nn.Linear(2, 3, bias=False)})
    kept["b"].weight = kept["a"].weight
    trained = structural_copy(kept)
    assert trained["b"].weight is trained["a"].weight is kept["a"].weight
