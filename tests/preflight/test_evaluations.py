"""The plan's estimate counts the evaluations that the run will do."""

from types import SimpleNamespace

import pytest

from chatstill.config.schema import RunConfig
from chatstill.methods.base import Phase
from chatstill.preflight.run_cost import evaluations


@pytest.mark.parametrize(
    ("settings", "teacher", "expected"),
    [
        ({}, None, 4),  # 3 epochs, the end
        ({}, "one", 5),
        ({"eval_steps": 7}, None, 6),  # steps 7, 14, 21, 28, 30
        ({"eval_steps": 100_000}, "one", 3),
        ({"do_eval": False}, "one", 0),
        ({"do_eval": False, "patience": 1}, None, 3),
    ],
)
def test_number_of_evaluations(settings, teacher, expected):
    config = RunConfig(per_gpu_train_batch_size=10, **settings)
    method = SimpleNamespace(phases=lambda: [Phase("training", 3.0, 1e-3)], trains_outputs=True)
    job = SimpleNamespace(config=config, method=method, teacher=teacher)
    assert evaluations(job, {"train": 100}) == {"train": expected}


def test_a_loss_on_dev_takes_the_teacher_along_over_rows_of_its_own_kind():
    """A phase on texts of its own is selected by its loss, whatever is trained later."""
    config = RunConfig(per_gpu_train_batch_size=10)
    phases = [Phase("vectors", 2.0, data="texts"), Phase("task", 3.0)]
    method = SimpleNamespace(phases=lambda: phases, trains_outputs=True)
    job = SimpleNamespace(config=config, method=method, teacher="one")
    rows = {"texts": 1000, "train": 100}
    assert evaluations(job, rows) == {"texts": 2 * 2, "train": 2 + 3}
    method.trains_outputs = False
    assert evaluations(job, rows) == {"texts": 2 * 2, "train": 2 + 2 * 3}
