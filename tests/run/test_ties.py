"""Evaluations that are equal to the best one are told, where they are many."""

import json

import pytest

from chatstill.run.ties import ties
from chatstill.train.phases import PhaseResult


def run_of(folder, values, *, before=(), best_step):
    """The history of a run: a phase of 10 steps with other values, then one that is looked at every 10."""
    phases = [("first", 0, list(enumerate(before, 1))), ("last", 1, list(enumerate(values, 1)))]
    lines = [
        json.dumps({"phase": name, "phase_index": index, "step": 10 * at, "dev/mrr": value})
        for name, index, looks in phases
        for at, value in looks
    ]
    (folder / "history.jsonl").write_text("\n".join(lines) + "\n")
    best = values[best_step // 10 - 1]
    return [
        PhaseResult("first", 10 * len(before), None, None, "train", 10 * len(before)),
        PhaseResult("last", 10 * len(values), best_step, best, "train", 10 * len(values)),
    ]


def told(rule="best"):
    return {"dev": {"main": "mrr"}, "kept": {"rule": rule}}


@pytest.mark.parametrize(
    ("values", "best_step", "number"),
    [
        ([1.0, 1.0, 1.0, 1.0], 10, 3),
        ([0.5, 1.0, 1.0, 0.9], 20, 1),
        ([0.5, 0.6, 0.7, 0.7, 0.6], 30, None),  # two of five
        ([0.5, 0.6, 0.7], 30, None),
        ([1.0, 1.0], 10, None),  # too few looks to say anything
    ],
)
def test_half_of_the_evaluations_are_equal_to_the_best(tmp_path, values, best_step, number):
    found = ties(tmp_path, run_of(tmp_path, values, before=(1.0, 1.0), best_step=best_step), told())
    assert len(found) == (number is not None)
    if number is not None:
        assert found[0].startswith(f"{number} evaluations after step {best_step} have the same mrr")
        assert "selection_metric" in found[0]


def test_where_the_last_step_is_kept_nothing_is_said(tmp_path):
    phases = run_of(tmp_path, [1.0, 1.0, 1.0, 1.0], best_step=10)
    assert ties(tmp_path, phases, told("last")) == []
