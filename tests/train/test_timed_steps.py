"""What a rehearsal reports of the networks of a phase."""

import torch

from chatstill.preflight import timed_steps
from chatstill.preflight.timed_steps import rehearse
from tests.draws import reseeded

from .conftest import ToySteps, build_method


def test_memory_counts_the_live_teacher_and_shared_parameters_once():
    batch = next(ToySteps().start(0))[1][0]
    for name in ("matches", "theseus", "finetune"):
        method = build_method(name)
        networks = [n for n in (method.student, method.teacher) if n is not None]
        extra = list(method.projections.parameters()) if name == "matches" else []
        whole = {id(p): p for n in networks for p in n.parameters()} | {id(p): p for p in extra}
        found = rehearse(method, [batch], torch.device("cpu"), seed=reseeded(1), num_steps=4)
        assert found.parameter_bytes == 4 * sum(p.numel() for p in whole.values())


def test_memory_is_that_of_the_steps_and_not_of_what_was_before():
    batch = next(ToySteps().start(0))[1][0]
    big = torch.ones(60_000_000)
    del big
    found = rehearse(
        build_method("matches"), [batch], torch.device("cpu"), seed=reseeded(1), num_steps=4
    )
    assert 0 <= found.memory_peak - found.memory_before < 200_000_000
    assert found.memory_before > 100_000_000, "Python and torch alone take more"
    assert 8 * found.trained_parameters <= found.optimizer_bytes < 9 * found.trained_parameters


def test_where_the_system_keeps_one_peak_the_ends_of_forward_passes_are_looked_at(monkeypatch):
    batch = next(ToySteps().start(0))[1][0]
    used = iter([500, 900, 700])
    monkeypatch.setattr(timed_steps, "forget_peak", lambda device: False)
    monkeypatch.setattr(timed_steps, "memory_in_use", lambda device: next(used))
    found = rehearse(
        build_method("matches"), [batch], torch.device("cpu"), seed=reseeded(1), num_steps=4
    )
    assert (found.memory_before, found.memory_peak) == (500, 900)
