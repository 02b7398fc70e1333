"""Words that other programs use lead to the key that stands for them here."""

import re

import pytest

from chatstill.config.compat import usual
from chatstill.config.schema import Architecture, DataKeys, RunKeys


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"batch_size": 16}, "Here it is 'per_gpu_train_batch_size'."),
        ({"Epochs": 3}, "Here it is 'num_train_epochs'."),
        ({"labels": ["a", "b"]}, "Here it is 'labels' in the block data"),
        ({"num_layers": 3}, "Here it is 'num_hidden_layers' in student_architectures."),
        (
            {"alpha": 0.5},
            'Each term of a method has a weight of its own, in its block, such as "dis',
        ),
        ({"student_architectures": {"layers": 3}}, "Here it is 'num_hidden_layers'."),
        ({"distillation": {"T": 4}}, "Here it is 'temperature'."),
        ({"distillation": {"alpha": 0.5}}, "Each term of a method has a weight of its own"),
        ({"teacher_architectures": {"path": "teacher"}}, "Here it is 'model_name_or_path'."),
    ],
)
def test_a_usual_word_leads_to_its_key(changes, hint, world):
    world.values |= changes
    assert any(problem.hint.startswith(hint) for problem in world.problems())


def test_a_key_that_stands_elsewhere_is_told_its_home_and_a_misspelt_one_its_neighbour(world):
    world.values |= {"learning_rte": 1}
    (problem,) = world.problems()
    assert problem.hint == "Did you mean 'learning_rate'?"
    assert usual.usual_word(("theseus_scheduler", "epochs")) == ""


def test_every_word_leads_to_keys_that_exist():
    known = set(RunKeys.model_fields) | set(Architecture.model_fields) | set(DataKeys.model_fields)
    known |= {"temperature"}
    for words in (usual.AT_THE_TOP, usual.IN_NETWORKS, usual.IN_DISTILLATION):
        assert not words.keys() & set(RunKeys.model_fields)
        for hint in words.values():
            assert set(re.findall(r"'([a-z_0-9]+)'", hint)) <= known, hint
