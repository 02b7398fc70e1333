"""Word embeddings cut to the rows that occur: the same network, whatever its kind."""

import numpy as np
import pytest
import torch
from tiny_models import KINDS, tiny_batch, tiny_bigbird, tiny_model
from transformers import (
    BertForSequenceClassification,
)

from chatstill.features.capture import inputs_of
from chatstill.models.structure import structural_copy
from chatstill.models.word_rows import cut_to_rows

LOW = 12  # of 40 tokens, those below occur


# Gemma's embedding is a class of its own, which scales: its table is trained whole.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gemma2"])
def test_every_kind_gives_the_same_logits_and_gradients(kind):
    kept = tiny_model(kind).train(False)
    trained = structural_copy(kept).train(False)
    batch = tiny_batch()
    batch["input_ids"] %= LOW
    expected = kept(**inputs_of(kept, batch)).logits
    expected.square().sum().backward()
    table = kept.get_input_embeddings().weight
    gradient = table.grad
    table.grad = None
    words = cut_to_rows(trained, kept, np.arange(LOW))
    assert words is not None
    logits = trained(**inputs_of(trained, batch)).logits
    torch.testing.assert_close(logits, expected)
    logits.square().sum().backward()
    torch.testing.assert_close(words.trained.grad, gradient[:LOW])
    assert not gradient[LOW:].any()
    assert table.grad is None


def test_a_network_that_pads_by_itself():
    """BigBird pads to whole blocks with the padding token of its config."""
    kept = tiny_bigbird()
    trained = structural_copy(kept).train(False)
    ids = torch.randint(2, LOW, (2, 53))
    expected = kept(ids).logits
    assert cut_to_rows(trained, kept, np.arange(LOW)) is not None
    torch.testing.assert_close(trained(ids).logits, expected)


class Own(BertForSequenceClassification):
    """Looks words up in a way of its own."""

    def forward(self, input_ids, **others):
        first = torch.nn.functional.embedding(
            input_ids[:, :1], self.bert.embeddings.word_embeddings.weight
        )
        found = super().forward(input_ids, **others)
        found.logits = found.logits + first.mean()
        return found


def test_a_network_of_ones_own_is_left_whole():
    kept = Own(tiny_model("bert").config)
    trained = structural_copy(kept)
    assert cut_to_rows(trained, kept, np.arange(LOW)) is None
    assert trained.get_input_embeddings().weight is kept.get_input_embeddings().weight
