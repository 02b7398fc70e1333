"""The BiLSTM network against nn.LSTM on packed sequences, and what a row's vector is."""

from copy import deepcopy

import pytest
import torch
from tests.path import world
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from chatstill.features.base import Needs
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.models.networks.bilstm.layers import (
    AttentionState,
    BiLstmLayers,
    LastState,
    MaxState,
    words_first,
)
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

WORDS = ["where", "is", "the", "box", "sure", "rare"]
LENGTHS = [5, 1, 3, 7]


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer(words=[*SPECIAL, *WORDS], segmenter="words")


def built(tokenizer, pairs=True, **keys):
    register_networks()
    ours = network("bilstm")
    block = ours.Block(**{"width": 4, "units": 3, "hidden": 5, "dropout": 0.0, **keys})
    model = new_classifier(ours.build_config(block, tokenizer, pairs=pairs), seed=1).eval()
    return block, model


def both(layers):
    """nn.LSTM, and ours with the same weights."""
    torch.manual_seed(4)
    packed = nn.LSTM(4, 3, layers, batch_first=True, bidirectional=True)
    ours = BiLstmLayers(4, 3, layers, dropout=0.0)
    with torch.no_grad():
        for name, value in packed.named_parameters():
            theirs_of(ours, name).copy_(value)
    return packed, ours


def theirs_of(ours, name):
    """Our parameter of a name such as ``weight_ih_l1_reverse``."""
    kind, _, rest = name.rpartition("_l")
    number, _, back = rest.partition("_")
    lstm = (ours.back if back else ours.ahead)[int(number)]
    return getattr(lstm, f"{kind}_l0")


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_states_and_gradients_are_those_of_packed_sequences(layers):
    packed, ours = both(layers)
    lengths = torch.tensor(LENGTHS)
    inputs = [torch.randn(4, 9, 4).requires_grad_() for _ in range(1)]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    rows = pack_padded_sequence(inputs[0], lengths, batch_first=True, enforce_sorted=False)
    expected, (last, _) = packed(rows)
    expected, _ = pad_packed_sequence(expected, batch_first=True, total_length=9)
    found = ours(inputs[1], lengths)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    vector = LastState()(found, lengths)
    torch.testing.assert_close(vector, torch.cat([last[-2], last[-1]], -1), atol=1e-6, rtol=1e-5)

    towards = torch.randn_like(expected)
    (expected * towards).sum().backward()
    (found * towards).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, atol=1e-6, rtol=1e-5)
    for row, length in enumerate(LENGTHS):
        assert inputs[1].grad[row, :length].abs().min() > 0
        assert not inputs[1].grad[row, length:].any()
    for name, parameter in packed.named_parameters():
        grad = theirs_of(ours, name).grad
        assert grad.any()
        torch.testing.assert_close(grad, parameter.grad, atol=1e-5, rtol=1e-4, msg=name)


def test_what_follows_the_words_changes_nothing():
    _, ours = both(2)
    lengths = torch.tensor(LENGTHS)
    inputs = torch.randn(4, 9, 4)
    other = inputs.clone()
    for row, length in enumerate(LENGTHS):
        other[row, length:] = 1e4
    assert torch.equal(ours(inputs, lengths), ours(other, lengths))


@pytest.mark.parametrize("kind", ["last", "max", "attention"])
def test_pooling_is_that_of_a_plain_loop(kind):
    lengths = torch.tensor([3, 1, 0, 4])
    states = torch.randn(4, 4, 6)
    states = states * (torch.arange(4) < lengths[:, None])[..., None]
    pooling = {"last": LastState, "max": MaxState}.get(kind, lambda: AttentionState(6))()
    found = pooling(states, lengths)
    for row, length in enumerate(lengths.tolist()):
        words = states[row, :length]
        if length == 0:
            expected = torch.zeros(6)
        elif kind == "last":
            expected = torch.cat([words[-1, :3], words[0, 3:]])
        elif kind == "max":
            expected = words.max(0).values
        else:
            scores = torch.tensor([pooling.score(torch.tanh(word)).item() for word in words])
            expected = sum(w * word for w, word in zip(scores.softmax(0), words, strict=True))
        torch.testing.assert_close(found[row], expected)


def test_words_are_moved_to_the_front_in_their_order():
    ids = torch.tensor([[7, 1, 8, 2, 9], [1, 1, 2, 0, 0], [0, 5, 6, 7, 8]])
    words = torch.tensor([[1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]]).bool()
    moved, lengths = words_first(ids, words)
    assert lengths.tolist() == [3, 0, 4]
    assert moved[0, :3].tolist() == [7, 8, 9] and moved[2, :4].tolist() == [5, 6, 7, 8]
    for row, found in zip(ids.tolist(), moved.tolist(), strict=True):
        assert {*found} <= {*row}, "a word that training may not know of"


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("pairs", [False, True])
def test_logits_are_those_of_each_text_alone(tokenizer, pairs, layers):
    """h of the known words of a text by packed nn.LSTM; joined; ReLU; classifier."""
    _, model = built(tokenizer, pairs, layers=layers)
    packed = nn.LSTM(4, 3, layers, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, value in packed.named_parameters():
            value.copy_(theirs_of(model.bilstm.lstm, name))

    def vector(words):
        if not words:
            return torch.zeros(6)
        ids = torch.tensor([[tokenizer.get_vocab()[word] for word in words]])
        return packed(model.bilstm.words(ids))[1][0][-2:].reshape(-1)

    texts = [("where strange is", "the box box sure"), ("", "rare"), ("😀", "")]
    known = [(["where", "is"], ["the", "box", "box", "sure"]), ([], ["rare"]), ([], [])]
    if not pairs:
        texts, known = [one for one, _ in texts], [(one, []) for one, _ in known]
    rows = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**rows).logits
        for row, (one, two) in enumerate(known):
            joined = h1 = vector(one)
            if pairs:
                h2 = vector(two)
                joined = torch.cat([h1, h2, h1 * h2, (h1 - h2).abs()])
            expected = model.classifier(model.dense(joined).clamp(min=0))
            torch.testing.assert_close(found[row], expected, atol=1e-6, rtol=1e-5)


def test_the_vector_of_a_row_is_the_mean_of_its_texts_that_have_words(tokenizer):
    _, model = built(tokenizer)
    alone = built(tokenizer, pairs=False)[1]
    alone.bilstm.load_state_dict(model.bilstm.state_dict())

    def vector(network, *texts):
        rows = tokenizer(*texts, return_tensors="pt")
        with torch.no_grad():
            return network.read_features(rows, Needs(vector=True)).vector[0]

    one, two = (vector(alone, text) for text in ("where is", "sure"))
    torch.testing.assert_close(vector(model, "where is", "sure"), (one + two) / 2)
    torch.testing.assert_close(vector(model, "where is", "😀"), one)
    assert not vector(model, "", "").any()


def test_the_order_of_words_counts(tokenizer):
    _, model = built(tokenizer, pairs=False)
    rows = tokenizer(["where is the box", "the box is where"], return_tensors="pt")
    one, two = model(**rows).logits
    assert (one - two).abs().max() > 1e-4


def test_fixed_vectors_get_no_gradient_and_give_the_same_answers(tokenizer):
    fixed, free = (built(tokenizer, train_vectors=flag)[1] for flag in (False, True))
    free.load_state_dict(fixed.state_dict())
    rows = tokenizer("where is", "sure", return_tensors="pt")
    assert torch.equal(fixed(**rows).logits, free(**rows).logits)
    for model, trained in ((fixed, False), (free, True)):
        model(**rows).logits.sum().backward()
        assert (model.bilstm.words.weight.grad is not None) is trained
        assert model.bilstm.lstm.ahead[0].weight_hh_l0.grad is not None


def test_of_both_channels_the_fixed_one_gets_no_gradient_and_both_are_read(tokenizer):
    """Kim 2014: the same vectors twice, gradients through one of them alone."""
    block, model = built(tokenizer, train_vectors="both")
    lines = network("bilstm").fill(model, block, Start(tokenizer, None, None, None, 1))
    assert "takes 0.0 MB more" in lines[-1]
    encoder, rows = model.bilstm, tokenizer("where is", "sure", return_tensors="pt")
    assert torch.equal(encoder.fixed, encoder.words.weight) and encoder.fixed[3:].any()
    assert "bilstm.fixed" not in dict(model.named_parameters())
    before, logits = encoder.fixed.clone(), model(**rows).logits
    logits.sum().backward()
    assert encoder.words.weight.grad.any() and encoder.fixed.grad is None
    with torch.no_grad():
        encoder.words.weight -= encoder.words.weight.grad  # a step
        assert torch.equal(encoder.fixed, before)
        moved = model(**rows).logits
        encoder.fixed += 1
        assert not torch.allclose(moved, logits) and not torch.allclose(model(**rows).logits, moved)


def test_both_channels_by_hand_and_equal_ones_are_one_with_summed_weights(tokenizer):
    _, model = built(tokenizer, pairs=False, train_vectors="both")
    _, plain = built(tokenizer, pairs=False)
    weights = {name: value for name, value in model.state_dict().items() if "fixed" not in name}
    for name in weights:
        if "weight_ih" in name:  # reads [trained, fixed]
            weights[name] = weights[name][:, :4] + weights[name][:, 4:]
    plain.load_state_dict(weights)
    rows = tokenizer(["where is the box", "sure"], padding=True, return_tensors="pt")
    torch.testing.assert_close(model(**rows).logits, plain(**rows).logits)
    assert not torch.equal(
        model.bilstm.lstm.ahead[0].weight_ih_l0[:, :4], weights["bilstm.lstm.ahead.0.weight_ih_l0"]
    )


def test_vectors_of_a_file_are_those_of_both_channels(tokenizer, tmp_path):
    file = tmp_path / "glove.txt"
    file.write_text("where 1 2 3 4\n", encoding="utf-8")
    block, model = built(tokenizer, vectors=str(file), train_vectors="both")
    network("bilstm").fill(model, block, Start(tokenizer, None, None, None, 1))
    place = tokenizer.get_vocab()["where"]
    assert model.bilstm.fixed[place].tolist() == [1, 2, 3, 4]
    assert torch.equal(model.bilstm.fixed, model.bilstm.words.weight)


def test_vectors_of_a_file_have_the_words_width_not_the_texts(tokenizer, tmp_path):
    file = tmp_path / "glove.txt"
    file.write_text("where 1 2 3 4\nother 9 9 9 9\n", encoding="utf-8")
    block, model = built(tokenizer, vectors=str(file), train_vectors=False)
    lines = network("bilstm").fill(model, block, Start(tokenizer, None, None, None, 1))
    table = model.bilstm.words.weight
    assert table[tokenizer.get_vocab()["where"]].tolist() == [1, 2, 3, 4]
    assert "1 of 9 words" in lines[0] and "stay as they are" in lines[-1]
    assert model.config.hidden_size == 6


def test_forget_gates_start_open_and_padding_is_zero(tokenizer):
    _, model = built(tokenizer)
    lstm = model.bilstm.lstm.back[0]
    assert lstm.bias_ih_l0.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert not lstm.bias_hh_l0.any()
    gate = lstm.weight_hh_l0[3:6]
    torch.testing.assert_close(gate @ gate.T, torch.eye(3), atol=1e-5, rtol=1e-5)
    assert not model.bilstm.words.weight[0].any() and model.bilstm.words.weight[1:].any(1).all()


@pytest.mark.parametrize("pooling", ["last", "max", "attention"])
def test_half_precision_stays_finite(tokenizer, pooling):
    _, model = built(tokenizer, pooling=pooling, layers=2)
    rows = tokenizer([("where is", "sure"), ("", "")], padding=True, return_tensors="pt")
    with torch.autocast("cpu", torch.bfloat16):
        half = model(**rows).logits.float()
    half.sum().backward()
    torch.testing.assert_close(half, model(**rows).logits, atol=0.05, rtol=0.05)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


class Logits(nn.Module):
    """Tensors in, a tensor out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, types):
        return self.model(ids, mask, types).logits


EXAMPLES = [
    [("where is the box", "sure"), ("", "the")],
    [("is", "where is sure the box"), ("rare the box is", ""), ("", "")],
]


def of(rows):
    return tuple(rows[name] for name in ("input_ids", "attention_mask", "token_type_ids"))


@pytest.mark.parametrize("pooling", ["last", "max", "attention"])
def test_a_traced_pass_holds_for_other_rows(tokenizer, pooling):
    """Nothing of the example's lengths is fixed in the graph."""
    _, model = built(tokenizer, pooling=pooling, layers=2)
    first, other = (tokenizer(e, padding=True, return_tensors="pt") for e in EXAMPLES)
    with torch.no_grad():
        traced = torch.jit.trace(Logits(deepcopy(model)), of(first))
        torch.testing.assert_close(traced(*of(other)), model(**other).logits)


def test_vectors_of_the_teacher_fill_it(tokenizer, tmp_path):
    import transformers as tf

    folder = world.build_network(tmp_path / "teacher", layers=1)
    teacher = tf.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    block, model = built(tokenizer, vectors="teacher")
    before = model.bilstm.words.weight.detach().clone()
    pieces = tf.AutoTokenizer.from_pretrained(folder)
    lines = network("bilstm").fill(model, block, Start(tokenizer, teacher, pieces, None, 1))
    assert "PCA from 16 to 4" in lines[0]
    assert not torch.equal(model.bilstm.words.weight, before)
