"""Blocks of a corpus: what a plain loop packs, in two bytes a token, whatever interrupts it."""

import numpy as np
import pytest
import torch

from chatstill.data import blocks as module
from chatstill.data.blocks import prepare_blocks
from chatstill.tasks import reading
from chatstill.tasks.corpus import Stretch

BEFORE, BEHIND, LENGTH = [2], [3], 8
TEXT = "\n".join(
    [
        *("a bb ccc a", "bb a ccc bb a bb ccc", ""),
        *("", "a", "", "bb " * 30, "ccc", " ", "a bb ccc a bb ccc", "", "a a a a a a a"),
    ]
)


class Words:
    """A word's id is its length."""

    padding_side = "right"
    around = (BEFORE, BEHIND)
    joint = ""

    def __init__(self):
        self.read = 0

    def ids_of(self, texts):
        self.read += len(texts)
        return [[4 + len(word) for word in text.split()] for text in texts]

    def identity(self):
        return {"words": "by length"}


def plain(text):
    """Documents joined, cut into stretches of six, framed."""
    documents, lines = [], []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            documents.append(" ".join(lines).split())
            lines = []
    ids = [[4 + len(word) for word in words] for words in documents]
    room = LENGTH - 2
    return [
        [*BEFORE, *document[start : start + room], *BEHIND]
        for document in ids
        for start in range(0, len(document), room)
    ]


@pytest.fixture
def prepare(tmp_path):
    path = tmp_path / "train.txt"

    def make(text=TEXT, encode=None, vocabulary=100, name="cache", **more):
        path.write_text(text, encoding="utf-8")
        stretch = Stretch(path, 0, path.stat().st_size)
        encode = encode or Words()
        known = {"length": LENGTH, "vocabulary": vocabulary, "source": "file", **more}
        return prepare_blocks(stretch, encode, tmp_path / name, **known)

    return make


def as_lists(blocks):
    return [
        blocks.ids[start:stop].tolist()
        for start, stop in zip(blocks.offsets[:-1], blocks.offsets[1:], strict=True)
    ]


@pytest.mark.parametrize("piece", [3, 40, 1 << 20])
def test_they_are_what_a_plain_loop_packs(prepare, monkeypatch, piece):
    monkeypatch.setattr(reading, "BLOCK", piece)
    found = prepare()
    assert as_lists(found) == plain(TEXT)
    assert found.documents == 5 and len(found) == len(found.lengths) == 12
    assert found.num_tokens == sum(map(len, plain(TEXT)))
    assert found.lengths.max() == LENGTH


@pytest.mark.parametrize(("vocabulary", "size"), [(65_536, 2), (65_537, 4)])
def test_two_bytes_a_token_where_the_vocabulary_allows_it(prepare, tmp_path, vocabulary, size):
    found = prepare(vocabulary=vocabulary)
    assert found.ids.itemsize == size
    file = tmp_path / "cache" / found.fingerprint / "ids.bin"
    assert file.stat().st_size == size * found.num_tokens
    assert as_lists(found) == plain(TEXT)


def test_a_second_run_reads_nothing_and_other_facts_are_other_blocks(prepare):
    first, encode = prepare(), Words()
    assert prepare(encode=encode).fingerprint == first.fingerprint
    assert encode.read == 0
    assert prepare(source="another").fingerprint != first.fingerprint
    assert prepare(vocabulary=70_000).fingerprint != first.fingerprint
    assert prepare(length=9).fingerprint != first.fingerprint


class Marked(Words):
    """Characters; a blank is a token of its own where it stands inside a text."""

    joint = " "

    def ids_of(self, texts):
        return [[ord(sign) % 90 for sign in text] for text in texts]


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_lines_that_go_on_with_a_document_have_a_blank_before_them(prepare, monkeypatch, piece):
    monkeypatch.setattr(reading, "BLOCK", piece)
    found = prepare("ab\nc\n\n\nd\n e\nf g\n", encode=Marked())
    texts = ["ab c", "d e f g"]
    assert as_lists(found) == [
        [*BEFORE, *[ord(sign) % 90 for sign in text[start : start + 6]], *BEHIND]
        for text in texts
        for start in range(0, len(text), 6)
    ]
    assert found.fingerprint != prepare("ab\nc\n\n\nd\n e\nf g\n").fingerprint


@pytest.mark.parametrize("stop", range(1, 8))
def test_an_interrupted_preparation_goes_on(prepare, monkeypatch, stop):
    monkeypatch.setattr(reading, "BLOCK", 10)
    monkeypatch.setattr(module, "COMMIT_BYTES", 1)
    whole = Words()
    wanted = as_lists(prepare(encode=whole, name="whole"))
    calls = []

    def dying(done):
        calls.append(done)
        if len(calls) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(progress=dying)
    again = Words()
    assert as_lists(prepare(encode=again)) == wanted
    assert again.read < whole.read or stop == 1
    assert wanted == plain(TEXT)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_batch_is_the_blocks_padded(prepare, side):
    encode = Words()
    encode.padding_side = side
    found = prepare(encode=encode)
    rows = np.array([3, 0, 4])
    batch = found.batch_of(rows, pad_token_id=9, with_token_types=True)
    wanted = [plain(TEXT)[row] for row in rows]
    longest = max(map(len, wanted))
    for at, block in enumerate(wanted):
        filler = [9] * (longest - len(block))
        padded = [*filler, *block] if side == "left" else [*block, *filler]
        mask = [1] * len(block) + [0] * len(filler)
        mask = mask[::-1] if side == "left" else mask
        assert batch["input_ids"][at].tolist() == padded
        assert batch["attention_mask"][at].tolist() == mask
    assert batch["index"].tolist() == rows.tolist()
    assert not batch["token_type_ids"].any()
    assert batch["input_ids"].dtype == torch.int64
