"""What no gradient reaches is frozen, and what some other tokens would reach is not."""

import torch
from torch import nn

from chatstill.models.projections import train_what_is_read


class Sent(nn.Module):
    """A layer whose rows are all sent to its first expert."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))

    def forward(self, states):
        return self.experts[0](states)


def test_experts_that_a_few_tokens_are_not_sent_to_stay_trained():
    network = nn.ModuleDict(
        {"layers": nn.ModuleList(Sent() for _ in range(2)), "unused": nn.Linear(2, 2)}
    )
    read = network["layers"][0](torch.ones(1, 2))
    frozen = train_what_is_read(network, [read])
    names = [name for name, _ in network.named_parameters()]
    above = [name for name in names if name.startswith("layers.1.")]
    assert sorted(frozen) == sorted([*above, "unused.weight", "unused.bias"])
    assert {n for n, p in network.named_parameters() if not p.requires_grad} == {*frozen}


def test_what_was_frozen_before_stays_so():
    network = nn.Linear(2, 2)
    network.bias.requires_grad_(False)
    assert train_what_is_read(network, [network(torch.ones(1, 2))]) == []
    assert not network.bias.requires_grad
