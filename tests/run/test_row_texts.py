"""The texts of rows as a corpus: each once, none of train in dev, gone on with at any place."""

import numpy as np
import pytest

from chatstill.data import preparing
from chatstill.data.blocks import prepare_blocks
from chatstill.run.pretraining.texts import RowTexts, Seen
from chatstill.tasks.base import Example, Rows
from tests.draws import reseeded


def rows_of(texts):
    """Pairs of texts, one with turns before it now and then."""
    made = []
    for number in range(0, len(texts) - 2, 3):
        turns, pair = texts[number : number + 1] * (number % 2), texts[number + 1 : number + 3]
        made.append(Example(f"train-{number}", number + 1, *pair, 0, None, tuple(turns)))
    return made


def drawn(count, kinds, seed=0):
    draws = np.random.default_rng(reseeded(seed))
    return [f"text {number}" if number else " \t" for number in draws.integers(0, kinds, count)]


def plain(rows, before=()):
    """Each text once, in order, with a loop and a set."""
    seen, found = {text for row in before for text in texts_in(row)}, []
    for row in rows:
        for text in texts_in(row):
            if text.strip() and text not in seen:
                seen.add(text)
                found.append(text)
    return found


def texts_in(row):
    return [*row.context, row.text_a, *([row.text_b] if row.text_b is not None else [])]


def source(rows, before=None):
    def reader(some):
        return lambda: Rows(iter(some), None, [])

    left_out = None if before is None else reader(before)
    return RowTexts("rows", "content", 100, len(rows), reader(rows), left_out)


@pytest.mark.parametrize("kinds", [1, 7, 400, 10**9])
def test_what_was_seen_is_what_a_set_holds(kinds):
    draws = np.random.default_rng(reseeded(kinds))
    seen, known = Seen(), set()
    for size in (1, 0, 3, 700, 1, 1, 50, 2000, 5):
        texts = [str(number) for number in draws.integers(0, kinds, size)]
        wanted = []
        for text in texts:
            wanted.append(text not in known)
            known.add(text)
        assert seen.new(texts) == wanted
        assert len(seen) == len(known)
    assert len(seen._sorted) <= 12  # merged, so that few are searched


@pytest.mark.parametrize("chunk", [1, 5, 2048])
def test_each_text_is_a_document_once(monkeypatch, chunk):
    monkeypatch.setattr(preparing, "CHUNK_ROWS", chunk)
    train, dev = rows_of(drawn(300, 80)), rows_of(drawn(90, 120, seed=1))
    for found, wanted in (
        (source(train), plain(train)),
        (source(dev, train), plain(dev, train)),
    ):
        lines = [line for _, some in found.read(0) for line in some]
        assert lines[::2] == wanted and not any(lines[1::2])
    assert 0 < len(plain(dev, train)) < len(plain(dev))


@pytest.mark.parametrize("chunk", [1, 7])
def test_reading_goes_on_at_every_place(monkeypatch, chunk):
    monkeypatch.setattr(preparing, "CHUNK_ROWS", chunk)
    train, dev = rows_of(drawn(120, 60)), rows_of(drawn(60, 120, seed=1))
    for found in (source(train), source(dev, train)):
        lots = list(found.read(0))
        whole = [line for _, some in lots for line in some]
        for number, (at, _) in enumerate(lots):
            before = [line for _, some in lots[: number + 1] for line in some]
            for other in (chunk, 5):  # a place may lie inside a lot of another size
                monkeypatch.setattr(preparing, "CHUNK_ROWS", other)
                rest = [line for _, some in found.read(at) for line in some]
                assert before + rest == whole


def test_a_text_of_several_lines_is_one_document():
    rows = [Example("train-0", 1, "one\ntwo\r\n\n three", None, 0)]
    assert [some for _, some in source(rows).read(0)] == [["one two three", ""]]


class Numbers:
    padding_side = "right"
    around = ([1], [2])
    joint = ""

    def ids_of(self, texts):
        return [[10 + int(text.split()[1]) % 40] * 5 for text in texts]

    def identity(self):
        return {"texts": "their numbers"}


def test_an_interrupted_preparation_goes_on(tmp_path, monkeypatch):
    from chatstill.data import blocks as module

    monkeypatch.setattr(preparing, "CHUNK_ROWS", 4)
    monkeypatch.setattr(module, "COMMIT_BYTES", 1)
    rows = rows_of(drawn(120, 60))
    known = {"length": 4, "vocabulary": 50, "source": "rows"}
    whole = prepare_blocks(source(rows), Numbers(), tmp_path / "whole", **known)
    assert whole.documents == len(plain(rows)) and len(whole) == 3 * len(plain(rows))
    for stop in (1, 3, 5):
        calls = []

        def dying(done, calls=calls, stop=stop):
            calls.append(done)
            if len(calls) == stop:
                raise KeyboardInterrupt

        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(KeyboardInterrupt):
            prepare_blocks(source(rows), Numbers(), folder, progress=dying, **known)
        again = prepare_blocks(source(rows), Numbers(), folder, **known)
        assert again.ids.tolist() == whole.ids.tolist()
        assert again.offsets.tolist() == whole.offsets.tolist()
