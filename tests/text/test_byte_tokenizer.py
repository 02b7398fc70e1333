"""A tokenizer of bytes: ids, rows cut by words, saved and loaded."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.found import refused

from chatstill.data.encoded import Lengths
from chatstill.readers.word_pieces import RowEncoder
from chatstill.text.byte_tokenizer import END_ID, FIRST_ID, NAMES, ByteTokenizer, flat, word_ids
from chatstill.text.tally import tally
from chatstill.text.tokenizers import resolve_tokenizer

SEP = 2
LONG = "ü" * 40
TEXTS = st.lists(st.sampled_from(["a", "naïve", "箱子", LONG]), max_size=6)


@pytest.fixture(scope="module")
def tokenizer():
    return ByteTokenizer(segmenter="words")


def ids_of(*words):
    return flat(map(word_ids, words))


def test_a_word_is_its_bytes_and_its_end():
    assert word_ids("aé") == (97 + FIRST_ID, 0xC3 + FIRST_ID, 0xA9 + FIRST_ID, END_ID)
    assert word_ids(LONG) == (*(byte + FIRST_ID for byte in LONG.encode()[:48]), END_ID)
    assert word_ids("\ud800") == (END_ID,)
    assert len(word_ids("<S>")) == len(word_ids("</S>")) == 2
    assert len(NAMES) == len(set(NAMES)) == 263 and END_ID == 262


def test_rows_are_words_and_separators(tokenizer):
    assert tokenizer("a [SEP] B")["input_ids"] == [*ids_of("a", "[", "SEP", "]", "B"), SEP]
    pair = tokenizer("a b", "c")
    assert pair["input_ids"] == [*ids_of("a", "b"), SEP, *ids_of("c"), SEP]
    assert pair["token_type_ids"] == [0] * 5 + [1] * 3
    lower = ByteTokenizer(segmenter="words", do_lower_case=True)
    assert lower("A")["input_ids"] == tokenizer("a")["input_ids"]
    assert tokenizer.decode(pair["input_ids"], skip_special_tokens=True) == "a b c"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    texts=st.tuples(TEXTS, TEXTS),
    room=st.integers(4, 12),
    side=st.sampled_from(["left", "right"]),
)
def test_lengths_count_words_and_no_word_is_cut(texts, room, side):
    tokenizer = ByteTokenizer(segmenter="words")
    one, two = (" ".join(words) for words in texts)
    encode = RowEncoder(tokenizer, Lengths(room, truncation_side=side))
    found = encode([one], [two])
    cuts = [tokenizer.cut(text) for text in (one, two)]
    rows = [number for number in found.ids.tolist() if number in (SEP, END_ID)]
    assert len(rows) <= room
    first, second = _sides(found.ids.tolist())
    for words, kept in zip(cuts, (first, second), strict=True):
        expected = words[len(words) - len(kept) :] if side == "left" else words[: len(kept)]
        assert kept == [word_ids(word) for word in expected]
    whole = len(cuts[0]) + len(cuts[1]) + 2
    assert bool(found.cut[0]) is (whole > room)
    assert len(rows) == min(whole, room)
    plain = ByteTokenizer(segmenter="words", truncation_side=side)
    called = plain(one, two, truncation=True, max_length=room)
    assert called["input_ids"] == found.ids.tolist()
    assert called["token_type_ids"] == found.types.tolist()


def _sides(ids):
    sides, word = [[]], []
    for number in ids:
        if number == SEP:
            sides.append([])
            continue
        word.append(number)
        if number == END_ID:
            sides[-1].append(tuple(word))
            word = []
    assert not word and len(sides) == 3 and not sides[2]
    return sides[:2]


def test_lengths_of_each_text_and_of_one_alone(tokenizer):
    encode = RowEncoder(tokenizer, Lengths(32, max_query_length=2, max_reply_length=1))
    found = encode(["one two three"], ["four five"])
    assert found.ids.tolist() == [*ids_of("one", "two"), SEP, *ids_of("four"), SEP]
    single = RowEncoder(tokenizer, Lengths(4))(["one two three four"], [None])
    assert single.ids.tolist() == [*ids_of("one", "two", "three"), SEP]
    called = tokenizer("one two three four", truncation=True, max_length=4)
    assert called["input_ids"] == single.ids.tolist()
    batch = tokenizer(["one two three four", "a"], truncation=True, max_length=4, padding=True)
    assert batch["input_ids"][0] == single.ids.tolist()
    assert batch["attention_mask"][1] == [1] * 3 + [0] * (len(single.ids) - 3)


def test_turns_stand_before_the_first_text_and_the_oldest_words_go_first(tokenizer):
    encode = RowEncoder(tokenizer, Lengths(8))
    found = encode(["now"], ["yes"], [("long ago it was", "then")])
    assert found.ids.tolist() == [
        *[*ids_of("was"), SEP],
        *[*ids_of("then"), SEP],
        *[*ids_of("now"), SEP],
        *[*ids_of("yes"), SEP],
    ]


def test_counted_are_words_none_of_them_unknown(tokenizer):
    found = tally(tokenizer, ["a naïve 箱子", "a", "😀"])
    assert found.lengths.tolist() == [4, 1, 1] and not found.unknown.any() and not found.words


def test_saved_and_loaded_it_reads_alike(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = resolve_tokenizer(None, str(tmp_path), None)
    assert type(again) is ByteTokenizer and again.identity() == tokenizer.identity()
    text = "Where is the naïve 箱子?"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_a_list_of_other_names_is_refused(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    names = json.loads((tmp_path / "words.json").read_text("utf-8"))
    (tmp_path / "words.json").write_text(json.dumps([*names[:-2], *names[:-3:-1]]))
    with refused("words.not-of-bytes", str(tmp_path)):
        resolve_tokenizer(None, str(tmp_path), None)
