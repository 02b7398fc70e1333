"""Where a new head starts."""

import numpy as np
import pytest
import torch
from tiny_models import tiny_batch, tiny_model

from chatstill.models.heads import start_at_mean

SCORES = np.array([1.5, np.nan, 3.5])


def answer(model) -> torch.Tensor:
    with torch.no_grad():
        return model(**tiny_batch()).logits


def new_head(kind: str, outputs: int):
    """A network as transformers makes it; the tiny models' biases are not 0."""
    model = tiny_model(kind, num_labels=outputs)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not name.startswith(model.base_model_prefix):
            torch.nn.init.zeros_(parameter)
    return model


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert", "deberta"])
def test_a_new_head_of_one_output_answers_around_the_mean(kind):
    model = new_head(kind, 1)
    before = answer(model)
    assert start_at_mean(model, SCORES) == 2.5
    torch.testing.assert_close(answer(model), before + 2.5)


def test_a_trained_head_is_left_alone():
    model = new_head("bert", 1)
    with torch.no_grad():
        model.classifier.bias.fill_(0.25)
    before = answer(model)
    assert start_at_mean(model, SCORES) is None
    torch.testing.assert_close(answer(model), before)


@pytest.mark.parametrize("kind, outputs", [("bert", 3), ("llama", 1)])
def test_several_outputs_and_heads_without_bias_have_no_mean_to_start_at(kind, outputs):
    model = new_head(kind, outputs)
    before = answer(model)
    assert start_at_mean(model, SCORES) is None
    torch.testing.assert_close(answer(model), before)


def test_without_scores_there_is_no_mean():
    model = new_head("bert", 1)
    assert start_at_mean(model, np.array([np.nan])) is None
    assert not model.classifier.bias.any()
