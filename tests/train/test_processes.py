"""Two processes with half the batch each equal one process, to float tolerance (dropout 0)."""

import sys
import threading

import numpy as np
import pytest
import torch

from chatstill.train.launch import leave_group
from chatstill.train.phases import run_phases
from tests.longer import longer

from ..processes import run_processes
from .conftest import ToySteps, build_engine, build_method, weights

CASES = {
    "finetune, accumulation": ("finetune", {"accumulation": 3}),
    "finetune, few words": ("finetune", {"top": 20}),
    "matches, last batch smaller": ("matches", {"rows": 22}),
    "theseus, accumulation": ("theseus", {"accumulation": 2}),
    "finetune": ("finetune", {}),
    "finetune, last batch smaller": ("finetune", {"rows": 22}),
    "theseus": ("theseus", {}),
    "matches, accumulation": ("matches", {"accumulation": 2}),
}
ROUGH = {"optim": "adamw_torch", "adam_epsilon": 1e-2}  # moments, and no division by numbers near 0
SGD = {"optim": "sgd"}  # Adam divides by gradients near 0, which blows tolerance up


def train(folder, name, *, rank=0, world=1, batch=4, args=None, **knobs):
    steps = ToySteps(batch=batch, rank=rank, world=world, **knobs)
    method = build_method(name, dropout=0.0)
    engine = build_engine(folder, steps, args={**SGD, **(args or {})}, save_steps=100)
    engine.tokens = {"train": np.union1d(steps.ids, 0)}
    run_phases(method, engine)
    return {n: t.numpy() for n, t in weights(method.kept()).items()}, engine.records


def close(left, right, **tolerance) -> None:
    assert left and left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(torch.tensor(left[name]), torch.tensor(right[name]), **tolerance)


@pytest.mark.parametrize("case", longer(CASES, keep=4))
def test_two_processes_equal_one(tmp_path, case):
    name, knobs = CASES[case]
    one, records = train(tmp_path / "one", name, batch=4, **knobs)
    two = run_processes(
        lambda rank: train(tmp_path / "two", name, rank=rank, world=2, batch=2, **knobs), 2
    )
    close(one, two[0][0], rtol=1e-4, atol=1e-5)
    close(two[0][0], two[1][0], rtol=0, atol=0)
    # None where a step drew no successor: on both sides alike.
    losses = [r["loss"] or 0.0 for r in records if "loss" in r]
    assert losses == pytest.approx([r["loss"] or 0.0 for r in two[0][1] if "loss" in r], rel=1e-4)
    assert any(losses)
    assert not [r for r in two[1][1] if "loss" in r], "only the first process logs"


def test_two_processes_move_on_what_a_step_does_not_draw(tmp_path):
    one, _ = train(tmp_path / "one", "theseus", batch=4, args=ROUGH, accumulation=2)
    halves = {"world": 2, "batch": 2, "args": ROUGH, "accumulation": 2}
    two = run_processes(lambda rank: train(tmp_path / "two", "theseus", rank=rank, **halves), 2)
    close(one, two[0][0], rtol=1e-4, atol=1e-5)
    close(two[0][0], two[1][0], rtol=0, atol=0)


def _shard_on_the_cpu() -> None:
    """accelerate turns FSDP on for accelerators alone; torch's FSDP2 itself runs on the CPU too."""
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    original = AcceleratorState.__init__

    def with_fsdp(self, *args, fsdp_plugin=None, **kwargs):
        original(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin is not None:
            self.distributed_type = DistributedType.FSDP
            self.fsdp_plugin = fsdp_plugin
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = with_fsdp


FSDP2 = {
    "fsdp": True,
    "fsdp_config": {"version": 2, "transformer_layer_cls_to_wrap": ["BertLayer"]},
}


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("finetune", SGD),
        pytest.param("theseus", SGD, marks=pytest.mark.slow),
        ("theseus", ROUGH),
        pytest.param("matches", SGD, marks=pytest.mark.slow),
        ("on a corpus", SGD),
    ],
)
def test_fsdp2_equals_one_process(tmp_path, name, optimizer):
    """Smoke test of sharded training, its checkpoints, and the kept network."""
    one, _ = train(tmp_path / "one", name, batch=4, args=optimizer)

    def sharded(rank):
        from chatstill.train.trainer import DistillationTrainer

        _shard_on_the_cpu()
        seen = []
        gather = DistillationTrainer._gathered_state

        def spying(self):
            state = self.accelerator.unwrap_model(self.model).trained_state()
            seen.append(all(hasattr(p, "full_tensor") for p in state.values()))
            return gather(self)

        DistillationTrainer._gathered_state = spying
        result = train(
            tmp_path / "two", name, rank=rank, world=2, batch=2, args={**FSDP2, **optimizer}
        )
        return *result, seen

    two = run_processes(sharded, 2)
    assert two[0][2] and all(two[0][2]), "the parameters were not sharded"
    close(one, two[0][0], rtol=1e-4, atol=1e-5)


def test_the_group_is_left_when_its_threads_are_done_with_python(monkeypatch):
    """Its destructor joins them with Python's lock held, which they need to end: a hang for good."""
    dist, order, go = torch.distributed, [], threading.Event()

    def last_work():
        go.wait()
        order.append("the last work is let go of")

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: order.append("left"))
    thread = threading.Thread(target=last_work)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # this thread gives the lock away only where it waits
    try:
        go.set()
        leave_group()
    finally:
        sys.setswitchinterval(interval)
    thread.join()
    assert order == ["the last work is let go of", "left"]


def test_without_a_group_there_is_nothing_to_leave():
    leave_group()
    assert not torch.distributed.is_initialized()
