"""Words weigh the pieces of another tokenizer: by hand, through cuts and turns, and for odd texts."""

import numpy as np
import pytest
from tests.found import codes

from chatstill.data.encoded import Lengths
from chatstill.errors import UserError
from chatstill.readers.word_pieces import RowEncoder
from chatstill.readers.word_weights import WeighingEncoder, WordWeights
from chatstill.text.word_files import SPECIAL
from chatstill.text.word_tokenizer import WordTokenizer

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "good",
    "##ness",
    "day",
    "你",
    "好",
    "世",
    "界",
    "s",
    "##un",
]
WEIGHTS = {"[UNK]": 9.0, "goodness": 3.0, "day": 2.0, "你好": 4.0, "世界": 1.0}


@pytest.fixture(scope="module")
def teacher():
    from transformers import BertTokenizer

    return BertTokenizer(vocab={piece: number for number, piece in enumerate(PIECES)})


def weights(segmenter="words", shares="even", **more):
    words = WordTokenizer(words=[*SPECIAL, *list(WEIGHTS)[1:]], segmenter=segmenter, **more)
    table = np.array([WEIGHTS.get(word, 0.0) for word in words.words], np.float32)
    return WordWeights(words, table, shares)


def encoded(teacher, texts_a, texts_b=None, contexts=(), lengths=None, **more):
    encoder = WeighingEncoder(teacher, lengths or Lengths(32), weights(**more))
    found = encoder(texts_a, texts_b or [None] * len(texts_a), contexts)
    plain = RowEncoder(teacher, lengths or Lengths(32))(
        texts_a, texts_b or [None] * len(texts_a), contexts
    )
    np.testing.assert_array_equal(found.ids, plain.ids)
    np.testing.assert_array_equal(found.types, plain.types)
    np.testing.assert_array_equal(found.lengths, plain.lengths)
    np.testing.assert_array_equal(found.cut, plain.cut)
    return found.columns["token_weights"].tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Goodness day", [0, 1.5, 1.5, 2, 0]),  # [CLS] good ##ness day [SEP]
        ("  day\tday ", [0, 2, 2, 0]),
        ("sun day", [0, 4.5, 4.5, 2, 0]),  # unknown to the student alone
        ("xyz day", [0, 9, 2, 0]),  # unknown to both: [UNK] weighs
        ("", [0, 0]),
    ],
)
def test_pieces_share_their_words_weight(teacher, text, wanted):
    assert encoded(teacher, [text]) == wanted


def test_a_word_of_jieba_is_shared_by_its_characters(teacher):
    assert encoded(teacher, ["你好，世界"], segmenter="jieba") == [0, 2, 2, 9, 0.5, 0.5, 0]


def test_by_characters_as_a_public_script_has_it(teacher):
    """idf / n + 0.1 for each character of a word of n characters."""
    found = encoded(teacher, ["你好世界", "day"], segmenter="jieba", shares="characters")
    by_hand = [0, 4 / 2 + 0.1, 4 / 2 + 0.1, 1 / 2 + 0.1, 1 / 2 + 0.1, 0, 0, 3 * (2 / 3 + 0.1), 0]
    np.testing.assert_allclose(found, by_hand, rtol=1e-6)


def test_weights_go_through_pairs_turns_and_cuts_with_their_pieces(teacher):
    rows = (["day goodness"], ["goodness day day"], [("goodness", "day")])
    assert encoded(teacher, *rows) == [0, 1.5, 1.5, 0, 2, 0, 2, 1.5, 1.5, 0, 1.5, 1.5, 2, 2, 0]
    # three pieces of the first text, cut at its beginning, and two of the second
    assert encoded(teacher, *rows, lengths=Lengths(8, 3, 2)) == [0, 2, 1.5, 1.5, 0, 1.5, 1.5, 0]


def test_places_are_those_of_the_normalised_text():
    ((form, spans),) = weights(normalize="nfkc").of_texts(["ｄａｙ ㎏"])
    assert form == "day kg"
    assert spans == [(0, 3, 2.0), (4, 6, 9.0)]


def test_a_piece_over_several_words_has_the_weight_of_all():
    words = [(0, 2, 1.0), (2, 4, 3.0), (5, 6, 5.0)]
    even, plain = weights(), weights(shares="characters")
    assert even.of_pieces(words, [(0, 4), (4, 6)]) == [4.0, 5.0]
    assert even.of_pieces(words, [(1, 3), (3, 4), (4, 5)]) == [1.0 + 1.5, 1.5, 0.0]
    np.testing.assert_allclose(plain.of_pieces(words, [(1, 3)]), [0.5 + 0.1 + 1.5 + 0.1])


def test_a_tokenizer_in_python_is_refused():
    with pytest.raises(UserError) as error:
        WeighingEncoder(weights().words, Lengths(8), weights())
    assert codes(error.value.problems) == ["words.no-places-of-pieces"]


def test_another_table_or_way_of_sharing_is_another_view(teacher):
    def identity(one):
        return WeighingEncoder(teacher, Lengths(8), one).identity()

    first, other = weights(), weights()
    assert identity(first) == identity(other)
    other.table[4] += 1
    assert identity(first) != identity(other)
    assert identity(first) != identity(weights(shares="characters"))
