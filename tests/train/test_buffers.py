"""Networks whose training changes buffers, such as the statistics of batch normalisation."""

import pytest
import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from chatstill.methods.base import RunValues
from chatstill.methods.finetune import Config, FineTune
from chatstill.train.phases import run_phases
from chatstill.train.stage import StageModule
from tests.draws import reseeded

from .conftest import DyingSteps, Killed, ToySteps, assert_same_weights, build_engine, weights


class BagConfig(PretrainedConfig):
    model_type = "test-bag"


class Bag(PreTrainedModel):
    """The sum of word embeddings, normalised over the batch."""

    config_class = BagConfig

    def __init__(self, config):
        super().__init__(config)
        self.words = nn.Embedding(40, 8)
        self.norm = nn.BatchNorm1d(8)
        self.classifier = nn.Linear(8, config.num_labels)
        self.post_init()

    def forward(self, input_ids, attention_mask):
        states = (self.words(input_ids) * attention_mask[..., None]).sum(1)
        return SequenceClassifierOutput(logits=self.classifier(self.norm(states)))


def method():
    torch.manual_seed(reseeded(0))
    run = RunValues(num_train_epochs=2, learning_rate=1e-2)
    student = Bag(BagConfig(num_labels=2))
    return FineTune(Config(), student, None, objective="cross_entropy", run=run)


def test_statistics_are_trained(tmp_path):
    trained = method()
    run_phases(trained, build_engine(tmp_path, ToySteps()))
    assert trained.student.norm.num_batches_tracked == 12


def test_the_best_weights_come_with_their_statistics(tmp_path):
    trained, seen = method(), []

    def evaluate():
        seen.append(weights(trained.kept()))
        return float(len(seen) == 2), {}

    run_phases(
        trained, build_engine(tmp_path, ToySteps(), evaluate=evaluate, eval_steps=2, keep="best")
    )
    assert_same_weights(weights(trained.kept()), seen[1])
    assert trained.student.norm.num_batches_tracked == 4


@pytest.mark.parametrize("killed", [True, False])
def test_a_run_that_goes_on_has_the_statistics_of_an_unbroken_one(tmp_path, killed):
    unbroken, again = method(), method()
    run_phases(unbroken, build_engine(tmp_path / "one", ToySteps()))
    if killed:
        with pytest.raises(Killed):
            run_phases(method(), build_engine(tmp_path / "two", DyingSteps(5)))
    else:  # only the report was missing
        run_phases(method(), build_engine(tmp_path / "two", ToySteps()))
    run_phases(again, build_engine(tmp_path / "two", ToySteps()))
    assert_same_weights(weights(again.kept()), weights(unbroken.kept()))


def test_statistics_reach_the_kept_network_where_training_has_moved_to_a_device():
    trained = method()
    stage = StageModule(trained, trained.phases()[0])
    for part in stage.modules():  # what a move to another device does: parameters stay, buffers not
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = buffer.clone()
    stage.trained.norm.running_mean.fill_(3)
    stage.trained_state()
    assert (trained.student.norm.running_mean == 3).all()
