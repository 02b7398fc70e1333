"""Rows of words: the same as the tokenizer itself gives, cut to lengths as word-pieces are."""

import importlib.util

import numpy as np
import pytest

from chatstill.data.encoded import Lengths
from chatstill.readers.word_pieces import RowEncoder
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

TEXTS = ["hello good day", "", "我们的 T恤, 好！", "a [SEP] b [PAD]", "good " * 9, " \t"]
SEGMENTERS = [
    name
    for name in ("words", "characters", "jieba", "rjieba")
    if name in ("words", "characters") or importlib.util.find_spec(name)
]


def rows_of(encoded):
    ends = np.cumsum(encoded.lengths)
    return [
        (encoded.ids[end - size : end].tolist(), encoded.types[end - size : end].tolist())
        for end, size in zip(ends, encoded.lengths, strict=True)
    ]


# Vocabularies that know all, some, and none of the words by which a layout is learnt.
@pytest.mark.parametrize("words", ["hello good day a b c 的 我 是 我们 1 2 3 [", "good 好", "x"])
@pytest.mark.parametrize("segmenter", SEGMENTERS)
@pytest.mark.parametrize(("length", "side"), [(5, "right"), (8, "left"), (64, "right")])
def test_rows_are_those_of_the_tokenizer(segmenter, words, length, side):
    tokenizer = WordTokenizer(words=[*SPECIAL, *words.split()], segmenter=segmenter)
    tokenizer.truncation_side = side
    pairs = [(text_a, text_b) for text_a in TEXTS for text_b in [None, *TEXTS]]
    encoded = RowEncoder(tokenizer, Lengths(length, truncation_side=side))(
        *map(list, zip(*pairs, strict=True))
    )
    for (text_a, text_b), got in zip(pairs, rows_of(encoded), strict=True):
        own = tokenizer(text_a, text_b, truncation="longest_first", max_length=length)
        assert got == (own["input_ids"], own["token_type_ids"]), (text_a, text_b)


def test_turns_before_the_first_text_are_parted_by_the_separator():
    tokenizer = WordTokenizer(words=[*SPECIAL, "a", "b", "c"])
    encoded = RowEncoder(tokenizer, Lengths(16))(["b"], ["c"], [("a", "b")])
    assert rows_of(encoded) == [([3, 2, 4, 2, 4, 2, 5, 2], [0] * 6 + [1, 1])]


def test_the_identity_goes_by_words_and_segmenter():
    def identity(words, **more):
        tokenizer = WordTokenizer(words=[*SPECIAL, *words], **more)
        return str(RowEncoder(tokenizer, Lengths(8)).identity())

    assert identity(["a"]) == identity(["a"])
    others = {identity(["b"]), identity(["a"], segmenter="characters")}
    assert len({identity(["a"]), *others}) == 3
