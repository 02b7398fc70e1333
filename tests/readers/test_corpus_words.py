"""The words of a corpus: which are predicted, which are read alone, and lines as ids."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from tests.found import refused

from chatstill.config.schema import RunConfig
from chatstill.data.blocks import prepare_blocks
from chatstill.data.kept import Kept
from chatstill.readers.corpus_words import (
    FIRST,
    LineEncoder,
    corpus_cutter,
    corpus_words,
    words_beyond,
)
from chatstill.tasks.corpus import Stretch

TRAIN = "the cat sat\nThe cat [PAD] <S> </S>\n\n...\nthe dog sat on the cat\n"
DEV = "the bird sat\nbird 箱子\n"


@pytest.fixture(autouse=True)
def blanks(monkeypatch):
    """A segmenter that cuts at blanks."""
    module = ModuleType("cut_at_blanks")
    module.cut = str.split
    module.__spec__ = ModuleSpec("cut_at_blanks", None)
    monkeypatch.setitem(sys.modules, "cut_at_blanks", module)


def lines_of(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return Stretch(path, 0, path.stat().st_size)


@pytest.fixture
def texts(tmp_path):
    return lines_of(tmp_path, "train.txt", TRAIN), lines_of(tmp_path, "dev.txt", DEV)


def cutter_of(text, segmenter="cut_at_blanks", dictionary=None, **keys):
    return corpus_cutter(RunConfig(**keys), segmenter, dictionary, text, "bilm")


def words_of(texts, folder, segmenter="cut_at_blanks", kept=None, **keys):
    keys = {"min_count": 2, "max_words": 100, "place": "bilm.min_count", "source": "s", **keys}
    cutter = cutter_of(texts[0], segmenter)
    return cutter, corpus_words(cutter, *texts, kept=kept or Kept(folder / "kept"), **keys)


def test_frequent_words_of_train_are_predicted_and_all_others_read(texts, tmp_path):
    """Boundaries that stand in a text are boundaries; special words are unknown."""
    cutter, found = words_of(texts, tmp_path)
    assert found.vocabulary == [*FIRST, "cat", "the", "sat"]
    assert found.others == ["bird", "...", "The", "dog", "on", "箱子"]
    assert found.share == 8 / 13
    one = words_of(texts, tmp_path, max_words=1)[1]
    assert one.vocabulary == [*FIRST, "cat"] and one.others[:3] == ["the", "sat", "bird"]
    assert words_beyond(one.vocabulary, cutter, texts[1]) == ["bird", "sat", "the", "箱子"]


def test_a_line_stands_between_its_begin_and_its_end_and_no_block_crosses_documents(
    texts, tmp_path
):
    cutter, found = words_of(texts, tmp_path)
    names = [*found.vocabulary, *found.others]
    encoder = LineEncoder(cutter.like(names))
    assert encoder.ids_of(["the bird", " "]) == [
        [3, names.index("the"), names.index("bird"), 4],
        [],
    ]
    blocks = prepare_blocks(
        texts[0], encoder, tmp_path / "b", length=7, vocabulary=len(names), source="s"
    )
    rows = [[names[n] for n in row] for row in np.split(blocks.ids, blocks.offsets[1:-1])]
    assert [" ".join(row) for row in rows] == [
        "<S> the cat sat </S> <S> The",
        "cat [UNK] <S> </S> </S>",
        "<S> ... </S> <S> the dog sat",
        "on the cat </S>",
    ]


def test_they_are_counted_once_and_found_again(texts, tmp_path, monkeypatch):
    kept = Kept(tmp_path / "kept")
    counted = words_of(texts, tmp_path, kept=kept)[1]
    kept.write(tmp_path / "kept", tmp_path / "run")

    def not_again(*_):
        raise AssertionError("counted again")

    monkeypatch.setattr("chatstill.readers.corpus_words._counted", not_again)
    assert words_of(texts, tmp_path)[1] == counted
    with pytest.raises(AssertionError, match="counted again"):
        words_of(texts, tmp_path, source="another text")
    place = next(path for path in (tmp_path / "kept").iterdir() if path.is_dir())
    data = bytearray((place / "words.bin").read_bytes())
    data[3] ^= 1
    (place / "words.bin").write_bytes(data)
    with pytest.raises(AssertionError, match="counted again"):
        words_of(texts, tmp_path)


def test_chinese_lines_are_cut_by_jieba_unless_told_otherwise(tmp_path):
    pytest.importorskip("jieba")
    text = lines_of(tmp_path, "t", "我在医院工作\n你喜欢喝茶吗\n")
    assert cutter_of(text, None).cutter.name == "jieba"
    assert cutter_of(text, "characters").cut("我在医院") == ["我", "在", "医", "院"]
    assert "医院" in cutter_of(text, None).cut("我在医院工作")


def test_no_frequent_word_and_a_faulty_dictionary_are_one_message_each(texts, tmp_path):
    with refused("words.none-left", "bilm.min_count"):
        words_of(texts, tmp_path, min_count=99)
    with refused("words.dictionary-unreadable", "bilm.user_dictionary"):
        cutter_of(texts[0], "jieba", str(tmp_path / "nowhere.txt"))
    with refused("segmenter.pieces-are-no-words", "bilm.segmenter"):
        cutter_of(texts[0], "pieces")
