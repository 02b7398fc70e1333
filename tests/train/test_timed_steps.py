"""What a rehearsal reports of the networks of a phase."""

import torch

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
