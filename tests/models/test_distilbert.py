"""A BERT as a DistilBERT: outputs and hidden states are the same, and what has no place is refused."""

import pytest
import torch
import transformers as tf
from tests.draws import reseeded
from tests.found import refused

from chatstill.models.distilbert import as_distilbert

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "initializer_range": 0.5,
}


def bert(**changes):
    torch.manual_seed(reseeded(0))
    return tf.BertForMaskedLM(tf.BertConfig(**SIZES | changes)).eval()


@pytest.mark.parametrize("tied", [True, False])
def test_outputs_of_the_same_layers_are_equal(tied):
    teacher = bert(tie_word_embeddings=tied)
    with torch.no_grad():
        teacher.cls.predictions.decoder.bias.normal_()
    student = as_distilbert(teacher)
    generator = torch.Generator().manual_seed(reseeded(1))
    batch = {
        "input_ids": torch.randint(40, (3, 9), generator=generator),
        "attention_mask": torch.tensor([[1] * 9, [1] * 6 + [0] * 3, [1] * 2 + [0] * 7]),
    }
    with torch.no_grad():
        one, other = (model(**batch, output_hidden_states=True) for model in (teacher, student))
    valid = batch["attention_mask"].bool()
    rounding = {
        "rtol": 1e-4,
        "atol": 1e-4,
    }  # kernels of attention; a missing vector changes digits before
    torch.testing.assert_close(one.logits[valid], other.logits[valid], **rounding)
    for mine, theirs in zip(other.hidden_states, one.hidden_states, strict=True):
        torch.testing.assert_close(mine[valid], theirs[valid], **rounding)
    assert student.config.tie_word_embeddings == tied
    shared = student.vocab_projector.weight is student.distilbert.embeddings.word_embeddings.weight
    assert shared == tied


def test_the_copy_shares_nothing_and_is_smaller():
    teacher = bert()
    student = as_distilbert(teacher)
    before = teacher.bert.embeddings.word_embeddings.weight.clone()
    with torch.no_grad():
        student.distilbert.embeddings.word_embeddings.weight.zero_()
    assert torch.equal(teacher.bert.embeddings.word_embeddings.weight, before)
    assert student.num_parameters() == teacher.num_parameters() - 2 * 16  # token types


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (lambda: bert(hidden_act="silu"), "silu"),
        (lambda: bert(layer_norm_eps=1e-5), "1e-05"),
        (lambda: tf.ElectraForMaskedLM(tf.ElectraConfig(**SIZES)), "electra"),
    ],
)
def test_what_has_no_place_in_it_is_refused(model, word):
    with refused("student.no-distilbert", word):
        as_distilbert(model())
