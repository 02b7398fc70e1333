"""TF-IDF against its formula in loops; which words it counts, by script and by what is installed."""

import importlib.util
import math
from collections import Counter

import numpy as np
import pytest

from chatstill.evaluate import tf_idf as room
from chatstill.evaluate.tf_idf import character_pairs, tf_idf, words_for

REPLIES = ["the cat sat", "a dog sat down", "the the cat", "a dog sat down", "nothing else", ""]
QUERIES = ["where is the cat", "where is the cat", "dog", "cat dog unheard", "zebra", "the cat"]


def plainly(queries, replies):
    """ln((1 + n) / (1 + df)) + 1 over the distinct replies, times counts, cosines in loops."""
    distinct = list(dict.fromkeys(replies))
    held = Counter(word for text in distinct for word in set(text.split()))
    idf = {word: math.log((1 + len(distinct)) / (1 + n)) + 1 for word, n in held.items()}

    def vector(text):
        return {word: n * idf[word] for word, n in Counter(text.split()).items() if word in idf}

    cosines = []
    for query, reply in zip(queries, replies, strict=True):
        a, b = vector(query), vector(reply)
        lengths = [math.sqrt(sum(x * x for x in v.values())) for v in (a, b)]
        product = sum(a[word] * b.get(word, 0.0) for word in a)
        cosines.append(product / (lengths[0] * lengths[1]) if all(lengths) else 0.0)
    return cosines


def test_scores_are_the_cosines_of_the_formula_over_the_distinct_replies(monkeypatch):
    monkeypatch.setattr(room, "CHUNK", 4)  # rows are multiplied in two parts
    found = tf_idf(QUERIES, REPLIES)
    assert found.scores == pytest.approx(plainly(QUERIES, REPLIES), abs=1e-12)
    assert (found.words, found.replies) == ("words by Unicode boundaries", 5)
    counted_twice = plainly([*QUERIES, "x"], [*REPLIES, "a dog sat down now"])[:-1]
    assert found.scores != pytest.approx(counted_twice, abs=1e-3), "another reply, other weights"


def test_case_and_punctuation_do_not_count_and_equal_bags_are_equal():
    found = tf_idf(["The CAT!", "the cat"], ["(the) cat...", "cat the"])
    assert found.scores[0] == found.scores[1] == 1.0


def test_replies_without_a_word_are_all_equal():
    assert tf_idf(["who", "?"], ["!!", ""]).scores.tolist() == [0.0, 0.0]


def test_chinese_is_cut_by_jieba_where_it_is_installed():
    pytest.importorskip("jieba")
    words = words_for(["我们在北京大学", "可以退款吗"])
    assert words.title.startswith("words by jieba 0.")
    assert "北京大学" in words.of("我们在北京大学，") and "，" not in words.of("我们，")


def test_chinese_without_jieba_is_cut_into_pairs_and_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    words = words_for(["我们在北京", "可以退款吗"])
    assert words.title == "pairs of neighbouring characters (jieba is not installed)"
    assert words.of("我们在，B 京") == ["我们", "们在", "b", "京"]


@pytest.mark.parametrize("text", ["ありがとうございます", "ขอบคุณครับ"])
def test_other_scripts_without_blanks_are_cut_into_pairs(text):
    words = words_for([text])
    assert words.title == "pairs of neighbouring characters"
    assert words.of(text) == [text[at : at + 2] for at in range(len(text) - 1)]


def test_one_letter_alone_is_itself():
    assert character_pairs("a bc, d.") == ["a", "bc", "d"]
    assert character_pairs("…") == []


def test_many_rows_are_as_few():
    few = tf_idf(QUERIES, REPLIES).scores
    assert np.array_equal(tf_idf(QUERIES * 50, REPLIES * 50).scores, np.tile(few, 50))
