"""Large arrays: what they hold is what numpy's hold, and they leave nothing behind."""

import errno
import os

import numpy as np
import pytest

from chatstill.data.sampler import BatchPlan
from chatstill.disk import large_array
from chatstill.disk.large_array import differences, numbered


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr(large_array, "SMALL", 1)
    monkeypatch.setattr(large_array, "CHUNK", 7)


def maps_of_deleted_files(folder):
    with open("/proc/self/maps") as maps:
        return sum(str(folder) in line and "(deleted)" in line for line in maps)


def test_numbers_and_differences_are_those_of_numpy(on_disk, tmp_path):
    assert numbered(50, np.int32, tmp_path).tolist() == list(range(50))
    offsets = np.cumsum(np.random.default_rng(0).integers(0, 9, 50))
    found = differences(offsets, tmp_path)
    assert found.dtype == np.int32
    assert found.tolist() == np.diff(offsets).tolist()
    assert numbered(0, np.int32, tmp_path).tolist() == []


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="Linux tells what is mapped")
def test_a_large_one_lies_on_disk_and_goes_with_the_array(on_disk, tmp_path):
    found = numbered(50, np.int32, tmp_path)
    assert maps_of_deleted_files(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
    del found
    assert maps_of_deleted_files(tmp_path) == 0


def test_a_full_disk_and_a_folder_that_is_not_there_leave_memory(on_disk, tmp_path, monkeypatch):
    assert numbered(5, np.int64, tmp_path / "not there").tolist() == [0, 1, 2, 3, 4]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert numbered(5, np.int64, tmp_path).tolist() == [0, 1, 2, 3, 4]


def test_the_order_of_rows_is_the_same_wherever_it_lies(tmp_path, monkeypatch):
    lengths = np.random.default_rng(3).integers(1, 60, 1003)
    in_memory = BatchPlan(lengths, 4, 2, 3, seed=11).epoch(2)
    monkeypatch.setattr(large_array, "SMALL", 1)
    on_disk = BatchPlan(lengths, 4, 2, 3, seed=11, folder=tmp_path).epoch(2)
    for one, other in zip(in_memory, on_disk, strict=True):
        assert [rows.tolist() for rows in one] == [rows.tolist() for rows in other]
