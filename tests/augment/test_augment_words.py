"""Which words of a raw text may be replaced, and what the text is with others in their place."""

import pytest

from chatstill.augment.words import cased_like, put, replaceable, spans, stop_words


def texts(text, cut=None):
    return [word.text for word in replaceable(text, cut)]


def test_words_of_letters_alone_that_are_no_stop_words():
    assert texts("The B52 don't see café-owners, 4th x_z!") == ["see", "café", "owners", "x", "z"]


def test_the_list_of_stop_words_is_nltks():
    assert len(stop_words()) == 179
    assert {"i", "the", "don't", "wouldn't", "ourselves", "s"} <= stop_words()
    assert not {"good", "never", "without"} & stop_words()


def test_letters_with_marks_of_their_own_are_left_alone():
    assert texts("cafe\u0301 हिन्दी naïve") == ["naïve"]


def test_emoji_and_signs_are_no_words():
    assert texts("😀 good👍🏽 ✓ ①") == ["good"]


def test_chinese_words_are_those_of_the_segmenter_and_latin_ones_stand_between():
    cut = {"我爱BERT模型，東京T恤": ["我", "爱", "BERT", "模型", "，", "東京", "T恤"]}.get
    found = replaceable("我爱BERT模型，東京T恤", cut)
    assert [(w.start, w.text, w.kind) for w in found] == [
        (0, "我", "han"),
        (1, "爱", "han"),
        (2, "BERT", "letters"),
        (6, "模型", "han"),
        (9, "東京", "han"),
    ]  # T is a stop word, and T恤 is neither letters nor Chinese alone


def test_places_of_equal_words_are_their_own():
    assert list(spans("a b a", str.split)) == [(0, "a"), (2, "b"), (4, "a")]


@pytest.mark.parametrize(
    ("word", "candidate", "result"),
    [
        ("cat", "Paris", "paris"),
        ("Cat", "dog", "Dog"),
        ("CAT", "dog", "DOG"),
        ("A", "dog", "Dog"),
        ("iPhone", "dog", "dog"),
        ("McDonald", "Dog", "Dog"),
        ("猫", "狗", "狗"),
    ],
)
def test_the_candidate_takes_the_casing_of_the_word(word, candidate, result):
    assert cased_like(word, candidate) == result


def test_all_else_stays_as_it_was():
    text = '  He said\t"GOOD" ， cat\u00a0😀 '
    changed = put(text, [(11, 15, "BAD"), (19, 22, "dog")])
    assert changed == '  He said\t"BAD" ， dog\u00a0😀 '
    assert put(text, []) == text
