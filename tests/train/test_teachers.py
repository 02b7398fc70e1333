"""The live teacher: eval mode, no gradient, ended after the highest layer needed."""

import pytest
import torch

from chatstill.features import Needs
from chatstill.train.teachers import LiveTeacher

from ..models.tiny_models import tiny_batch, tiny_model


@pytest.fixture
def batch():
    return {**tiny_batch(), "index": torch.arange(3), "labels": torch.zeros(3)}


def test_a_teacher_in_train_mode_is_put_right(batch):
    """Planted fault: dropout in the teacher would make two passes differ."""
    teacher = tiny_model("bert", 2, dropout=0.5)
    source = LiveTeacher(teacher, Needs(logits=True))
    right = source.features(batch).logits
    teacher.train()
    noisy = teacher(**tiny_batch()).logits
    assert not torch.equal(noisy, right), "the fault would be seen"
    teacher.train()
    assert torch.equal(source.features(batch).logits, right)
    assert not any(module.training for module in teacher.modules())


def test_nothing_of_the_teacher_has_a_graph(batch):
    needs = Needs(logits=True, hidden_states=(0, 2), attention=(1,), cls=(1,), vector=True)
    kept = LiveTeacher(tiny_model("bert", 2), needs).features(batch)
    own = kept.attention[1]
    tensors = [kept.logits, *kept.hidden_states.values(), own.query, own.key, own.value]
    assert not any(t.requires_grad for t in [*tensors, *kept.cls.values(), kept.vector])


@pytest.mark.parametrize("kind", ("bert", "llama", "modernbert"))
def test_layers_above_the_highest_needed_do_not_run(kind, batch):
    teacher = tiny_model(kind, 4)
    kept = LiveTeacher(teacher, Needs(hidden_states=(1, 2))).features(batch)
    with torch.no_grad():
        whole = teacher(**tiny_batch(), output_hidden_states=True).hidden_states
        for name, parameter in teacher.named_parameters():
            if any(f".{number}." in name for number in (2, 3)):
                parameter.fill_(torch.nan)
    again = LiveTeacher(teacher, Needs(hidden_states=(1, 2))).features(batch)
    for index in (1, 2):
        assert torch.equal(kept.hidden_states[index], whole[index])
        assert torch.equal(kept.hidden_states[index], again.hidden_states[index])
    assert kept.logits is None
