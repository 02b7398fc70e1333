"""Estimates: the fit on known costs, the parts of memory, disks that are too small."""

from collections import namedtuple
from pathlib import Path

import pytest

from chatstill.preflight import cost
from chatstill.preflight.cost import StepTiming
from chatstill.train import resources


def test_the_fit_finds_known_costs():
    model = cost.fit_cost([StepTiming(t, 0.2 + 0.001 * t) for t in (100, 300, 500, 900)])
    assert model.per_step == pytest.approx(0.2) and model.per_token == pytest.approx(0.001)
    estimate = cost.estimate(
        [StepTiming(t, 0.2 + 0.001 * t) for t in (100, 300)],
        40_000,
        100,
        evaluation_tokens=3000,
    )
    assert estimate.seconds == pytest.approx(20 + 40 + 1)
    assert estimate.low < estimate.seconds < estimate.high


@pytest.mark.parametrize(
    "measured",
    [
        [StepTiming(100, 1.0)],
        [StepTiming(100, 1.0), StepTiming(100, 1.0)],
        [StepTiming(100, 0.5), StepTiming(200, 2.5)],
        [StepTiming(100, 2.0), StepTiming(200, 1.0)],
    ],
)
def test_neither_part_is_ever_negative(measured):
    model = cost.fit_cost(measured)
    assert model.per_step >= 0 and model.per_token >= 0 and model.per_step + model.per_token > 0


def test_nothing_measured_is_our_own_mistake():
    with pytest.raises(ValueError, match="no measured"):
        cost.fit_cost([])


def test_memory_by_part():
    estimate = cost.estimate_memory(
        parameter_bytes=400,
        trained_parameters=50,
        measured_peak=2000,
        measured_before=800,
        measured_tokens=10,
        largest_tokens=20,
    )
    assert (estimate.gradients, estimate.optimizer, estimate.activations) == (200, 400, 2000)
    assert estimate.total == 3000
    whole = cost.estimate_memory(
        parameter_bytes=400,
        trained_parameters=50,
        measured_peak=2000,
        measured_before=1100,
        measured_tokens=10,
        largest_tokens=10,
        measured_states=300,
        whole_process=True,
    )
    assert (whole.process, whole.activations) == (300, 400), "networks and copies are not counted"
    assert whole.total == 300 + 400 + 200 + 400 + 400
    assert cost.check_memory(3000, 10_000) == []
    assert cost.check_memory(3_000_000_000, 3_100_000_000)[0].severity == "warning"


def test_disk(tmp_path, monkeypatch):
    needs = resources.disk_needs(
        tmp_path / "not" / "yet",
        student_bytes=100_000_000,
        trained_parameters=10_000_000,
        save_total_limit=2,
        cache_dir=tmp_path,
        cache_bytes=5_000_000,
    )
    assert sum(need.size for need in needs) == 3 * 180_000_000 + 100_000_000 + 5_000_000
    usage = namedtuple("usage", "total used free")
    for free, severities in ((600_000_000, ["error"]), (700_000_000, ["warning"]), (10**12, [])):
        monkeypatch.setattr(resources.shutil, "disk_usage", lambda _, free=free: usage(0, 0, free))
        problems = resources.check_disk(needs)
        assert [problem.severity for problem in problems] == severities
        assert all("645 MB" in problem.message for problem in problems)
    assert not (tmp_path / "not").exists()


@pytest.mark.skipif(not resources.forget_peak(), reason="the system keeps one peak for all time")
def test_a_peak_of_before_is_forgotten():
    big = bytearray(200_000_000)
    assert resources.peak_memory() >= len(big)
    del big
    resources.forget_peak()
    assert abs(resources.peak_memory() - resources.memory_in_use()) < 100_000_000


def test_the_machine_answers():
    assert resources.available_memory() > 0
    assert 0 < resources.memory_in_use() < resources.available_memory()
    assert resources.existing_parent(Path("surely/missing/here")) == Path.cwd()
