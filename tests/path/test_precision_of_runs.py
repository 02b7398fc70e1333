"""What a run computes in is what its file says: whatever the launcher was given, and after any other run."""

import json

import pytest
import torch
from torch.nn import functional

from chatstill.config import load_chain
from chatstill.run import chain as chains
from chatstill.train import trainer

from . import world

LAUNCHED = "ACCELERATE_MIXED_PRECISION"


@pytest.fixture
def trained_in(monkeypatch):
    """Types that linear layers of the steps of training computed in; not those of trials before it."""
    seen, steps = [], []
    linear, step = functional.linear, trainer.DistillationTrainer._forward_backward

    def watched(*arguments, **more):
        found = linear(*arguments, **more)
        if steps and torch.is_grad_enabled():
            seen.append(found.dtype)
        return found

    def of_a_step(*arguments):
        steps.append(True)
        step(*arguments)
        steps.pop()

    monkeypatch.setattr(functional, "linear", watched)
    monkeypatch.setattr(trainer.DistillationTrainer, "_forward_backward", of_a_step)
    return seen


def test_the_files_precision_holds_against_the_launchers(
    teacher_of, shared, tmp_path, monkeypatch, trained_in
):
    monkeypatch.setenv(LAUNCHED, "bf16")
    data = world.write_chat(tmp_path / "data")
    values = world.values_for(data, tmp_path / "out", teacher_of(), num_train_epochs=1)
    world.distilled(values, tmp_path)
    assert set(trained_in) == {torch.float32}


def test_links_of_a_chain_have_each_their_own(teacher_of, tmp_path, trained_in):
    data = world.write_chat(tmp_path / "data")
    values = world.values_for(data, tmp_path / "out", teacher_of(), num_train_epochs=1)
    values["pipeline"] = [
        {"name": "one", "bf16": True, "student_architectures": {"num_hidden_layers": 2}},
        {
            "name": "two",
            "teacher_architectures": {"model_name_or_path": "link:one"},
            "student_architectures": {"num_hidden_layers": 1},
            "allow_weak_teacher": True,
        },
    ]
    path = tmp_path / "chain.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    chains.distill_chain(load_chain(path, [], verb="distill"), console=world.console())
    first = trained_in.index(torch.bfloat16)
    after = len(trained_in) - trained_in[::-1].index(torch.bfloat16)
    assert set(trained_in[first:after]) == {torch.bfloat16}
    assert set(trained_in[after:]) == {torch.float32}, "the second link trains after it"
