"""A method of a task that draws tokens: the teacher reads what the student reads, and nothing is stored."""

import pytest

from chatstill.run import run as pipeline
from tests.found import refused

from . import world
from .test_teacher_cache import METHOD

DRAWS = """
    makes_tokens = True

    def prepare_batch(self, batch, ctx):
        first = batch["input_ids"].clone()
        first[:, 1] = 5 + ctx.epoch
        return {**batch, "input_ids": first}

    def phases(self):"""


@pytest.fixture
def values(shared, teacher_of, tmp_path):
    plugin = tmp_path / "drawing.py"
    plugin.write_text(METHOD.replace("\n    def phases(self):", DRAWS), encoding="utf-8")
    changes = {"model_type": "drawing", "plugins": [str(plugin)], "theseus_scheduler": None}
    return world.values_for(shared / "data", tmp_path / "out", teacher_of(), **changes)


def test_true_is_refused_by_name(values, tmp_path):
    with refused("cache.tokens-are-drawn", "drawing"):
        world.loaded({**values, "teacher_cache": True}, tmp_path)


def test_auto_says_why_the_teacher_runs_live(values, tmp_path):
    where = world.console()
    pipeline.check(world.loaded({**values, "num_train_epochs": 40}, tmp_path), console=where)
    assert "live: tokens are drawn anew in every epoch" in world.said(where)
