"""A row's vector: the mean of its tokens' states, the first token's, or their mean by weight."""

import pytest
import torch

from chatstill.features import Needs
from chatstill.features.capture import vector_of, weighted_mean
from chatstill.models.reading import read_features

from ..models.tiny_models import tiny_batch, tiny_model


def slow(states, mask, weights):
    """Row by row."""
    rows = []
    for row in range(len(states)):
        total, norm = torch.zeros(states.shape[-1]), 0.0
        for at in range(states.shape[1]):
            if mask[row, at]:
                total += weights[row, at] * states[row, at]
                norm += float(weights[row, at])
        rows.append(total / norm if norm else total)
    return torch.stack(rows)


def example():
    torch.manual_seed(0)
    states, weights = torch.randn(3, 5, 4), torch.rand(3, 5) + 0.1
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]])
    return states, mask, weights


def test_the_weighted_mean_against_a_plain_loop():
    states, mask, weights = example()
    torch.testing.assert_close(weighted_mean(states, mask, weights), slow(states, mask, weights))


def test_a_row_whose_tokens_all_weigh_nothing_is_zero_with_a_finite_gradient():
    states, mask, weights = example()
    weights[1] = 0.0
    states.requires_grad_(True)
    found = weighted_mean(states, mask, weights)
    assert not found[1].any()
    found.sum().backward()
    assert torch.isfinite(states.grad).all() and not states.grad[1].any()


@pytest.mark.parametrize("pooling", ["", "cls", "weighted"])
def test_more_padding_changes_nothing_whatever_stands_there(pooling):
    states, mask, weights = example()
    batch = {"attention_mask": mask, "token_weights": weights}
    more = {"attention_mask": torch.nn.functional.pad(mask, (0, 3))}
    more["token_weights"] = torch.nn.functional.pad(weights, (0, 3), value=7.0)
    padded = torch.nn.functional.pad(states, (0, 0, 0, 3), value=9.0)
    torch.testing.assert_close(vector_of(padded, more, pooling), vector_of(states, batch, pooling))


@pytest.mark.parametrize("pooling", ["", "cls", "weighted"])
def test_it_is_made_of_the_last_layers_states(pooling):
    model = tiny_model("bert").eval()
    batch = tiny_batch()
    batch["token_weights"] = torch.rand(batch["input_ids"].shape)
    last = model.config.num_hidden_layers
    with torch.no_grad():
        needs = Needs(vector=True, pooling=pooling, hidden_states=(last,))
        found = read_features(model, batch, needs)
    states, mask = found.hidden_states[last], batch["attention_mask"]
    weights = {"": mask.float(), "weighted": batch["token_weights"]}.get(pooling)
    expected = states[:, 0] if weights is None else slow(states, mask, weights)
    torch.testing.assert_close(found.vector, expected)
