"""The teacher's outputs on disk: whole or absent, right for any rows in any order."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from tests.draws import reseeded
from tests.path.children import fork, wait
from tests.until import until

from chatstill.data import teacher_cache_layout as layout_module
from chatstill.data.store import locked
from chatstill.data.teacher_cache import Filled, Layout, Part, TeacherCache, cache_fingerprint
from chatstill.errors import RunFailure

LENGTHS = np.random.default_rng(reseeded(0)).integers(3, 30, 97)
LAYOUT = Layout(
    (
        Part("logits", (2,), "float32"),
        Part("hidden_states.1", (4,), "float16", per_token=True),
    )
)
SOURCES = {"teacher": "a", "view": "b"}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layout_module, "SHARD_ROWS", 20)
    monkeypatch.setattr(layout_module, "BATCH_ROWS", 8)


def outputs(rows):
    """A pretended teacher: every number tells its row, token and column."""
    tokens = [
        row + np.arange(LENGTHS[row])[:, None] / 32 + np.arange(4) / 1024 for row in rows.tolist()
    ]
    return {
        "logits": rows[:, None] + np.array([0.25, 0.5]),
        "hidden_states.1": np.concatenate(tokens) if tokens else np.empty((0, 4)),
    }


class Counted:
    """The pretended teacher, with the rows it was asked for."""

    def __init__(self, stop_after=None):
        self.rows: list[int] = []
        self.stop_after = stop_after

    def __call__(self, rows):
        if self.stop_after is not None and len(self.rows) >= self.stop_after:
            raise KeyboardInterrupt
        self.rows += rows.tolist()
        return outputs(rows)


def cache_in(folder, lengths=LENGTHS, layout=LAYOUT, sources=SOURCES):
    return TeacherCache(folder, cache_fingerprint(layout, sources), layout, lengths)


def same(cache, rows):
    found, wanted = cache.read(rows), outputs(rows)
    np.testing.assert_array_equal(found["logits"], wanted["logits"].astype(np.float32))
    np.testing.assert_array_equal(
        found["hidden_states.1"], wanted["hidden_states.1"].astype(np.float16)
    )


def shards(cache):
    return sorted(path for path in cache.folder.iterdir() if path.name.isdigit())


def test_any_rows_in_any_order_and_number(tmp_path):
    cache = cache_in(tmp_path)
    teacher = Counted()
    assert cache.fill(teacher) == 97
    assert sorted(teacher.rows) == list(range(97)), "each row once"
    generator = np.random.default_rng(reseeded(1))
    for size in (1, 2, 13, 97):
        same(cache, generator.permutation(97)[:size])
    same(cache, np.array([5, 5, 0]))
    assert cache.read(np.empty(0, np.int64))["logits"].shape == (0, 2)


def test_filled_in_batches_of_like_length(tmp_path):
    sizes = []

    def compute(rows):
        sizes.append(LENGTHS[rows])
        return outputs(rows)

    cache_in(tmp_path).fill(compute)
    assert max(len(batch) for batch in sizes) <= 8
    padding = sum(batch.max() * len(batch) - batch.sum() for batch in sizes)
    assert padding < 0.1 * LENGTHS.sum()


def test_batches_are_bounded_in_tokens(tmp_path, monkeypatch):
    monkeypatch.setattr(layout_module, "BATCH_TOKENS", 64)
    sizes = []

    def compute(rows):
        sizes.append(len(rows) * LENGTHS[rows].max())
        return outputs(rows)

    cache_in(tmp_path).fill(compute)
    assert max(sizes) <= 64


def test_shards_are_bounded_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(layout_module, "SHARD_BYTES", 1_500)
    cache = cache_in(tmp_path)
    cache.fill(outputs)
    for number in range(cache.num_shards):
        rows = cache.rows_of(number)
        assert LAYOUT.total_bytes(len(rows), int(LENGTHS[rows].sum())) <= 1_500
    same(cache, np.arange(97))
    assert cache.num_bytes == 97 * 8 + int(LENGTHS.sum()) * 8
    on_disk = sum(p.stat().st_size for p in cache.folder.rglob("*.bin"))
    assert on_disk == cache.num_bytes


def test_a_second_run_and_a_second_student_compute_nothing(tmp_path):
    cache_in(tmp_path).fill(outputs)
    teacher = Counted()
    again = cache_in(tmp_path)
    assert again.num_present() == 97
    assert again.fill(teacher) == 0
    assert not teacher.rows
    same(again, np.arange(97)[::-1])


def test_interrupted_filling_goes_on(tmp_path):
    first = Counted(stop_after=50)
    with pytest.raises(KeyboardInterrupt):
        cache_in(tmp_path).fill(first)
    cache = cache_in(tmp_path)
    assert cache.num_present() == 40, "two whole shards of 20"
    second = Counted()
    assert cache.fill(second) == 57
    assert not set(second.rows) & set(first.rows[:40])
    same(cache, np.arange(97))
    assert not list(cache.folder.glob("*.staging-*"))


def test_a_killed_filling_leaves_whole_shards_only(tmp_path):
    def run():
        seen = []

        def compute(rows):
            seen.extend(rows)
            if len(seen) > 30:
                os.kill(os.getpid(), signal.SIGKILL)
            return outputs(rows)

        cache_in(tmp_path).fill(compute)

    assert wait(fork(run, tmp_path / "child.txt")) == -signal.SIGKILL
    cache = cache_in(tmp_path)
    assert cache.fill(Counted()) == 77
    same(cache, np.arange(97))


def test_the_same_bytes_however_it_was_filled(tmp_path):
    """Unbroken, interrupted, or begun elsewhere."""
    whole, broken = cache_in(tmp_path / "whole"), cache_in(tmp_path / "broken")
    whole.fill(outputs)
    with pytest.raises(KeyboardInterrupt):
        broken.fill(Counted(stop_after=50), first=3)
    broken.fill(outputs, first=1)
    left, right = ({p.name: p for p in shards(cache)} for cache in (whole, broken))
    assert left.keys() == right.keys()
    for name, folder in left.items():
        for file in folder.iterdir():
            assert file.read_bytes() == (right[name] / file.name).read_bytes()


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES = {
    "a bit of the values": lambda shard: _flip(shard / "logits.bin"),
    "a bit of the tokens": lambda shard: _flip(shard / "hidden_states.1.bin"),
    "a bit of the manifest": lambda shard: _flip(shard / "manifest.json"),
    "cut short": lambda shard: _truncate(shard / "hidden_states.1.bin"),
    "an array gone": lambda shard: (shard / "logits.bin").unlink(),
    "the manifest gone": lambda shard: (shard / "manifest.json").unlink(),
    "all gone": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("number", range(5))
def test_damage_of_each_shard_is_noticed_and_mended(tmp_path, damage, number):
    cache = cache_in(tmp_path)
    cache.fill(outputs)
    assert cache.num_shards == 5
    damage(shards(cache)[number])
    again, teacher = cache_in(tmp_path), Counted()
    assert again.fill(teacher) == len(cache.rows_of(number))
    assert sorted(teacher.rows) == sorted(cache.rows_of(number).tolist())
    same(again, np.arange(97))


def test_swapped_shards_are_stale(tmp_path):
    cache = cache_in(tmp_path)
    cache.fill(outputs)
    one, two = shards(cache)[1:3]
    one.rename(tmp_path / "aside")
    two.rename(one)
    (tmp_path / "aside").rename(two)
    again = cache_in(tmp_path)
    assert again.fill(outputs) == 40
    same(again, np.arange(97))


def test_a_shard_of_another_cache_is_stale(tmp_path):
    other = cache_in(tmp_path, sources={"teacher": "other"})
    other.fill(lambda rows: {k: v + 1 for k, v in outputs(rows).items()})
    cache = cache_in(tmp_path)
    shutil.copytree(other.folder, cache.folder)
    assert cache.fill(outputs) == 97
    same(cache, np.arange(97))


def test_the_name_tells_everything_apart():
    names = {
        cache_fingerprint(LAYOUT, SOURCES),
        cache_fingerprint(LAYOUT, {**SOURCES, "teacher": "other"}),
        cache_fingerprint(LAYOUT, {**SOURCES, "view": "other"}),
        cache_fingerprint(Layout(LAYOUT.parts[:1]), SOURCES),
        cache_fingerprint(Layout((Part("logits", (2,), "float16"), LAYOUT.parts[1])), SOURCES),
        cache_fingerprint(Layout((Part("logits", (3,), "float32"), LAYOUT.parts[1])), SOURCES),
    }
    assert len(names) == 6
    assert cache_fingerprint(LAYOUT, dict(reversed(SOURCES.items()))) in names


def test_processes_fill_together_each_row_once(tmp_path):
    """Three children begin at different shards; the parent then finds all done."""
    children = []
    for number in range(3):

        def run(number=number):
            cache = cache_in(tmp_path / "cache")
            teacher = Counted()
            cache.fill(teacher, first=number * 2)
            same(cache, np.arange(97))
            (tmp_path / f"{number}.json").write_text(json.dumps(teacher.rows), encoding="utf-8")

        children.append(fork(run, tmp_path / f"child{number}.txt"))
    assert [wait(child) for child in children] == [0, 0, 0]
    rows = [json.loads((tmp_path / f"{n}.json").read_text(encoding="utf-8")) for n in range(3)]
    assert sorted(row for part in rows for row in part) == list(range(97))


def test_a_shard_that_another_process_is_at_comes_last(tmp_path):
    cache, asked = cache_in(tmp_path), []

    def elsewhere():
        with locked(cache.folder / "locks" / "000000"):
            (tmp_path / "held").touch()
            until((tmp_path / "go").exists)

    child = fork(elsewhere, tmp_path / "child.txt")
    until((tmp_path / "held").exists)

    def compute(rows):
        asked.extend(rows.tolist())
        if len(asked) == 77:
            (tmp_path / "go").touch()
        return outputs(rows)

    assert cache.fill(compute) == 97
    assert wait(child) == 0
    assert sorted(asked[77:]) == sorted(cache.rows_of(0).tolist())


def test_progress_ends_at_the_number_of_rows_and_tokens(tmp_path):
    seen = []
    cache_in(tmp_path).fill(outputs, progress=seen.append)
    tokens = int(LENGTHS.sum())
    assert seen[-1] == Filled(97, tokens, 97, tokens)
    assert [state.rows for state in seen] == sorted(state.rows for state in seen)
    assert seen[0].rows == 8, "after each batch"
    seen.clear()
    cache_in(tmp_path).fill(outputs, progress=seen.append)
    assert seen[-1] == Filled(97, tokens, 0, 0)


def test_a_value_that_the_type_cannot_hold_is_said(tmp_path):
    def compute(rows):
        found = outputs(rows)
        found["hidden_states.1"] = found["hidden_states.1"] * 1e6
        return found

    with pytest.raises(RunFailure, match=r"hidden_states\.1.*float16.*teacher_cache"):
        cache_in(tmp_path).fill(compute)
    assert cache_in(tmp_path).num_present() == 0


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    from chatstill.data.store import ArrayWriter

    def full(self, name, values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(RunFailure, match="disk is full"):
        cache_in(tmp_path).fill(outputs)


def test_the_folder_says_whose_it_is(tmp_path):
    cache = cache_in(tmp_path)
    cache.describe(SOURCES)
    cache.fill(outputs)
    facts = json.loads((cache.folder / "cache.json").read_text(encoding="utf-8"))
    assert facts["sources"] == SOURCES
    assert facts["rows"] == 97 and facts["bytes"] == cache.num_bytes
    assert [part["name"] for part in facts["parts"]] == ["logits", "hidden_states.1"]
