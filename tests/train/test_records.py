"""What is logged: the curves in their file, the sums behind a line, and a disk that is full."""

import errno

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chatstill.disk.full import full_disk
from chatstill.train.control import Agreement
from chatstill.train.curves import Curves
from chatstill.train.log_sums import LogSums
from chatstill.train.records import Records


def curve(folder, name):
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tensorboard_reads_the_curves_and_a_resumed_run_draws_anew(tmp_path):
    first = Curves(tmp_path / "tensorboard")
    for step in (1, 2, 3):
        first.add("loss", step / 2, step)
    first.flush()
    again = Curves(tmp_path / "tensorboard", purge=3)
    again.add("loss", 7.0, 3)
    again.close()
    first.close()
    assert curve(tmp_path / "tensorboard", "loss") == [(1, 0.5), (2, 1.0), (3, 7.0)]


def test_an_event_file_is_always_a_new_one(tmp_path):
    paths = {Curves(tmp_path).path for _ in range(3)}
    assert len(paths) == 3 and all(path.parent == tmp_path for path in paths)


RECORD = {"phase": "p", "phase_index": 0, "step": 1, "loss": 1.0}


@pytest.mark.parametrize("file", ["history.jsonl", "events.out.tfevents"])
def test_a_full_disk_is_told_where_it_is_logged_with_the_file(tmp_path, monkeypatch, file):
    records = Records(tmp_path)
    records.open({0: 0}, (0, 0))

    class Full:
        def write(self, *data):
            raise OSError(errno.ENOSPC, "No space left on device")

        flush = close = write

    if file == "history.jsonl":
        monkeypatch.setattr(records, "_file", Full())
    else:
        monkeypatch.setattr(records._curves, "_writer", Full())
    with pytest.raises(OSError) as error:
        records.add(RECORD)
    assert file in full_disk(error.value) and str(tmp_path) in full_disk(error.value)
    records.close()


class Together(Agreement):
    """Two processes in one: whatever this one hands in, the other one's is added."""

    def __init__(self, other):
        self.other, self.active = other, True

    def sums(self, numbers):
        return (np.array(numbers) + self.other).tolist()


def sums_of(values):
    sums = LogSums()
    for value in values:
        sums.add_terms({"soft": torch.tensor(value), "soft_weighted": torch.tensor(value / 2)})
        sums.add_step(0.5)
    return sums


def test_each_process_takes_its_own_sums_back():
    loss, device = torch.tensor(0.1), torch.device("cpu")
    own, other = sums_of([0.1, 0.7]), sums_of([0.3, 0.2])
    row = [0.0, 0.0, 0.0, 0.4, *(float(other.terms[n]) for n in sorted(other.terms))]
    saved = own.state(loss, Together(row), rank=0, world=2)
    assert (saved["steps"], saved["trained"]) == (2, 1.0)
    for rank, before, total in ((0, own, float(loss)), (1, other, 0.4)):
        again = LogSums()
        assert again.restore(saved, rank, 2, device) == total
        assert (again.steps, again.trained) == (2, 1.0)
        assert {n: float(t) for n, t in again.terms.items()} == {
            n: float(t) for n, t in before.terms.items()
        }


def test_another_number_of_processes_takes_the_whole():
    """What is logged is the mean of the processes' losses, and the sum of their terms."""
    saved = {"steps": 2, "trained": 2.0, "names": ["soft"], "sums": [[1.0, 2.0], [3.0, 4.0]]}
    first, second = LogSums(), LogSums()
    assert first.restore(saved, 0, 3, torch.device("cpu")) / 3 == (1.0 + 3.0) / 2
    assert second.restore(saved, 1, 3, torch.device("cpu")) == 0.0
    assert float(first.terms["soft"]) == 6.0 and float(second.terms["soft"]) == 0.0
    assert first.steps == second.steps == 2


@pytest.mark.parametrize(
    "saved",
    [None, {}, [], {"steps": 1, "trained": 1.0, "names": ["a"], "sums": [["x"]]}, {"steps": "1e9"}],
)
def test_nothing_is_taken_from_what_is_no_such_state(saved):
    sums = LogSums()
    assert sums.restore(saved, 0, 1, torch.device("cpu")) == 0.0
    assert (sums.steps, sums.trained, sums.terms) == (0, 0.0, {})
