"""Finding the list of layers, cutting models, and which layers face each other."""

import pytest
import torch
import transformers as tf
from tests.draws import reseeded
from tiny_models import BERT_LIKE, KINDS, tiny_batch, tiny_config, tiny_model

from chatstill.errors import UserError
from chatstill.models.layers import (
    copy_layers,
    copy_outside_layers,
    cut_config,
    find_layers,
    layer_list,
    num_layers_of,
)
from chatstill.models.shape import check_same_shape

WHERE = {
    "bert": "bert.encoder.layer",
    "roberta": "roberta.encoder.layer",
    "electra": "electra.encoder.layer",
    "distilbert": "distilbert.transformer.layer",
    "modernbert": "model.layers",
    "deberta": "deberta.encoder.layer",
    "deberta-v2": "deberta.encoder.layer",
    "mpnet": "mpnet.encoder.layer",
    "roformer": "roformer.encoder.layer",
    "llama": "model.layers",
    "qwen2": "model.layers",
    "qwen2-sliding": "model.layers",
    "qwen3": "model.layers",
    "gpt-oss": "model.layers",
    "gemma2": "model.layers",
    "gpt2": "transformer.h",
    "opt": "model.decoder.layers",
}


def logits(model):
    with torch.no_grad():
        return model(**tiny_batch()).logits


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_layers_are(kind):
    model = tiny_model(kind)
    parent, attribute, layers = layer_list(model)
    assert getattr(parent, attribute) is layers and len(layers) == 6
    assert find_layers(model) == WHERE[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("indices", [[0, 1, 2], [0, 3, 5]])
def test_copied_layers_are_the_model_that_from_pretrained_reads_back(kind, indices, tmp_path):
    teacher = tiny_model(kind)
    student = copy_layers(teacher, 3, indices)
    student.save_pretrained(tmp_path)
    again = tf.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert num_layers_of(again.config) == 3
    assert torch.equal(logits(again), logits(student))
    assert getattr(again.config, "layer_types", None) == getattr(
        student.config, "layer_types", None
    )


@pytest.mark.parametrize("kind", KINDS)
def test_copying_takes_the_right_layers_and_shares_nothing(kind):
    teacher = tiny_model(kind)
    student = copy_layers(teacher, 3, [0, 3, 5])
    own, old = layer_list(student)[2], layer_list(teacher)[2]
    for index, origin in enumerate([0, 3, 5]):
        copied = own[index].state_dict()
        assert all(
            torch.equal(copied[name], value) for name, value in old[origin].state_dict().items()
        )
    assert not {id(p) for p in student.parameters()} & {id(p) for p in teacher.parameters()}
    before = logits(teacher)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1)
    assert torch.equal(logits(teacher), before)


def test_all_layers_copied_are_the_teacher():
    teacher = tiny_model("modernbert")
    assert torch.equal(logits(copy_layers(teacher, 6, range(6))), logits(teacher))


def test_layer_indices_are_counted_anew():
    student = copy_layers(tiny_model("llama"), 3, [0, 2, 4])
    assert [layer.self_attn.layer_idx for layer in layer_list(student)[2]] == [0, 1, 2]


def test_the_global_generator_is_not_touched():
    torch.manual_seed(reseeded(0))
    before = torch.random.get_rng_state()
    copy_layers(tiny_model("bert"), 3, [0, 1, 2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_students_own_config_keeps_its_dropout_and_takes_the_teachers_labels():
    names = {0: "no", 1: "yes"}
    teacher = tiny_model("bert", id2label=names, label2id={"no": 0, "yes": 1})
    config = tiny_config("bert", 2, dropout=0.33)
    student = copy_layers(teacher, 2, [0, 1], config=config)
    assert student.config.hidden_dropout_prob == 0.33 and student.config.id2label == names
    assert student.bert.encoder.layer[0].output.dropout.p == 0.33


def test_a_layer_that_is_built_differently_is_refused():
    with pytest.raises(UserError, match="attn_norm"):  # ModernBERT's first layer has none
        copy_layers(tiny_model("modernbert"), 2, [1, 0])


def test_outside_layers():
    teacher, student = tiny_model("bert", 4), tiny_model("bert", 2, seed=9)
    layers = {k: v.clone() for k, v in layer_list(student)[2].state_dict().items()}
    copy_outside_layers(teacher, student)
    assert torch.equal(student.classifier.weight, teacher.classifier.weight)
    assert torch.equal(student.bert.pooler.dense.weight, teacher.bert.pooler.dense.weight)
    assert all(torch.equal(v, layers[k]) for k, v in layer_list(student)[2].state_dict().items())
    with pytest.raises(UserError, match=r"classifier.weight .* \(3, 16\).*\(2, 16\)"):
        copy_outside_layers(teacher, tiny_model("bert", 2, num_labels=3))


# --- refused -------------------------------------------------------------------------------------


def test_albert_is_refused_with_the_reason():
    config = tf.AlbertConfig(**BERT_LIKE, embedding_size=8, num_hidden_layers=2)
    with pytest.raises(UserError, match="ALBERT uses one set of weights"):
        layer_list(tf.AlbertForSequenceClassification(config))


def test_t5_is_refused_with_the_reason():
    config = tf.T5Config(d_model=16, d_ff=24, num_layers=2, num_heads=2, d_kv=8, vocab_size=40)
    with pytest.raises(UserError, match="position bias of all layers in its first block"):
        layer_list(tf.T5ForSequenceClassification(config))


def test_encoder_decoders_and_unknown_structures_are_refused():
    config = tf.BartConfig(d_model=16, encoder_layers=2, decoder_layers=2, vocab_size=40)
    for side in ("encoder", "decoder"):
        setattr(config, f"{side}_attention_heads", 2)
        setattr(config, f"{side}_ffn_dim", 24)
    with pytest.raises(UserError, match="an encoder and a decoder"):
        layer_list(tf.BartForSequenceClassification(config))
    config = tf.XLMConfig(emb_dim=16, n_layers=2, n_heads=2, n_words=40)
    with pytest.raises(UserError, match="no single plain list"):
        layer_list(tf.XLMForSequenceClassification(config))


# --- configs -------------------------------------------------------------------------------------


def test_cut_config_subsets_values_per_layer():
    config = tiny_config("modernbert")
    kinds = list(config.layer_types)
    shorter = cut_config(config, 3, [0, 3, 5])
    assert shorter.layer_types == [kinds[0], kinds[3], kinds[5]]
    assert config.layer_types == kinds and config.num_hidden_layers == 6
    assert type(config).from_dict(shorter.to_dict()).layer_types == shorter.layer_types


def test_cut_config_follows_the_name_that_the_config_uses():
    assert cut_config(tiny_config("distilbert"), 2, [0, 1]).n_layers == 2
    assert cut_config(tiny_config("gpt2"), 2, [0, 1]).n_layer == 2


# --- same shape ----------------------------------------------------------------------------------


def test_same_shape_names_both_values():
    teacher = tiny_config("bert", 6)
    student = tiny_config("bert", 3, hidden_size=32, num_attention_heads=4, vocab_size=99)
    found = {
        str(problem).split(":")[1].strip(): problem
        for problem in check_same_shape(teacher, student)
    }
    assert set(found) == {"hidden_size", "num_attention_heads", "vocab_size"}
    assert (
        found["hidden_size"].code == "theseus.shape-differs"
        and "32, the" in found["hidden_size"].message
        and "16" in found["hidden_size"].message
    )
    assert "vocabulary size is 99, the teacher's is 40" in found["vocab_size"].message
    assert not check_same_shape(teacher, tiny_config("bert", 3))


def test_same_shape_uses_the_files_own_key():
    (problem,) = check_same_shape(tiny_config("distilbert"), tiny_config("distilbert", dim=8))
    assert problem.message.startswith("dim: ")


def test_another_kind_of_model_and_another_activation():
    first, *_ = check_same_shape(tiny_config("bert"), tiny_config("roberta"))
    assert "kind of model is roberta, the teacher's is bert" in first.message
    turned = tiny_config("llama", rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert any(p.severity == "warning" for p in check_same_shape(tiny_config("llama"), turned))
    (warning,) = check_same_shape(tiny_config("bert"), tiny_config("bert", hidden_act="relu"))
    assert warning.severity == "warning"
