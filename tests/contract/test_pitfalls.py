"""Known pitfalls of distillation, and the tests that hold the ones that can occur here already.

| pitfall | test |
|---|---|
| teacher in train mode, or moved | contract/test_methods.py::test_the_teacher_is_unmoved_by_training |
| frozen layers | models/test_theseus_host.py::test_what_is_trained_and_that_gradients_pass_frozen_layers |
| means of means | contract/test_methods.py::test_a_term_is_a_sum_over_rows |
| label order | path/test_networks.py::test_labels_are_matched_by_name |
| teacher at chance | path/test_networks.py::test_teacher_with_swapped_labels_stops |
| another vocabulary | contract/test_pitfalls.py::test_another_vocabulary_is_refused |
| tokens without a row | text/test_tokenizers.py::test_vocabulary_against_the_embedding_table |
| lower-casing | text/test_tokenizers.py::test_contradiction_is_reported_with_both_shares |
| caches by position | data/test_views.py::test_prepared_once_and_again_when_anything_changes |
| parameters left out of training | contract/test_methods.py::test_every_trained_parameter_gets_a_gradient |
| width, heads, lengths | path/test_networks.py::test_too_long_and_too_wide_are_said_at_once |
| base of layer indices | contract/test_pitfalls.py::test_layers_to_copy_count_from_0_and_the_plan_from_1 |
| regression without softmax | contract/test_pitfalls.py::test_regression_is_the_squared_error |
| each term logged plain and weighted | path/test_run_folder.py::test_log_history_and_tensorboard |
| best on dev is said to be chosen on dev | path/test_run_folder.py::test_keep_best_and_patience_are_said |
| resume | path/test_killed_runs.py::test_killed_again_and_again |
| draws on several processes | train/test_step.py::test_draws_follow_seed_step_and_micro_batch_alone |
| losses in half precision | contract/test_pitfalls.py::test_losses_are_computed_in_float32 |
| last batch | path/test_run_folder.py::test_scores_do_not_depend_on_the_batch_size |
| padding | contract/test_methods.py::test_rows_one_by_one_and_in_a_batch_are_equal |
| speed claims | evaluate/test_speed.py::test_figures_describe_the_measurement |

Not possible yet, for want of terms between student and teacher: the order of KL's arguments, its
reduction and temperature, sides of a mixing weight, masks in hidden and attention losses, scores
against probabilities, augmentation, recurrent students.
"""

import re
from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from chatstill.losses import hard_label_loss
from chatstill.methods.theseus import describe_groups
from chatstill.models.layers import copy_layers, layer_list
from chatstill.models.shape import check_same_shape

from ..train.conftest import tiny_bert

TESTS = Path(__file__).resolve().parents[1]
ROWS = re.findall(r"^\| (.+?) \| (\S+)::(\S+) \|$", __doc__, re.M)


@pytest.mark.parametrize(("pitfall", "file", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_the_table_names_tests_that_exist(pitfall, file, test):
    assert f"\ndef {test}(" in (TESTS / file).read_text(encoding="utf-8")


def test_another_vocabulary_is_refused():
    problems = check_same_shape(BertConfig(vocab_size=100), BertConfig(vocab_size=120))
    (problem,) = [p for p in problems if "vocab" in str(p)]
    assert "100" in str(problem) and "120" in str(problem)


def test_layers_to_copy_count_from_0_and_the_plan_from_1():
    teacher = tiny_bert(4)
    student = copy_layers(teacher, 2, [0, 2])
    old, new = layer_list(teacher)[2], layer_list(student)[2]
    for mine, theirs in ((0, 0), (1, 2)):
        for left, right in zip(
            new[mine].state_dict().values(), old[theirs].state_dict().values(), strict=True
        ):
            assert torch.equal(left, right)
    assert describe_groups([[0, 1], [2, 3]]) == "1-2 → 1, 3-4 → 2"


def test_regression_is_the_squared_error():
    logits, labels = torch.tensor([[1.0], [3.5]]), torch.tensor([2.0, 3.0])
    assert hard_label_loss(logits, labels, "regression") == pytest.approx(1.25)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_are_computed_in_float32(dtype):
    logits = torch.tensor([[300.0, -300.0], [0.0078125, 0.0]], dtype=dtype)
    loss = hard_label_loss(logits, torch.tensor([1, 0]), "cross_entropy")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(600 + 0.6892, abs=1e-3)
    squared = hard_label_loss(torch.tensor([[300.0]], dtype=dtype), torch.zeros(1), "regression")
    assert squared.item() == pytest.approx(90_000)
