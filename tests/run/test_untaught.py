"""When a kept network's classifier counts as untrained, so that nothing is ranked by it."""

from types import SimpleNamespace

import pytest

from chatstill.methods.base import Phase
from chatstill.run.kept_network import _untaught
from chatstill.train.ending import Ended

TEXTS, TASK = Phase("vectors", 1, data="texts"), Phase("task", 1)


def method(*phases, trains=True):
    return SimpleNamespace(trains_outputs=trains, phases=lambda: list(phases))


@pytest.mark.parametrize(
    ("phases", "ended", "untaught"),
    [
        ((TEXTS, TASK), None, False),
        ((TEXTS, TASK), "vectors", True),
        ((TEXTS, TASK), "task", False),
        ((TASK, TEXTS), "vectors", False),
    ],
)
def test_a_run_that_ended_before_the_tasks_rows_taught_no_classifier(phases, ended, untaught):
    end = None if ended is None else Ended(ended, 3, 9)
    assert _untaught(method(*phases), end) == untaught


def test_a_method_that_trains_none_taught_none():
    assert _untaught(method(TASK, trains=False), None)
    assert _untaught(method(TASK, trains=False), Ended("task", 3, 9))
