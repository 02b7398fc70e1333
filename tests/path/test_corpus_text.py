"""A tokenizer that does not know the text of a corpus, vocabularies with gaps, padding of blocks."""

import json

import pytest
import torch
import transformers as tf

from chatstill.config.schema import RunConfig
from chatstill.data.masking import Masking
from chatstill.errors import Problem, UserError
from chatstill.methods import matches
from chatstill.models.layers import cut_config
from chatstill.models.masked_lm import head_problem, new_masked_lm
from chatstill.readers.columns import WordStarts
from chatstill.run import run as pipeline
from chatstill.run.pretraining.reading import block_encoder
from chatstill.terms.spec import Shape
from chatstill.text.vocabulary import num_ids
from tests.found import codes, refused

from . import world
from .test_masked_lm import data, network, run, start, values_for

__all__ = ["data", "start"]


def plan_of(values, folder):
    where = world.console()
    pipeline.check(world.loaded(values, folder), console=where)
    return world.said(where)


def with_words(data, folder, word, share):
    """The corpus with so many of its words put in another one's place."""
    (folder / "corpus").mkdir(parents=True)
    for part in ("train", "dev"):
        lines = (data / "corpus" / f"{part}.txt").read_text("utf-8").split("\n")
        step = round(1 / share)
        for number, line in enumerate(lines):
            if line and number % step == 0:
                lines[number] = " ".join([word] * len(line.split()))
        (folder / "corpus" / f"{part}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_unknown_tokens_are_told_and_text_of_nothing_else_is_refused(data, start, tmp_path):
    """They are never predicted: loss and accuracy would be of the rest, without a word."""
    assert "0 of its tokens unknown" in plan_of(values_for(data, tmp_path / "o", start), tmp_path)
    some = with_words(data, tmp_path / "some", "qqq", 1 / 3)
    said = plan_of(values_for(some, tmp_path / "out", start), tmp_path)
    assert "of the tokens are [UNK]" in said and said.count("of its tokens unknown") == 2
    every = with_words(data, tmp_path / "every", "qqq", 1)
    with refused("corpus.tokens-unknown"):
        run(values_for(every, tmp_path / "out", start), tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_casing_that_contradicts_the_tokenizer_is_told(data, start, tmp_path):
    values = values_for(data, tmp_path / "out", start, do_lower_case=False)
    assert "contradicts the tokenizer" in plan_of(values, tmp_path)


def test_a_vocabulary_that_names_a_piece_twice_trains(data, tmp_path):
    """Its ids reach beyond the number of its pieces; the free id stands in nobody's place."""
    folder = network(tmp_path / "start")
    pieces = [*world.PIECES[:20], world.PIECES[10], world.PIECES[11], *world.PIECES[20:]]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    config = world.config_of("bert", len(pieces), 1, 0.1)
    tf.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    run(values_for(data, tmp_path / "out", folder, max_steps=2, num_train_epochs=None), tmp_path)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["dev"]


def test_an_id_without_a_piece_is_never_drawn():
    vocabulary = {piece: number for number, piece in enumerate(world.PIECES)}
    last = max(vocabulary.values())
    free, vocabulary["moved"] = last + 1, last + 2
    tokenizer = tf.BertTokenizer(vocab=vocabulary)
    assert num_ids(tokenizer) == last + 3 > len(tokenizer)
    masking = Masking.of(tokenizer)
    assert free not in masking.ordinary and last + 2 in masking.ordinary
    assert len(WordStarts(tokenizer).starts) == num_ids(tokenizer)


@pytest.mark.parametrize("side", ["left", "right"])
def test_blocks_are_padded_on_the_right_whatever_the_tokenizer_says(side):
    """A position of its own for each place: padding in front would move them."""
    tokenizer = world.tokenizer_of("bert")
    tokenizer.padding_side = side
    assert block_encoder(tokenizer, RunConfig(max_seq_length=16)).padding_side == "right"


def test_a_network_that_reads_padding_is_told():
    tokenizer = world.tokenizer_of("bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16}
    config = tf.FNetConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)
    found = head_problem(tf.FNetForMaskedLM(config).eval(), tokenizer)
    assert isinstance(found, Problem) and found.severity == "warning"
    assert found.code == "corpus.padding-changes-scores"
    bert = new_masked_lm(world.config_of("bert", len(tokenizer), 1, 0.0), "here")
    assert head_problem(bert, tokenizer) is None


def test_an_encoder_with_a_decoder_is_refused_by_name():
    """It would be trained on masked tokens and scored on next ones."""
    with pytest.raises(UserError) as caught:
        new_masked_lm(tf.BartConfig(d_model=16, encoder_layers=1, decoder_layers=1), "here")
    assert codes(caught.value) == ["corpus.encoder-with-decoder"]
    assert "bart" in str(caught.value)


def test_what_a_config_says_of_each_layer_goes_with_its_layers():
    config = tf.LongformerConfig(num_hidden_layers=3, attention_window=[4, 8, 16])
    assert cut_config(config, 2, [0, 2]).attention_window == [4, 16]


SOFT = {"feature": "vocabulary", "loss": "kl"}
HIDDEN = {"feature": "hidden_states", "loss": "mse"}


@pytest.mark.parametrize(
    ("keys", "terms", "told"),
    [
        ({"restrict_ce_to_mask": True}, {"ce": SOFT}, True),
        ({"restrict_ce_to_mask": True}, {"ce": SOFT | {"positions": "masked"}}, False),
        ({"use_hidden_states": False}, {"states": HIDDEN}, True),
        ({"use_attentions": False}, {"states": HIDDEN}, False),
    ],
)
def test_switches_of_the_old_keys_that_reach_no_term_of_the_method_are_told(keys, terms, told):
    block = matches.Config(level="pretraining", masking="bert", terms=terms, **keys)
    found = codes(block.without_effect(block.rows()))
    assert ("terms.switch-not-of-own-terms" in found) == told


def test_relation_heads_divide_the_queries_whose_heads_are_no_parts_of_the_width():
    config = tf.Qwen3Config(
        hidden_size=16, num_attention_heads=2, num_key_value_heads=2, head_dim=24, vocab_size=9
    )
    config.num_hidden_layers, config.intermediate_size = 1, 8
    shape = Shape.of(tf.Qwen3ForCausalLM(config))
    assert (shape.width, shape.queries) == (16, 48)
    assert Shape(2, 16, 2, 2).queries == 16
