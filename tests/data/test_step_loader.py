"""Steps made ahead in the background: right, resumable, and never left hanging."""

import threading

import numpy as np
import pytest
from tests.draws import reseeded
from tests.until import until

from chatstill.data.fingerprint import file_sha256, files_sha256, fingerprint
from chatstill.data.loader import AHEAD, StepLoader
from chatstill.data.sampler import BatchPlan

LENGTHS = np.random.default_rng(reseeded(0)).integers(3, 40, 103)


def loader(start=0, stop=10, rank=0, world=1, collate=lambda view, rows: (view, rows.tolist())):
    return StepLoader("view", BatchPlan(LENGTHS, 8, world, 3), rank, collate, start, stop)


def threads():
    return [thread for thread in threading.enumerate() if "chatstill-loader" in thread.name]


def test_steps_across_epochs():
    steps = list(loader())
    assert len(steps) == len(loader()) == 10
    assert [epoch for epoch, _ in steps] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert [len(batches) for _, batches in steps[:4]] == [3, 3, 3, 3]
    plan = BatchPlan(LENGTHS, 8, 1, 3)
    for number, (epoch, batches) in enumerate(steps):
        expected = plan.epoch(epoch)[number % 4]
        assert batches == [("view", rows.tolist()) for rows in expected]
    assert not threads()


@pytest.mark.parametrize("start", [0, 1, 5, 9, 10, 12])
def test_any_start_goes_on_as_unbroken(start):
    assert list(loader(start)) == list(loader())[start:]
    assert len(loader(start)) == max(0, 10 - start)


def test_ranks_share_each_micro_batch():
    for parts in zip(loader(world=2), loader(rank=1, world=2), strict=True):
        (epoch, left), (other, right) = parts
        assert epoch == other
        for micro_left, micro_right in zip(left, right, strict=True):
            assert not set(micro_left[1]) & set(micro_right[1])


def test_an_error_comes_out_at_its_step():
    calls = []

    def collate(_, rows):
        calls.append(rows)
        if len(calls) == 8:  # the second micro-batch of the third step
            raise ValueError("damaged")
        return rows

    seen = []
    with pytest.raises(ValueError, match="damaged"):
        for step in loader(collate=collate):
            seen.append(step)
    assert len(seen) == 2
    assert not threads()


def test_only_a_few_steps_ahead_and_clean_when_left():
    calls, taken, too_many = [], 0, []

    def collate(_, rows):
        calls.append(rows)
        if len(calls) > 3 * (AHEAD + taken):
            too_many.append(len(calls))

    def is_full():
        return len(calls) == 3 * (AHEAD + taken)

    steps = iter(loader(stop=1000, collate=collate))
    while taken < 30:  # each step that is taken makes room for one more
        taken += 1
        next(steps)
        until(is_full, 5)
    assert too_many == []
    assert len(threads()) == 1
    steps.close()
    assert not threads()


def test_fingerprints(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == known
    assert files_sha256([path]) == {str(path): known}
    assert fingerprint({"a": 1, "b": [None, "你"]}) == fingerprint({"b": [None, "你"], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5}) != fingerprint({"a": "1"})
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(float("nan"))
