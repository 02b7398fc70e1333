"""A tiny model, a tiny data source and an engine around them, built anew for every test."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from chatstill.config.schema import RunConfig
from chatstill.data.masking import Masking
from chatstill.methods.base import RunValues
from chatstill.methods.finetune import Config as FineTuneConfig
from chatstill.methods.finetune import FineTune
from chatstill.methods.matches import Config as MatchesConfig
from chatstill.methods.matches import Matches
from chatstill.methods.theseus import Config as TheseusConfig
from chatstill.methods.theseus import Theseus
from chatstill.train.checkpoints import CheckpointStore
from chatstill.train.engine import Engine
from tests.draws import reseeded


def tiny_bert(layers: int = 4, dropout: float = 0.1, seed: int = 0, width: int = 16):
    """A BERT over 40 word pieces."""
    torch.manual_seed(reseeded(seed))
    config = BertConfig(
        vocab_size=40,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=2,
    )
    return BertForSequenceClassification(config)


class ToySteps:
    """Rows of random ids; global micro-batches are cut in order, ranks take every world-th row."""

    def __init__(self, rows=24, batch=4, accumulation=1, rank=0, world=1, seed=3, top=40):
        generator = np.random.default_rng(reseeded(seed))
        self.ids = generator.integers(5, top, size=(rows, 8))
        self.lengths = generator.integers(3, 9, size=rows)
        self.labels = generator.integers(0, 2, size=rows)
        self.num_rows, self.batch = rows, batch
        self.accumulation, self.rank, self.world = accumulation, rank, world
        self.steps_per_epoch = -(-rows // (batch * world * accumulation))

    def start(
        self, step: int, num_steps: int = 0
    ) -> Iterator[tuple[int, list[dict[str, torch.Tensor]]]]:
        while True:
            epoch, position = divmod(step, self.steps_per_epoch)
            order = np.random.default_rng(reseeded(100 + epoch)).permutation(self.num_rows)
            size = self.batch * self.world
            start = position * size * self.accumulation
            micro = [
                order[start + i * size : start + (i + 1) * size] for i in range(self.accumulation)
            ]
            yield epoch, [self.rows(part[self.rank :: self.world]) for part in micro if len(part)]
            step += 1

    def rows(self, rows):
        mask = (np.arange(8) < self.lengths[rows][:, None]).astype(np.int64)
        return {
            "input_ids": torch.from_numpy(self.ids[rows] * mask),
            "attention_mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(self.labels[rows]),
            "index": torch.from_numpy(rows),
        }


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may handle it."""


class DyingSteps(ToySteps):
    """Dies before step ``at`` of a phase, the first or, from 0, another."""

    def __init__(self, at: int, phase: int = 0, **values):
        super().__init__(**values)
        self.at, self.phases_left = at, phase

    def start(self, step, num_steps=0):
        last, self.phases_left = self.phases_left == 0, self.phases_left - 1
        for number, item in enumerate(super().start(step), step):
            if last and number == self.at:
                raise Killed
            yield item


EVERYTHING = {"task_ce": 1, "task_cros": 1, "hidden_mse": 1, "att_mse": 0.5, "task_pkd": 1}


def build_method(name: str, dropout: float = 0.1, epochs: float = 2, **knobs):
    """``finetune``; ``theseus`` from 4 layers to 2; ``matches`` from 4 x 16 to 2 x 8, projected.

    ``on a corpus``: DistilBERT's terms, tokens masked, from 4 layers to 2.
    """
    run = RunValues(num_train_epochs=epochs, learning_rate=1e-2)
    if name == "finetune":
        student = tiny_bert(2, dropout)
        return FineTune(FineTuneConfig(), student, None, objective="cross_entropy", run=run)
    if name == "on a corpus":
        special = np.arange(40) < 5
        run = replace(run, masking=Masking(4, special, 0.3))
        student, teacher = (
            BertForMaskedLM(tiny_bert(layers, dropout, seed).config)
            for layers, seed in ((2, 1), (4, 0))
        )
        terms = MatchesConfig(level="pretraining", alpha_ce=5, alpha_mlm=2, alpha_cos=1)
        return Matches(terms, student, teacher, objective="cross_entropy", run=run)
    if name == "matches":
        student, teacher = tiny_bert(2, dropout, seed=1, width=8), tiny_bert(4, dropout)
        terms = MatchesConfig(**(knobs or EVERYTHING))
        return Matches(terms, student, teacher, objective="cross_entropy", run=run)
    from chatstill.models.layers import copy_layers

    teacher = tiny_bert(4, dropout)
    student = copy_layers(teacher, 2, [0, 1])
    config = TheseusConfig(**knobs)
    return Theseus(config, student, teacher, objective="cross_entropy", run=run)


def build_engine(folder: Path, steps: ToySteps, *, evaluate=None, args=None, **keys):
    """An engine that logs into ``engine.records``; ``keys`` are those of a user's file."""
    records: list[dict] = []
    usual = {"save_steps": 2, "logging_steps": 1, "learning_rate": 1e-2, "warmup_percentage": 0.1}
    if evaluate is not None and "eval_steps" not in keys:
        evaluate = None
    config = RunConfig(
        per_gpu_train_batch_size=steps.batch,
        gradient_accumulation_steps=steps.accumulation,
        seed=reseeded(7),
        training_arguments={"use_cpu": True, **(args or {})},
        **{**usual, **keys},
    )
    store = CheckpointStore(folder / "checkpoints")
    engine = Engine(
        config, folder, store, {"train": steps, "texts": steps}, records.append, evaluate
    )
    engine.records = records
    return engine


def weights(model) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def assert_same_weights(left, right) -> None:
    assert left.keys() == right.keys()
    different = [name for name in left if not torch.equal(left[name], right[name])]
    assert not different, different


@pytest.fixture
def steps() -> ToySteps:
    return ToySteps()
