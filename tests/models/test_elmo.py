"""An ELMo's arithmetic against plain numpy and against a released one's expected outputs."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.elmo_by_hand import SIZES, ByHand, arrays_of, write_elmo

from chatstill.features.base import Needs
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.models.networks.elmo.characters import with_boundaries, words_of
from chatstill.models.networks.elmo.layers import ScalarMix
from chatstill.text.byte_tokenizer import END_ID, ByteTokenizer, flat, word_ids

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "elmo_fixture"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
ROWS = [
    ["Where", "is", "the", "naïve", "箱子", "?"],
    ["a"],
    [],
    ["<S>", LONG, "</S>", "😀", "is"],
]


def characters_of(rows):
    """(N, W, 50) of rows of words."""
    flats = [flat(map(word_ids, row)) for row in rows]
    ids = torch.zeros(len(rows), max(1, *map(len, flats)), dtype=torch.long)
    for number, row in enumerate(flats):
        ids[number, : len(row)] = torch.tensor(row, dtype=torch.long)
    return words_of(ids, ids > 0)


def student(folder, pairs=False, **keys):
    register_networks()
    ours = network("elmo")
    block = ours.Block(folder=str(folder), **{"hidden": 4, "dropout": 0.0, **keys})
    tokenizer = ByteTokenizer(segmenter="words")
    model = new_classifier(ours.build_config(block, tokenizer, pairs=pairs), seed=1)
    lines = ours.fill(model, block, Start(tokenizer, None, None, None, 1))
    return model.eval(), tokenizer, lines


def bilm(folder, **keys):
    return student(folder, **keys)[0].elmo.bilm


# -- plain arithmetic -------------------------------------------------------------------------------


def test_a_row_of_characters_is_as_the_format_says():
    (the, end), _ = characters_of([["the", "</S>"], []])
    assert the[:7].tolist() == [259, 117, 105, 102, 260, 261, 261] and the[7:].eq(261).all()
    assert end[:4].tolist() == [259, 258, 260, 261]
    (cut,), _, (signs,) = characters_of([[LONG], [], ["é"]])[:, :1]
    assert cut[0] == 259 and cut[49] == 260
    assert bytes((cut[1:49] - 1).tolist()) == LONG.encode()[:48]
    assert bytes((signs[1:3] - 1).tolist()) == "é".encode()
    assert not characters_of([["a", "b"], ["a"]])[1, 1].any()


def rows_by_hand(ids, counts):
    """Of each row the characters of its words, in a plain loop."""
    rows = []
    for numbers, own in zip(ids.tolist(), counts.tolist(), strict=True):
        words, word = [], []
        for number in [n for n, counted in zip(numbers, own, strict=True) if counted and n >= 3]:
            word.append(number - 2)
            if number == END_ID:
                words.append(word)
                word = []
        rows.append([*words, word] if word else words)
    most = max(map(len, rows))
    found = np.zeros((len(rows), most, 50), int)
    for row, words in enumerate(rows):
        for place, word in enumerate(words):
            closed = word[-1:] == [260]
            letters = word[:-1] if closed else word
            line = [259, *letters[:48], *([260] if closed else [])]
            found[row, place] = line + [261] * (50 - len(line))
    return found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_row_of_ids_is_laid_out_as_a_plain_loop_does(data):
    """Padding and special ids anywhere, places of another text, words without an end or beyond 48 bytes."""
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 120)))
    number = st.sampled_from([0, 2, END_ID, END_ID, 100, 101, 102, 258, 259])
    if data.draw(st.booleans()):
        number = st.sampled_from([100, 101, 102, *([END_ID] if data.draw(st.booleans()) else [])])
    row = st.lists(number, min_size=shape[1], max_size=shape[1])
    ids = torch.tensor(data.draw(st.lists(row, min_size=shape[0], max_size=shape[0])))
    mask = st.lists(st.booleans(), min_size=shape[1], max_size=shape[1])
    counts = torch.tensor(data.draw(st.lists(mask, min_size=shape[0], max_size=shape[0])))
    assert np.array_equal(words_of(ids, counts), rows_by_hand(ids, counts))


@pytest.mark.parametrize("length", [47, 48, 49, 60])
def test_a_word_that_no_tokenizer_has_cut_is_cut_and_ends(length):
    ids = torch.tensor([[*[100] * length, END_ID, 101, END_ID, 2]])
    found = words_of(ids, torch.ones_like(ids).bool())
    assert np.array_equal(found, rows_by_hand(ids, torch.ones_like(ids)))
    assert found[0, 0].tolist().count(260) == 1 and found.shape[1] == 2


def test_boundaries_stand_before_the_words_and_right_behind_them():
    framed = with_boundaries(characters_of([["a", "b"], ["a"], []]))
    kinds = framed[..., 1].tolist()
    assert kinds == [[257, 98, 99, 258], [257, 98, 258, 0], [257, 258, 0, 0]]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"residual": False},
        {"layers": 1},
        {"layers": 3, "highways": 0},
        {"activation": "tanh", "highways": 1},
        {"clip": 0},
        {"width": 9, "projection": False},
        {"width": 9},  # of the width that it projects to
    ],
    ids=str,
)
def test_layers_are_those_of_plain_numpy(tmp_path, changes):
    write_elmo(tmp_path, seed=3, **changes)
    plain = ByHand(tmp_path / "my_options.json", tmp_path / "my_weights.hdf5")
    with torch.no_grad():
        found, mask = bilm(tmp_path)(characters_of(ROWS))
    assert mask.sum(1).tolist() == [len(row) + 2 for row in ROWS]
    assert len(found) == 1 + (SIZES | changes)["layers"]
    for number, row in enumerate(ROWS):
        expected = plain.layers(row)
        for layer, ours in zip(expected, found, strict=True):
            np.testing.assert_allclose(ours[number, : len(layer)], layer, atol=2e-5, rtol=1e-4)
            assert not ours[number, len(layer) :].any()


def test_the_made_up_weights_are_clipped_somewhere_and_not_everywhere(tmp_path):
    """Else the tests above would not see a clip that is missing."""
    write_elmo(tmp_path, seed=3)
    plain = ByHand(tmp_path / "my_options.json", tmp_path / "my_weights.hdf5")
    plain.layers(ROWS[0])
    for h, c in plain.kept.values():
        for states in (h, c):
            at_the_clip = np.abs(states) == SIZES["clip"]
            assert at_the_clip.any() and not at_the_clip.all()


def test_every_pass_begins_from_zero_unless_states_are_carried(tmp_path):
    write_elmo(tmp_path, seed=3)
    plain = ByHand(tmp_path / "my_options.json", tmp_path / "my_weights.hdf5")
    model = bilm(tmp_path)
    batches = [
        [["a", "b"], ["c"]],
        [["d"]],  # the second row keeps what it ended with
        [["e", "f"], ["g"], ["h"]],  # and a third one begins from zero
        [["i"], ["j", "k", "l"], []],
    ]
    with torch.no_grad():
        alone = model(characters_of(batches[1]))[0]
        assert torch.equal(model(characters_of(batches[1]))[0][-1], alone[-1])
        model.carries = True
        for batch in batches:
            found, _ = model(characters_of(batch))
            for number, row in enumerate(batch):
                layers = plain.layers(row, number, carry=True)
                for layer, ours in zip(layers, found, strict=True):
                    np.testing.assert_allclose(
                        ours[number, : len(layer)], layer, atol=2e-5, rtol=1e-4
                    )
        again = model(characters_of(batches[1]))[0]
        assert (again[-1] - alone[-1]).abs().max() > 1e-3
        model.reset_states()
        torch.testing.assert_close(model(characters_of(batches[1]))[0][-1], alone[-1])
    with pytest.raises(ValueError, match="evaluation"):
        model.train()(characters_of(batches[1]))


def test_gradients_are_those_of_small_differences(tmp_path):
    write_elmo(tmp_path, seed=3)
    model = bilm(tmp_path, fine_tune=True).double()
    rows = characters_of([["ab", "c"], ["d"]])

    def loss():
        return sum((layer * layer).sum() for layer in model(rows)[0])

    loss().backward()
    generator = torch.Generator().manual_seed(2)
    for name, parameter in model.named_parameters():
        place = int(parameter.grad.abs().view(-1).argmax())
        toward = torch.randint(0, 2, (1,), generator=generator).item() or -1
        step = 1e-6 * toward
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.view(-1)[place] += sign * step
                ends.append(float(loss()))
                parameter.view(-1)[place] -= sign * step
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(parameter.grad.view(-1)[place]) == pytest.approx(slope, rel=1e-4), name


# -- the mix ----------------------------------------------------------------------------------------


def mixed_by_hand(layers, mask, weights, gamma, norm):
    """``norm``: None, "batch" or "row"."""
    shares = np.exp(weights) / np.exp(weights).sum()
    total = 0
    for share, layer in zip(shares, layers, strict=True):
        layer = layer.copy()
        for rows in (
            [slice(None)] if norm == "batch" else [slice(n, n + 1) for n in range(len(layer))]
        ):
            if norm:
                inside = layer[rows][mask[rows]]
                if inside.size:
                    layer[rows] = (layer[rows] - inside.mean()) / np.sqrt(inside.var() + 1e-13)
        total = total + share * layer
    return gamma * total


@pytest.mark.parametrize("norm", ["", "batch", "row"])
def test_the_mix_is_that_of_plain_numpy(norm):
    generator = np.random.default_rng(5)
    layers = [generator.normal(3, 2, (3, 4, 6)) for _ in range(3)]
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]], bool)
    for weights, gamma in (([0.0, 0, 0], 1.0), ([0.1, 0.3, 0.5], 1.1), ([0.2, 0.4, 0.6], 0.88)):
        mix = ScalarMix(3, norm).double()
        with torch.no_grad():
            mix.weights.copy_(torch.tensor(weights, dtype=torch.float64))
            mix.gamma.fill_(gamma)
        found = mix([torch.from_numpy(layer) for layer in layers], torch.from_numpy(mask))
        expected = mixed_by_hand(layers, mask, np.array(weights), gamma, norm)
        np.testing.assert_allclose(found.detach().numpy()[mask], expected[mask], rtol=1e-9)


def test_it_starts_as_the_mean_of_the_layers(tmp_path):
    mix = student(write_elmo(tmp_path))[0].elmo.mix
    assert not mix.weights.any() and mix.gamma == 1


# -- the student ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys", [{}, {"pooling": "max"}, {"boundaries": True}, {"layer_norm": True}]
)
def test_logits_are_those_of_each_text_alone(tmp_path, keys):
    """Mixed states of the words, pooled; joined; ReLU; classifier; a text of nothing is zero."""
    write_elmo(tmp_path, seed=3)
    model, tokenizer, _ = student(tmp_path, pairs=True, **keys)
    plain = ByHand(tmp_path / "my_options.json", tmp_path / "my_weights.hdf5")
    with torch.no_grad():
        model.elmo.mix.weights.copy_(torch.tensor([0.5, -1.0, 2.0]))
        model.elmo.mix.gamma.fill_(1.7)
    weights = np.array([0.5, -1.0, 2.0])

    def vector(words):
        if not words:
            return np.zeros(10)
        layers = [layer[None] for layer in plain.layers(words)]
        norm = "row" if keys.get("layer_norm") else None
        mask = np.ones(layers[0].shape[:2], bool)
        states = mixed_by_hand(layers, mask, weights, 1.7, norm)[0]
        states = states if keys.get("boundaries") else states[1:-1]
        return states.max(0) if keys.get("pooling") == "max" else states.mean(0)

    texts = [("Where is", "the naïve box"), ("", "箱子"), ("", "")]
    rows = tokenizer(texts, padding=True, return_tensors="pt")
    known = [(["Where", "is"], ["the", "naïve", "box"]), ([], ["箱", "子"]), ([], [])]
    with torch.no_grad():
        found = model(**rows).logits
        mean = model.read_features(rows, Needs(vector=True)).vector
        for number, (one, two) in enumerate(known):
            h1, h2 = vector(one), vector(two)
            joined = torch.from_numpy(np.concatenate([h1, h2, h1 * h2, abs(h1 - h2)])).float()
            expected = model.classifier(model.dense(joined).clamp(min=0))
            torch.testing.assert_close(found[number], expected, atol=1e-5, rtol=1e-4)
            texts_with_words = max(1, bool(one) + bool(two))
            np.testing.assert_allclose(mean[number], (h1 + h2) / texts_with_words, atol=1e-5)


def test_frozen_only_the_mix_and_the_classifier_get_a_gradient(tmp_path):
    write_elmo(tmp_path, seed=3)
    logits = []
    for fine_tune in (False, True):
        model, tokenizer, lines = student(tmp_path, fine_tune=fine_tune)
        rows = tokenizer(["where is", "a"], padding=True, return_tensors="pt")
        logits.append(model(**rows).logits)
        logits[-1].square().sum().backward()
        reached = {name for name, p in model.named_parameters() if p.grad is not None}
        inside = {name for name in reached if name.startswith("elmo.bilm.")}
        assert bool(inside) is fine_tune
        assert {name for name, _ in model.named_parameters()} - reached == (
            set() if fine_tune else {n for n, _ in model.named_parameters() if ".bilm." in n}
        )
        assert "elmo.mix.weights" in reached and "classifier.weight" in reached
        assert str(tmp_path / "my_weights.hdf5") in lines[0]
    torch.testing.assert_close(*logits)  # without gradients words are computed in lots


def test_dropout_falls_on_the_mixed_states(tmp_path):
    model, tokenizer, _ = student(write_elmo(tmp_path, seed=3), dropout=0.5)
    rows = tokenizer(["where is the box"], return_tensors="pt")
    torch.manual_seed(1)
    with torch.no_grad():
        still = model.read_features(rows, Needs(vector=True)).vector
        assert torch.equal(still, model.read_features(rows, Needs(vector=True)).vector)
        model.elmo.train()
        many = {name: tensor.repeat(4000, 1) for name, tensor in rows.items()}
        drawn = model.read_features(many, Needs(vector=True)).vector
    assert drawn.std(0).min() > 0
    torch.testing.assert_close(drawn.mean(0), still[0], atol=0.05, rtol=0.05)


def test_the_arrays_of_the_file_are_taken_bit_for_bit(tmp_path):
    write_elmo(tmp_path, seed=7)
    arrays = arrays_of(7)
    model = bilm(tmp_path)
    cell = "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell"
    lstm = model.back[1]
    both = [each.weight.T.detach() for each in (lstm.inputs, lstm.recurrent)]
    assert np.array_equal(np.concatenate(both), arrays[f"{cell}/W_0"])
    assert np.array_equal(lstm.projection.weight.T.detach(), arrays[f"{cell}/W_P_0"])
    assert np.array_equal(model.tokens.characters.detach(), arrays["char_embed"])


@pytest.mark.parametrize("norm", ["batch", "row"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_layer_of_one_number_alone_is_normed_to_zeros(norm, dtype):
    """Its variance is 0, and the little number beside it is 0 in 16 bits."""
    layer, mask = torch.full((1, 3, 4), 0.5, dtype=dtype), torch.ones(1, 3, dtype=torch.bool)
    assert not ScalarMix(1, norm)([layer], mask).any()


@pytest.mark.parametrize("fine_tune", [False, True])
def test_half_precision_stays_finite(tmp_path, fine_tune):
    model, tokenizer, _ = student(write_elmo(tmp_path, seed=3), pairs=True, fine_tune=fine_tune)
    rows = tokenizer([("where is", "sure"), ("", "")], padding=True, return_tensors="pt")
    with torch.autocast("cpu", torch.bfloat16):
        half = model(**rows).logits.float()
    half.sum().backward()
    torch.testing.assert_close(half, model(**rows).logits, atol=0.05, rtol=0.05)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


# -- a released one ---------------------------------------------------------------------------------

released = pytest.mark.skipif(not FIXTURE.is_dir(), reason="../shared is not there")


@released
def test_top_layers_of_the_fixture_are_those_its_authors_assert():
    model = bilm(FIXTURE)
    model.carries = True
    files = json.loads((FIXTURE / "sentences.json").read_text("utf-8"))
    expected = [h5py.File(FIXTURE / f"lm_embeddings_{number}.hdf5", "r") for number in range(3)]
    assert [len(sentences) for sentences in files] == [10, 10, 10]
    for batch in range(10):
        words = [sentences[batch].split() for sentences in files]
        with torch.no_grad():
            layers, mask = model(characters_of(words))
        for number, row in enumerate(words):
            wanted = np.concatenate(list(expected[number][str(batch)][...]), -1)
            assert len(wanted) == len(row) == int(mask[number].sum()) - 2
            found = layers[-1][number, 1 : len(row) + 1].numpy()
            np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-5)
    for file in expected:
        file.close()


@released
def test_token_embeddings_of_the_fixture():
    words = (FIXTURE / "vocab_test.txt").read_text("utf-8").split()
    rows = [words[at : at + 50] for at in range(0, len(words), 50)]
    model = bilm(FIXTURE)
    with torch.no_grad():
        found = model.tokens(characters_of(rows))
        edges = model.tokens(with_boundaries(characters_of([["a"]])))[0]
        named = model.tokens(characters_of([["<S>", "</S>"]]))[0]
    found = np.concatenate([one[: len(row)] for one, row in zip(found, rows, strict=True)])
    with h5py.File(FIXTURE / "elmo_token_embeddings.hdf5", "r") as file:
        assert found.shape == file["embedding"].shape == (458, 16)
        np.testing.assert_allclose(found, file["embedding"][...], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(edges[[0, 2]], named, atol=0, rtol=0)


@released
def test_the_plain_arithmetic_is_that_of_the_fixture_too():
    plain = ByHand(FIXTURE / "options.json", FIXTURE / "lm_weights.hdf5")
    first = json.loads((FIXTURE / "sentences.json").read_text("utf-8"))[0][3].split()
    with h5py.File(FIXTURE / "lm_embeddings_0.hdf5", "r") as file:
        wanted = np.concatenate(list(file["3"][...]), -1)
    for row in json.loads((FIXTURE / "sentences.json").read_text("utf-8"))[0][:3]:
        plain.layers(row.split(), carry=True)
    found = plain.layers(first, carry=True)[-1][1:-1]
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-5)
