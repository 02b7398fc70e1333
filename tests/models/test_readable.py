"""What can be read inside a network, told before anything is trained."""

import pytest
import torch
import transformers as tf
from tests.draws import reseeded
from tiny_models import tiny_model

from chatstill.features.base import Needs
from chatstill.models.readable import unreadable

STATES = Needs(hidden_states=(1,))
ODD = {
    "xlnet": ("XLNet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}),
    "openai-gpt": ("OpenAIGPT", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16}),
    "squeezebert": (
        "SqueezeBert",
        {
            "hidden_size": 16,
            "embedding_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 16,
        },
    ),
}


def odd(kind):
    name, sizes = ODD[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(1))
        config = getattr(tf, f"{name}Config")(**sizes, vocab_size=40, pad_token_id=0)
        return getattr(tf, f"{name}ForSequenceClassification")(config).eval()


@pytest.mark.parametrize("kind", ["xlnet", "squeezebert"])
@pytest.mark.parametrize("needs", [STATES, Needs(cls=(2,)), Needs(vector=True)], ids=str)
def test_states_of_another_layout_are_refused_by_name(kind, needs):
    """XLNet's are (tokens, rows, width): a mask over rows and tokens would leave out the wrong ones."""
    (problem,) = unreadable(odd(kind), needs, "teacher")
    assert problem.code == "terms.states-not-readable" and kind in problem.message


def test_layers_that_hand_out_lists_are_read():
    assert unreadable(odd("openai-gpt"), STATES, "teacher") == []


@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2"])
def test_usual_ones_are_read(kind):
    assert unreadable(tiny_model(kind, 2), STATES, "student") == []
