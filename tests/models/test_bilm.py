"""A bidirectional language model against plain numpy, and the files it writes, read by others."""

import json
import math
import sys

import h5py
import numpy as np
import pytest
import torch
from tests.draws import reseeded
from tests.elmo_by_hand import ByHand
from tests.found import codes

from chatstill.data.blocks import Blocks
from chatstill.evaluate.masked import masked_scores
from chatstill.methods.base import Context, RunValues
from chatstill.methods.bilm import BiLM, Config
from chatstill.models.networks.elmo.characters import words_of
from chatstill.models.networks.elmo.files import find_files
from chatstill.models.networks.elmo.language_model import BiLmConfig, BiLmForCausalLM
from chatstill.models.networks.elmo.options import read_options
from chatstill.models.networks.elmo.weights import read_weights
from chatstill.models.networks.elmo.word_bytes import WordBytes
from chatstill.text.byte_tokenizer import flat, word_ids

BEGIN, END, SIZE = 3, 4, 9
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
WORDS = ["[PAD]", "[UNK]", "[SEP]", "<S>", "</S>", "the", "box", "箱子", "is", "naïve", LONG, "😀"]
SIZES = {
    "char_size": 3,
    "filters": [[1, 4], [2, 3], [5, 2]],
    "highways": 2,
    "projection_size": 5,
    "cell_size": 6,
    "cell_clip": 0.4,
    "proj_clip": 0.4,
    "vocab_size": SIZE,
}
LINES = [[5, 7, 9, 10, 6], [11], [8, 8, 5]]


def network(scale=0.7, **changes):
    model = BiLmForCausalLM(BiLmConfig(**{**SIZES, **changes})).eval()
    torch.manual_seed(reseeded(3))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    model.words = WordBytes(WORDS)
    return model


def batch_of(rows, width=0):
    ids = torch.zeros(len(rows), max(width, *map(len, rows)), dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


def framed(lines):
    return [[BEGIN, *line, END] for line in lines]


def test_a_words_characters_are_those_that_an_elmo_student_reads():
    rows = WordBytes(WORDS).rows.long()
    assert not rows[0].any()
    for number, word in enumerate(WORDS[1:], 1):
        ids = torch.tensor([flat([word_ids(word)])])
        assert torch.equal(rows[number], words_of(ids, ids > 0)[0, 0]), word


def by_plain_loops(row):
    """(ahead, back) targets of a row of ids."""
    known = [number if number < SIZE else 1 for number in row]
    ahead, back = [-100] * len(row), [-100] * len(row)
    for place in range(len(row) - 1):
        if row[place] != END and 0 not in row[place : place + 2]:
            ahead[place], back[place + 1] = known[place + 1], known[place]
    return [ahead, back]


@pytest.mark.parametrize(
    "row",
    [
        [BEGIN, 5, 10, 6, END, BEGIN, 7, END],
        [5, 6, END, BEGIN, 7],  # a block that begins and ends inside a line
        [END, BEGIN, END],
        [END],
        [BEGIN, 5, END, 0, 0],
    ],
)
def test_targets_are_the_next_word_and_the_one_before_inside_a_line(row):
    read = batch_of([row])
    found = network().targets(read["input_ids"], (torch.tensor([row]) > 0).long())
    assert found[0].tolist() == by_plain_loops(row)


def test_its_states_and_its_loss_are_those_of_plain_numpy(tmp_path):
    model = network()
    model.save_pretrained(tmp_path)
    hand = ByHand(tmp_path / "options.json", tmp_path / "weights.hdf5")
    head = model.head.weight.detach().double().numpy(), model.head.bias.detach().double().numpy()
    rows, losses = framed(LINES), np.zeros((3, 2))
    found = model.states(**batch_of(rows)).detach().numpy()
    for number, (line, row) in enumerate(zip(LINES, rows, strict=True)):
        top = hand.layers([WORDS[word] for word in line])[-1]
        for way, (states, targets) in enumerate(
            zip((top[:, :5], top[:, 5:]), by_plain_loops(row), strict=True)
        ):
            np.testing.assert_allclose(found[number, way, : len(row)], states, atol=1e-5)
            scores = states @ head[0].T + head[1]
            for score, target in zip(scores, targets, strict=True):
                if target >= 0:
                    losses[number, way] += np.log(np.exp(score).sum()) - score[target]
    counted = [len(row) - 1 for row in rows]
    scores = masked_scores(model, Blocks.in_memory(rows, "right"), None, pad_token_id=0)
    np.testing.assert_allclose(scores[:, 0], losses.sum(1), rtol=1e-5)
    assert scores[:, 2].tolist() == [2 * number for number in counted]

    method = BiLM(Config(), model, None, objective="cross_entropy", run=RunValues(1, 1e-3))
    ctx = Context(0, 0, 0, 0, 0, 1)
    read = method.prepare_batch(batch_of(rows), ctx)
    terms = method.terms(read, method.forward(model, read, ctx), None, ctx)
    assert [(term.count, term.weight) for term in terms.values()] == [(sum(counted), 0.5)] * 2
    for way, name in enumerate(("forward", "backward")):
        assert float(terms[name].sum.detach()) == pytest.approx(losses[:, way].sum(), rel=1e-5)


def test_padding_and_neighbours_change_nothing_and_no_direction_sees_what_it_predicts():
    model = network()
    whole = model.states(**batch_of(framed(LINES), width=12))
    for number, row in enumerate(framed(LINES)):
        alone = model.states(**batch_of([row]))[0]
        torch.testing.assert_close(whole[number, :, : len(row)], alone, rtol=0, atol=1e-6)
        assert not whole[number, :, len(row) :].any()
    row, other = framed([[5, 6, 7, 8]])[0], framed([[5, 6, 9, 8]])[0]
    one, two = (model.states(**batch_of([each]))[0] for each in (row, other))
    for way, blind in ((0, slice(3)), (1, slice(4, None))):
        torch.testing.assert_close(one[way, blind], two[way, blind], rtol=0, atol=1e-6)
        assert (one[way, 3] - two[way, 3]).abs().max() > 1e-3


@pytest.mark.parametrize("changes", [{}, {"highways": 0, "projection_size": 9, "lstm_layers": 1}])
def test_the_two_files_are_read_back_bit_for_bit(tmp_path, changes):
    """Also where a projection joins equal widths (9 filters, 9 numbers)."""
    model = network(**changes)
    model.save_pretrained(tmp_path)
    files = find_files([tmp_path])
    arrays = read_weights(files.weights, read_options(files.options))
    state = model.bilm.state_dict()
    assert arrays.keys() == state.keys()
    assert all(np.array_equal(arrays[name], state[name]) for name in state)
    again = BiLmForCausalLM.from_pretrained(tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True)
    )
    first = (tmp_path / "weights.hdf5").read_bytes()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "weights.hdf5").read_bytes() == first, "the same weights are the same file"


def test_the_two_files_are_as_the_format_says(tmp_path):
    """By h5py and the shapes of the format alone: C = 6, P = 5, F = 9, d = 3."""
    model = network()
    model.save_pretrained(tmp_path)
    options = json.loads((tmp_path / "options.json").read_text("utf-8"))
    assert options["lstm"] == {
        "dim": 6,
        "projection_dim": 5,
        "n_layers": 2,
        "cell_clip": 0.4,
        "proj_clip": 0.4,
        "use_skip_connections": True,
    }
    assert options["char_cnn"]["filters"] == [[1, 4], [2, 3], [5, 2]]
    assert options["char_cnn"]["n_characters"] == 262
    shapes = {}
    with h5py.File(tmp_path / "weights.hdf5", "r") as file:
        file.visititems(lambda name, what: shapes.update({name: getattr(what, "shape", None)}))
        cell = file["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell"]
        assert cell["W_0"].dtype == np.float32 and not file.attrs.keys()
        lstm = model.bilm.back[0]
        assert np.array_equal(cell["W_0"][:5], lstm.inputs.weight.detach().T)
        assert np.array_equal(cell["W_0"][5:], lstm.recurrent.weight.detach().T)
        kernel = model.bilm.tokens.convolutions[2].weight.detach()
        assert np.array_equal(file["CNN/W_cnn_2"][0, 4, :, 1], kernel[1, :, 4])
        gate = model.bilm.tokens.highways[1].carry.weight.detach()
        assert np.array_equal(file["CNN_high_1/W_carry"][2], gate[:, 2])
    data_sets = {name: shape for name, shape in shapes.items() if shape is not None}
    assert len(data_sets) == 1 + 2 * 3 + 4 * 2 + 2 + 3 * 4
    assert data_sets["char_embed"] == (261, 3) and data_sets["CNN_proj/W_proj"] == (9, 5)
    assert data_sets["RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B"] == (24,)
    assert data_sets["RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"] == (6, 5)


def test_a_network_that_no_machine_holds_is_refused_by_its_size():
    sizes = {key: SIZES[key] for key in ("char_size", "filters", "highways")}
    sizes |= {"projection_size": 5, "cell_size": 6}
    expected = sum(p.numel() for p in network().parameters())
    knobs = Config(**sizes, max_words=SIZE - 5)
    assert knobs.most_parameters() == expected
    with pytest.raises(ValueError, match="parameters, more than"):
        Config(projection_size=16_384, cell_size=16_384)


def test_without_h5py_it_is_told_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    method = BiLM(Config(), network(), None, objective="cross_entropy", run=RunValues(1, 1e-3))
    assert codes(method.problems()) == ["elmo.h5py-missing"]


def test_random_weights_know_as_little_as_a_guess():
    model = BiLmForCausalLM(BiLmConfig(**SIZES)).eval()
    model.words = WordBytes(WORDS)
    scores = masked_scores(model, Blocks.in_memory(framed(LINES), "right"), None, pad_token_id=0)
    assert scores[:, 0].sum() / scores[:, 2].sum() == pytest.approx(math.log(SIZE), rel=0.15)
