"""Counts of pieces: what a plain loop counts, once for the same blocks."""

from collections import Counter

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.data import piece_counts as module
from chatstill.data.blocks import prepare_blocks
from chatstill.data.caches import find_caches
from chatstill.data.piece_counts import piece_counts
from chatstill.tasks.corpus import Stretch

VOCABULARY = 50


class Numbers:
    """A word is its id."""

    padding_side = "right"
    around = ([2], [3])
    joint = ""

    def ids_of(self, texts):
        return [[int(word) for word in text.split()] for text in texts]

    def identity(self):
        return {"words": "numbers"}


@pytest.fixture
def blocks_of(tmp_path):
    def make(seed):
        draws = np.random.default_rng(reseeded(seed))
        lines = [" ".join(map(str, draws.integers(5, VOCABULARY, 12))) for _ in range(40)]
        path = tmp_path / f"{seed}.txt"
        path.write_text("\n".join(lines), encoding="utf-8")
        stretch = Stretch(path, 0, path.stat().st_size)
        known = {"length": 16, "vocabulary": VOCABULARY, "source": f"{seed}"}
        return prepare_blocks(stretch, Numbers(), tmp_path / "cache", **known), lines

    return make


def plain(lines):
    counted = Counter(int(word) for line in lines for word in line.split())
    return [counted[piece] for piece in range(VOCABULARY)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 22])
def test_they_are_what_a_plain_loop_counts(blocks_of, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    blocks, lines = blocks_of(1)
    found = piece_counts(blocks, VOCABULARY, tmp_path / "cache")
    assert found[5:].tolist() == plain(lines)[5:]
    assert found[2] == found[3] == len(blocks)  # special ones are counted, and never drawn


def test_the_same_blocks_are_counted_once_and_others_by_themselves(
    blocks_of, tmp_path, monkeypatch
):
    times = []
    count = module.count_pieces

    def counting(*arguments):
        times.append(arguments)
        return count(*arguments)

    monkeypatch.setattr(module, "count_pieces", counting)
    cache = tmp_path / "cache"
    blocks, lines = blocks_of(1)
    first = piece_counts(blocks, VOCABULARY, cache, tmp_path / "run")
    assert piece_counts(blocks, VOCABULARY, cache, tmp_path / "run").tolist() == first.tolist()
    assert len(times) == 1
    other, others = blocks_of(2)
    assert (
        piece_counts(other, VOCABULARY, cache, tmp_path / "run")[5:].tolist() == plain(others)[5:]
    )
    assert len(times) == 2
    kept = sorted(cache.rglob("counts.bin"))[0]
    damaged = bytearray(kept.read_bytes())
    damaged[60] ^= 1
    kept.write_bytes(damaged)
    for one, its in ((blocks, lines), (other, others)):
        assert piece_counts(one, VOCABULARY, cache, tmp_path / "run")[5:].tolist() == plain(its)[5:]
    assert len(times) == 3


def test_what_was_counted_is_a_cache_with_its_run(blocks_of, tmp_path):
    cache = tmp_path / "cache"
    blocks, _ = blocks_of(1)
    piece_counts(blocks, VOCABULARY, cache, tmp_path / "run")
    caches = find_caches(cache)
    assert len(caches) == 2  # the blocks, and their counts
    assert [cache.users for cache in caches if cache.users] == [((tmp_path / "run").resolve(),)]
