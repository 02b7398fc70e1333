"""The LTD-BERT student by plain arithmetic: words weigh, and their weights matter."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.found import codes

from chatstill.errors import UserError
from chatstill.features.base import Needs
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

WORDS = ["where", "is", "the", "box", "sure"]
RARITY = np.array(
    [0, 0, 0, 2.5, 1.5, 1.0, 4.0, 3.0], np.float32
)  # of special ones, then of the words
UNK = 1


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer(words=[*SPECIAL, *WORDS], segmenter="words")


def start(tokenizer):
    return Start(tokenizer, None, None, None, 1, rarity=RARITY.copy)


def built(tokenizer, pairs=True, **keys):
    register_networks()
    ours = network("ltd")
    sizes = {"width": 4, "units": 3, "hidden": 5, "dropout": 0.0, "vector_width": 7}
    block = ours.Block(**{**sizes, **keys})
    model = new_classifier(ours.build_config(block, tokenizer, pairs=pairs), seed=1).eval()
    lines = ours.fill(model, block, start(tokenizer))
    return model, lines


def vector(model, tokenizer, text):
    batch = tokenizer([text], return_tensors="pt")
    return model.read_features(batch, Needs(vector=True)).vector


def by_hand(model, tokenizer, text):
    """Words times weights over their mean, BiLSTM, mean by weight, map."""
    encoder, ids = model.bilstm, torch.tensor(tokenizer.ids_of_all([text]))
    weights = encoder.weights[ids[0]]
    scaled = weights * len(weights) / weights.sum()
    inputs = encoder.words(ids) * scaled[:, None]
    ahead, _ = encoder.lstm.ahead[0](inputs)
    back, _ = encoder.lstm.back[0](inputs.flip(1))
    states = torch.cat([ahead, back.flip(1)], -1)[0]
    return encoder.map(((weights / weights.sum())[:, None] * states).sum(0))


@pytest.mark.parametrize("text", ["where is the box", "box", "unheard box unheard", "unheard"])
def test_a_texts_vector_against_plain_arithmetic(tokenizer, text):
    model, lines = built(tokenizer)
    assert model.word_weights.tolist() == [0, 4, 0, *RARITY[3:].tolist()]
    assert "words weigh 1.00 to 4.00, unknown ones 4.00" in lines[-1]
    torch.testing.assert_close(vector(model, tokenizer, text)[0], by_hand(model, tokenizer, text))


@pytest.mark.parametrize("pooling", ["weighted", "max", "attention"])
def test_a_words_weight_moves_vector_loss_and_gradient(tokenizer, pooling):
    """Under a cosine token by token it would move nothing."""
    model, _ = built(tokenizer, pooling=pooling)
    target = torch.linspace(-1, 1, 7)[None]
    seen = []
    for weight in (4.0, 1.0):
        model.word_weights[6] = weight
        found = vector(model, tokenizer, "where is the box")
        loss = 1 - torch.nn.functional.cosine_similarity(found, target).sum()
        gradient = torch.autograd.grad(loss, model.bilstm.map.weight)[0]
        seen.append((found, loss, gradient))
    for one, other in zip(*seen, strict=True):
        assert (one - other).abs().max() > 1e-4


def test_equal_weights_are_no_weights_and_their_size_is_nothing(tokenizer):
    model, _ = built(tokenizer)
    found = []
    for weight in (1.0, 8.0):
        model.word_weights[:] = weight
        found.append(vector(model, tokenizer, "where is the box"))
    torch.testing.assert_close(*found)


def test_a_text_without_a_word_has_the_vector_zero(tokenizer):
    model, _ = built(tokenizer)
    assert not vector(model, tokenizer, "   ").any()
    model.word_weights.zero_()  # a file may say so of all words
    assert vector(model, tokenizer, "box").isfinite().all()


@pytest.mark.parametrize(
    ("unknown", "wanted"), [("largest", 4.0), ("median", 2.5), (15, 15.0), (0.5, 0.5)]
)
def test_unknown_words_weigh_what_was_asked_for(tokenizer, unknown, wanted):
    model, _ = built(tokenizer, unknown_idf=unknown)
    assert model.word_weights[UNK] == wanted


@pytest.mark.parametrize("unknown", [-1, float("nan"), float("inf"), "smallest"])
def test_what_unknown_words_cannot_weigh_is_refused(unknown):
    with pytest.raises(ValidationError):
        network("ltd").Block(unknown_idf=unknown)


def test_weights_of_a_file(tokenizer, tmp_path):
    path = tmp_path / "idf.txt"
    path.write_text("\ufeffbox 7.5\nis 0.25\nelsewhere 9.0\n\n", encoding="utf-8")
    model, lines = built(tokenizer, idf=str(path))
    assert model.word_weights.tolist() == [0, 9, 0, 9, 0.25, 9, 7.5, 9]
    assert "2 of 5 words stand there" in lines[-1] and "9.00" in lines[-1]
    model, _ = built(tokenizer, idf=str(path), unknown_idf="median")
    assert model.word_weights.tolist() == [0, 7.5, 0, 7.5, 0.25, 7.5, 7.5, 7.5]


def test_of_pieces_those_that_begin_a_word_are_looked_up(tmp_path):
    import transformers as tf

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "box", "##ing", "ing", "##box"]
    path = tmp_path / "idf.txt"
    path.write_text("box 7.5\n##ing 2.0\ning 3.0\n[CLS] 5.0\n", encoding="utf-8")
    bert = tf.BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    model, lines = built(bert, idf=str(path), unknown_idf=1)
    assert model.word_weights.tolist() == [0, 1, 0, 0, 0, 7.5, 1, 3, 1]
    assert "2 of 2 pieces that begin a word (of 9 pieces) stand there" in lines[-1]
    path.write_text("##ing 2.0\n", encoding="utf-8")
    with pytest.raises(UserError, match="none of the student's 2 pieces that begin a word"):
        built(bert, idf=str(path))


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"box seven\n", "words.idf-lines", "line 1: 'seven'"),
        (b"box 1\nis\n", "words.idf-lines", "line 2"),
        (b"box 1\nis -1\nthe nan\nsure inf\n", "words.idf-lines", "line 3"),
        (b"box\t1\nbox\t2\n", "words.idf-lines", "line 2"),
        (
            b"the box 3\nbox\t4\t5\nis 1\n",
            "words.idf-lines",
            "line 1: 'box 3' is no number; line 2",
        ),
        (b"\n\n", "words.idf-empty", ""),
        (b"\xff\xfe1", "words.idf-unreadable", "UTF-8"),
        (b"other 2\n", "words.idf-of-other-words", "none of"),
        (None, "words.idf-unreadable", "No such file"),
    ],
)
def test_faults_of_a_file_are_told_by_line(tokenizer, tmp_path, content, code, said):
    path = tmp_path / "idf.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        built(tokenizer, idf=str(path))
    assert codes(error.value.problems) == [code] and said in error.value.problems[0].message


def test_a_tab_parts_a_word_that_has_blanks(tokenizer, tmp_path):
    path = tmp_path / "idf.tsv"
    path.write_text("new york\t3\nbox\t2\n", encoding="utf-8")
    model, _ = built(tokenizer, idf=str(path))
    assert model.word_weights[6] == 2 and model.word_weights[UNK] == 3
