"""Two processes with half the batch each equal one process, to float tolerance (dropout 0)."""

import pytest
import torch

from chatstill.train.phases import run_phases

from ..processes import run_processes
from .conftest import ToySteps, build_engine, build_method, weights

CASES = {
    "finetune": ("finetune", {}),
    "finetune, last batch smaller": ("finetune", {"rows": 22}),
    "finetune, accumulation": ("finetune", {"accumulation": 3}),
    "theseus": ("theseus", {}),
    "theseus, accumulation": ("theseus", {"accumulation": 2}),
}
SGD = {"optim": "sgd"}  # Adam divides by gradients near 0, which blows tolerance up


def train(folder, name, *, rank=0, world=1, batch=4, args=None, **knobs):
    steps = ToySteps(batch=batch, rank=rank, world=world, **knobs)
    method = build_method(name, dropout=0.0)
    engine = build_engine(folder, steps, args={**SGD, **(args or {})}, save_steps=100)
    run_phases(method, engine)
    return {n: t.numpy() for n, t in weights(method.kept()).items()}, engine.records


def close(left, right, **tolerance) -> None:
    for name in left:
        torch.testing.assert_close(torch.tensor(left[name]), torch.tensor(right[name]), **tolerance)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one(tmp_path, case):
    name, knobs = CASES[case]
    one, records = train(tmp_path / "one", name, batch=4, **knobs)
    two = run_processes(
        lambda rank: train(tmp_path / "two", name, rank=rank, world=2, batch=2, **knobs), 2
    )
    close(one, two[0][0], rtol=1e-4, atol=1e-5)
    close(two[0][0], two[1][0], rtol=0, atol=0)
    losses = [r["loss"] for r in records if "loss" in r]
    assert losses == pytest.approx([r["loss"] for r in two[0][1] if "loss" in r], rel=1e-4)
    assert not [r for r in two[1][1] if "loss" in r], "only the first process logs"


def test_fsdp2_equals_one_process(tmp_path):
    """Smoke test of sharded training, checkpoint and kept network."""
    one, _ = train(tmp_path / "one", "finetune", batch=4)
    env = {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_TRANSFORMER_CLS_TO_WRAP": "BertLayer",
        "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    }

    def sharded(rank):
        from chatstill.train.trainer import DistillationTrainer

        seen = []
        gather = DistillationTrainer._gathered_state

        def spying(self):
            state = self.accelerator.unwrap_model(self.model).trained_state()
            seen.append(all(hasattr(p, "full_tensor") for p in state.values()))
            return gather(self)

        DistillationTrainer._gathered_state = spying
        return *train(tmp_path / "two", "finetune", rank=rank, world=2, batch=2), seen

    two = run_processes(sharded, 2, env=env)
    assert two[0][2] and all(two[0][2]), "the parameters were not sharded"
    close(one, two[0][0], rtol=1e-4, atol=1e-5)
