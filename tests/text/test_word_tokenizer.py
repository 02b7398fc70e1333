"""The tokenizer of words: rows, files, and what is compared when it is loaded."""

import copy
import importlib.util
import json
import logging
import pickle
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatstill.errors import UserError
from chatstill.text import segment
from chatstill.text.cutting import cutter_of
from chatstill.text.tokenizers import resolve_tokenizer, tokenizer_fingerprint
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

needs_jieba = pytest.mark.skipif(
    importlib.util.find_spec("jieba") is None, reason="jieba is not installed"
)
WORDS = ["hello", "good", "day", "好", "的", ","]
PAD, UNK, SEP = range(3)
HELLO, GOOD, DAY = 3, 4, 5


def made(words=WORDS, **more):
    return WordTokenizer(words=[*SPECIAL, *words], **more)


def problem_of(do, *given, **more):
    with pytest.raises(UserError) as caught:
        do(*given, **more)
    (problem,) = caught.value.problems
    return problem


def test_one_text_and_a_pair_padded_on_the_right():
    found = made()(["Hello, strange day", ""], ["good", "good day"], padding=True)
    assert found["input_ids"] == [
        [HELLO, 8, UNK, DAY, SEP, GOOD, SEP],
        [SEP, GOOD, DAY, SEP, PAD, PAD, PAD],
    ]
    assert found["token_type_ids"] == [[0, 0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 0, 0, 0]]
    assert found["attention_mask"] == [[1] * 7, [1, 1, 1, 1, 0, 0, 0]]
    one = made()("good day")
    assert one["input_ids"] == [GOOD, DAY, SEP] and one["token_type_ids"] == [0, 0, 0]


def test_rows_are_cut_to_a_length_as_transformers_cuts_them():
    found = made()("good day hello", "good", truncation=True, max_length=4)
    assert found["input_ids"] == [GOOD, SEP, GOOD, SEP]


@pytest.mark.parametrize("text", ["[SEP]", "a [PAD] b", "[UNK]", "[MASK][SEP]", "</s>"])
def test_what_stands_in_a_text_is_no_special_token(text):
    tokenizer = made([*WORDS, "[", "]"])
    assert tokenizer.split_special_tokens
    found = tokenizer(text)["input_ids"]
    assert found[-1] == SEP
    assert not {PAD, SEP} & set(found[:-1])


def test_a_word_that_is_written_as_a_special_one_is_unknown(monkeypatch):
    whole = ModuleType("whole_texts")
    whole.cut = lambda text: [text]
    monkeypatch.setitem(sys.modules, "whole_texts", whole)
    tokenizer = made(segmenter="whole_texts", do_lower_case=False)
    for special in SPECIAL:
        assert tokenizer(special)["input_ids"] == [UNK, SEP]
        assert tokenizer.ids_of_all([special]) == [[UNK]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("Good day[SEP]好的 ,\t\u0130", max_size=12), max_size=6))
def test_ids_of_many_texts_are_those_of_each_alone(texts):
    tokenizer = made()
    alone = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert tokenizer.ids_of_all(texts) == alone
    if texts:
        assert tokenizer(texts, add_special_tokens=False)["input_ids"] == alone


def test_each_different_text_of_a_call_is_cut_once(monkeypatch):
    seen = []
    counting = ModuleType("counting")
    counting.cut = lambda text: seen.append(text) or [text]
    monkeypatch.setitem(sys.modules, "counting", counting)
    tokenizer = made(segmenter="counting")
    seen.clear()
    tokenizer(["x", "y", "x", "y"], ["x"] * 4)
    assert seen == ["x", "y"]
    tokenizer.ids_of_all(["z"])
    tokenizer.like([*SPECIAL, "z"])(["z"])  # known from the tokenizer before it
    assert [text for text in seen if text != segment.PROBE] == ["x", "y", "z"]


@needs_jieba
def test_words_are_lower_cased_after_they_are_cut():
    """jieba knows T恤 and not t恤."""
    tokenizer = made(["t恤", "一件"], segmenter="jieba")
    assert tokenizer.cut("一件T恤") == ["一件", "t恤"]
    tokenizer = made(["T恤", "一件"], segmenter="jieba", do_lower_case=False)
    assert tokenizer.cut("一件T恤") == ["一件", "T恤"]


def test_casing_and_normalisation_can_be_set_and_are_saved(tmp_path):
    tokenizer = made(["Good", "good"], do_lower_case=False)
    assert tokenizer.cut("Ｇood") == ["Ｇood"]
    tokenizer.save_pretrained(tmp_path)
    other = resolve_tokenizer(str(tmp_path), None, None, normalize="nfkc", do_lower_case=True)
    assert other.cut("Ｇood") == ["good"]
    assert not other.own_lower_case
    other.save_pretrained(tmp_path / "other")
    again = resolve_tokenizer(str(tmp_path / "other"), None, None, normalize="nfkc")
    assert again.cut("Ｇood") == ["good"]
    assert tokenizer_fingerprint(again) == tokenizer_fingerprint(other)
    assert tokenizer_fingerprint(again) != tokenizer_fingerprint(tokenizer)
    assert "nfd" in problem_of(made, normalize="nfd").message


@needs_jieba
def test_files_hold_everything_and_nothing_is_pickled(tmp_path):
    dictionary = "蚂蚁借呗 5 n\r\niPhone手机\n"
    odd = ["a b", '"', "\ud800", "\u2028", "é"]
    tokenizer = made([*WORDS, "蚂蚁借呗", *odd], segmenter="jieba", dictionary=dictionary)
    tokenizer.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("words.json", "user_dictionary.txt", "tokenizer_config.json")
    }
    words = json.loads((tmp_path / "words.json").read_text(encoding="utf-8"))
    assert words == [*SPECIAL, *WORDS, "蚂蚁借呗", *odd]
    assert (tmp_path / "user_dictionary.txt").read_bytes().decode() == dictionary
    saved = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert saved["segmenter"] == "jieba"
    assert saved["segmenter_version"] == tokenizer.cutter.version
    assert saved["segmenter_probe"] == tokenizer.cutter.probe()
    again = WordTokenizer.from_pretrained(tmp_path)
    assert again("蚂蚁借呗的")["input_ids"] == [9, 7, SEP]
    for copied in (again, copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert tokenizer_fingerprint(copied) == tokenizer_fingerprint(tokenizer)
    assert len(again) == again.vocab_size == len(words)


def test_the_fingerprint_goes_by_content():
    one = tokenizer_fingerprint(made())
    assert tokenizer_fingerprint(made(place="elsewhere")) == one
    others = [
        made(WORDS[::-1]),
        made(segmenter="characters"),
        made(do_lower_case=False),
        made(normalize="nfkc"),
    ]
    assert len({one, *map(tokenizer_fingerprint, others)}) == 5


def test_batches_are_turned_back_into_words():
    tokenizer = made()
    assert tokenizer.decode([HELLO, GOOD, SEP], skip_special_tokens=True) == "hello good"
    assert tokenizer.convert_ids_to_tokens([0, 3]) == ["[PAD]", "hello"]
    ids = [HELLO, SEP, GOOD, SEP, PAD]
    assert tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True) == [
        0,
        1,
        0,
        1,
        1,
    ]
    assert tokenizer.get_special_tokens_mask([HELLO], [GOOD]) == [0, 1, 0, 1]


# -- what is compared at loading -------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    made().save_pretrained(tmp_path)
    return tmp_path


def change(folder, **values):
    path = folder / "tokenizer_config.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(known | values), encoding="utf-8")


def test_another_version_that_cuts_alike_is_a_warning(saved, caplog):
    with caplog.at_level(logging.WARNING, "chatstill"):
        WordTokenizer.from_pretrained(saved)
        assert not caplog.records
        change(saved, segmenter_version="0.0.1")
        WordTokenizer.from_pretrained(saved)
    assert "training had 0.0.1" in caplog.text


def test_another_cut_is_an_error_that_says_what_training_had(saved):
    probe = made().cutter.probe()
    change(saved, segmenter_version="0.0.1", segmenter_probe=[*probe[:3], "北京", *probe[5:]])
    problem = problem_of(WordTokenizer.from_pretrained, saved)
    assert problem.place == str(saved)
    assert "0.0.1" in problem.message and "北京" in problem.message
    assert problem.code == "segmenter.cuts-otherwise" and "regex==0.0.1" in problem.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("segmenter", 3), ("segmenter", None), ("segmenter_probe", 3), ("do_lower_case", "no")),
        *(("normalize", "nfd"), ("added_tokens_decoder", {"a": 3})),
    ],
)
def test_other_values_in_the_config_are_one_problem(saved, key, value):
    change(saved, **{key: value})
    assert str(saved) in problem_of(resolve_tokenizer, str(saved), None, None).place


def test_a_missing_segmenter_is_an_error_at_loading(saved):
    change(saved, segmenter="nobodys_cutter")
    problem = problem_of(resolve_tokenizer, str(saved), None, None)
    assert "nobodys_cutter" in problem.message


def test_a_missing_jieba_is_an_error_at_loading(saved, monkeypatch):
    change(saved, segmenter="jieba")
    segment._own_jieba.cache_clear()
    monkeypatch.setitem(sys.modules, "jieba", None)
    problem = problem_of(resolve_tokenizer, str(saved), None, None)
    assert problem.code == "segmenter.jieba-not-installed"


DAMAGED = """
[
{}
3
["a"]
["[PAD]", "[UNK]", "[SEP]", 1]
["[PAD]", "[UNK]", "[SEP]", "a", "a"]
["[UNK]", "[PAD]", "[SEP]"]
""".strip().split("\n")


@pytest.mark.parametrize("text", ["", *DAMAGED])
def test_a_damaged_list_of_words_is_named(saved, text):
    (saved / "words.json").write_text(text, encoding="utf-8")
    assert problem_of(WordTokenizer.from_pretrained, saved).place == str(saved / "words.json")


def test_a_dictionary_that_is_no_utf8_is_named(saved):
    change(saved, segmenter="jieba")
    (saved / "user_dictionary.txt").write_bytes("好 5".encode("gbk"))
    assert "UTF-8" in problem_of(WordTokenizer.from_pretrained, saved).message


def test_a_tokenizer_of_special_words_alone_is_refused(tmp_path):
    made([]).save_pretrained(tmp_path)
    assert "nothing but" in problem_of(resolve_tokenizer, str(tmp_path), None, None).message


def test_what_calls_of_transformers_remember_is_bounded(monkeypatch):
    from chatstill.text import word_tokenizer

    monkeypatch.setattr(word_tokenizer, "RECENT", 3)
    tokenizer = made(segmenter="characters")
    for number in range(10):
        tokenizer(f"only here {number}")
    assert len(tokenizer._recent) == 3
    assert cutter_of(tokenizer.cutter).known("only here 1") is None
