"""The words of a tokenizer: counted and chosen as a plain reference does it."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.found import holds

from chatstill.errors import UserError
from chatstill.text.word_list import build_words, count_words
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer


def tokenizer(**more):
    return WordTokenizer(words=SPECIAL, segmenter="words", **more)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text("abA 好", max_size=8), max_size=12),
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
)
def test_the_most_frequent_words_by_a_plain_reference(texts, min_count, max_words, lower):
    own = tokenizer(do_lower_case=lower)
    counts, different = count_words(iter(texts), own)
    plain = Counter(word for text in texts for word in own.cut(text))
    assert (counts, different) == (plain, len(set(texts)))
    expected = sorted(word for word in plain if plain[word] >= min_count)
    expected = sorted(expected, key=lambda word: -plain[word])[:max_words]
    if not expected:
        with pytest.raises(UserError):
            build_words(counts, min_count=min_count, max_words=max_words, place="here")
        return
    found = build_words(counts, min_count=min_count, max_words=max_words, place="here")
    assert found == [*SPECIAL, *expected]


def test_the_order_of_texts_does_not_matter():
    texts = [f"{word} other" for word in "b a c 好 d".split()]
    found = [
        build_words(count_words(some, tokenizer())[0], min_count=1, max_words=9, place="")
        for some in (texts, texts[::-1])
    ]
    assert found[0] == found[1] == [*SPECIAL, "other", "a", "b", "c", "d", "好"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a b", "b c"], ("words.none-left", "3: 2")),
        (["", " "], "no words"),
        ([], "no words"),
    ],
)
def test_special_words_alone_are_no_vocabulary(texts, said):
    counts, _ = count_words(texts, tokenizer())
    with pytest.raises(UserError) as caught:
        build_words(counts, min_count=3, max_words=10, place="network.min_count")
    (problem,) = caught.value.problems
    assert problem.place == "network.min_count" and holds(problem, said)


def test_words_written_as_special_ones_are_not_counted():
    counts = Counter({"[UNK]": 9, "a": 1})
    assert build_words(counts, min_count=1, max_words=5, place="") == [*SPECIAL, "a"]


def test_progress_is_told_in_texts(monkeypatch):
    from chatstill.text import word_list

    monkeypatch.setattr(word_list, "SAY_EVERY", 2)
    told = []
    count_words(["a", "b", "c", "a", "d", "e"], tokenizer(), told.append)
    assert told == [2, 4]
