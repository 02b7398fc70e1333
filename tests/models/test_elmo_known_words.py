"""Vectors of words that are kept over batches: the others to rounding, and never those of other weights."""

import copy

import numpy as np
import pytest
import torch
from tests.draws import reseeded

from chatstill.models.networks.elmo import known_words
from chatstill.models.networks.elmo.known_words import KnownWords
from chatstill.models.networks.elmo.tokens import Sizes, TokenEncoder
from chatstill.models.networks.elmo.word_bytes import WordBytes

SIZES = Sizes(4, ((1, 10), (2, 8), (5, 5)), 2, "relu", True, 6, 8, 1, 0.0, 0.0, False)
TEXT = [f"word{number}" for number in range(100)]


@pytest.fixture
def encoder():
    torch.manual_seed(reseeded(1))
    made = TokenEncoder(SIZES).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def characters(words):
    return WordBytes(["[PAD]", *words]).rows[1:].long()


def without_memory(encoder, words):
    """What is computed by an encoder that has seen nothing."""
    return copy.deepcopy(encoder)(characters(words))


def assert_same(found, wanted):
    """To the rounding of products: some processors add up a row by its place among the others."""
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


class Counted:
    """Counts the words whose characters are read."""

    def __init__(self, encoder, monkeypatch):
        self.read = 0
        original = encoder._computed

        def counting(words):
            self.read += len(words)
            return original(words)

        monkeypatch.setattr(encoder, "_computed", counting)


def test_words_of_earlier_batches_are_the_same_and_not_computed_again(encoder, monkeypatch):
    generator = np.random.default_rng(reseeded(2))
    counted = Counted(encoder, monkeypatch)
    with torch.no_grad():
        for size in (1, 7, 31, 32, 33, 90):
            some = [str(word) for word in generator.choice(TEXT, size)]
            assert_same(encoder(characters(some)), without_memory(encoder, some))
        before = counted.read
        encoder(characters(some[:40]))
    assert counted.read == before and len(encoder.known) <= len(TEXT)


@torch.no_grad()
def test_two_long_words_that_share_all_characters_that_are_read_take_one_place(encoder):
    """A word's first 48 bytes are read: ids differ where characters do not."""
    batches = [["_" * 50, TEXT[0], "_" * 60, TEXT[1]], [TEXT[2], TEXT[3]], ["_" * 70, TEXT[4]]]
    fresh = {
        word: copy.deepcopy(encoder).of_words(characters([word])) for b in batches for word in b
    }
    for batch in [*batches, *batches]:
        found = encoder.of_words(characters(batch))
        assert_same(found, torch.cat([fresh[word] for word in batch]))
    assert len(encoder.known) == 6


def test_they_are_those_of_one_product_to_rounding(encoder):
    with torch.enable_grad():
        trained = encoder(characters(TEXT)).detach()
    with torch.no_grad():
        torch.testing.assert_close(encoder(characters(TEXT)), trained, rtol=1e-5, atol=1e-6)


def by_an_optimizer(encoder):
    with torch.enable_grad():
        encoder(characters(TEXT[:3])).sum().backward()
    torch.optim.AdamW(encoder.parameters(), lr=0.1).step()


def by_a_fused_optimizer(encoder):
    with torch.enable_grad():
        encoder(characters(TEXT[:3])).sum().backward()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, fused=True)
    with torch.no_grad():
        encoder(characters(TEXT))  # kept again, before the step
    optimizer.step()


def by_the_back_door(encoder):
    encoder.projection.bias.data[2] += 1e-3


def by_loading(encoder):
    state = {name: tensor + 0.1 for name, tensor in encoder.state_dict().items()}
    encoder.load_state_dict(state)


def by_other_tensors(encoder):
    for parameter in encoder.parameters():
        parameter.data = parameter.data + 0.1


CHANGES = [by_an_optimizer, by_a_fused_optimizer, by_the_back_door, by_loading, by_other_tensors]


@torch.no_grad()
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_weights_drops_them(encoder, change):
    before = encoder(characters(TEXT))
    change(encoder)
    found = encoder(characters(TEXT))
    assert_same(found, without_memory(encoder, TEXT))
    assert not torch.equal(found, before)


def test_where_gradients_are_asked_for_nothing_is_kept(encoder):
    with torch.no_grad():
        encoder(characters(TEXT))
    assert len(encoder.known) == len(TEXT)
    found = encoder(characters(TEXT[:3]))
    assert found.requires_grad and len(encoder.known) == 0


def test_in_inference_mode_nothing_is_kept(encoder):
    """What is made there cannot be written to later."""
    with torch.inference_mode():
        encoder(characters(TEXT))
    assert len(encoder.known) == 0
    with torch.no_grad():
        assert_same(encoder(characters(TEXT)), without_memory(encoder, TEXT))


def test_in_other_precisions_nothing_is_kept(encoder):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert encoder(characters(TEXT)).dtype == torch.bfloat16
    double = copy.deepcopy(encoder).double()
    with torch.no_grad():
        double(characters(TEXT))
    assert len(encoder.known) == len(double.known) == 0


@torch.no_grad()
def test_memory_is_bounded_and_a_full_one_stays_right(encoder, monkeypatch):
    monkeypatch.setattr(known_words, "MOST_WORDS", 40)
    for begin in range(0, 100, 30):
        some = TEXT[begin : begin + 30]
        assert_same(encoder(characters(some)), without_memory(encoder, some))
    assert len(encoder.known) == 40
    monkeypatch.setattr(known_words, "MOST_BYTES", 4 * 6 * 7)
    encoder.known.forget()
    encoder(characters(TEXT))
    assert len(encoder.known) == 7
    assert_same(encoder(characters(TEXT)), without_memory(encoder, TEXT))


def test_a_copy_begins_empty_and_no_weight_is_added(encoder):
    with torch.no_grad():
        encoder(characters(TEXT))
    assert len(copy.deepcopy(encoder).known) == 0 and isinstance(encoder.known, KnownWords)
    assert not [name for name in encoder.state_dict() if "known" in name]
