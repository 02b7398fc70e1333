"""Known pitfalls of distillation, and the tests that hold the ones that can occur here already.

| pitfall | test |
|---|---|
| teacher in train mode | train/test_teachers.py::test_a_teacher_in_train_mode_is_put_right |
| teacher tracked | train/test_teachers.py::test_nothing_of_the_teacher_has_a_graph |
| teacher moved | contract/test_methods.py::test_the_teacher_is_unmoved_by_training |
| frozen layers | models/test_theseus_host.py::test_what_is_trained_and_that_gradients_pass_frozen_layers |
| KL: order, t², mean | losses/test_soft.py::test_the_faults_that_this_arithmetic_shows |
| means of means | contract/test_methods.py::test_a_term_is_a_sum_over_rows |
| sides of a mixing weight have names | methods/test_matches.py::test_the_total_is_the_weighted_sum_of_means |
| padding in hidden losses | losses/test_hidden.py::test_padding_never_enters_the_arithmetic |
| padding in attention losses | losses/test_attention.py::test_padding_never_enters_the_arithmetic |
| more padding, another loss | methods/test_matches.py::test_more_padding_changes_no_term |
| an unmasked mean | losses/test_hidden.py::test_the_unmasked_mean_is_another_number |
| scores, not probabilities | features/test_capture.py::test_softmax_of_the_scores_is_eagers_attention |
| no scores | methods/test_matches.py::test_scores_are_refused_by_name_where_they_cannot_be_read |
| a detached term | methods/test_matches.py::test_a_term_that_is_cut_off_from_the_student_is_seen |
| published settings, losses of another form | methods/test_published_forms.py::test_the_total_of_pkds_code |
| a weight without its form | methods/test_matches.py::test_the_plan_says_which_form_a_term_has |
| rows without labels | path/test_transfer_set.py::test_each_term_is_divided_by_the_rows_that_it_counts |
| label order | path/test_networks.py::test_labels_are_matched_by_name |
| label order beside the teacher | path/test_methods_apart.py::test_labels_are_matched_by_name |
| teacher at chance | path/test_networks.py::test_teacher_with_swapped_labels_stops |
| another vocabulary | contract/test_pitfalls.py::test_another_vocabulary_is_refused |
| another start | path/test_methods_apart.py::test_a_student_of_pretrained_layers_has_its_tokens |
| tokens without a row | text/test_tokenizers.py::test_vocabulary_against_the_embedding_table |
| lower-casing | text/test_tokenizers.py::test_contradiction_is_reported_with_both_shares |
| rows cached by position | data/test_views.py::test_prepared_once_and_again_when_anything_changes |
| cached features | train/test_cached_teacher.py::test_any_batch_of_any_epoch_has_the_live_teachers_features |
| parameters left out of training | contract/test_methods.py::test_every_trained_parameter_gets_a_gradient |
| projections left out | methods/test_matches.py::test_a_narrow_student_gets_projections_that_are_trained |
| width, heads, maps at once | methods/test_matches.py::test_everything_that_does_not_fit_comes_at_once |
| lengths | path/test_networks.py::test_too_long_and_too_wide_are_said_at_once |
| layers to copy | contract/test_pitfalls.py::test_layers_to_copy_count_from_0_and_the_plan_from_1 |
| layers matched count from | features/test_layer_map.py::test_layers_that_face_each_other |
| a state after the final norm | features/test_capture.py::test_a_pass_that_ends_early_keeps_the_same |
| regression without softmax | losses/test_soft.py::test_regression_is_the_squared_error_without_temperature |
| each term logged plain and weighted | path/test_run_folder.py::test_log_history_and_tensorboard |
| terms of very different size | train/test_balance.py::test_said_once_of_each_pair_and_phase |
| best on dev is said to be chosen on dev | path/test_run_folder.py::test_keep_best_and_patience_are_said |
| no classifier trained | path/test_methods_apart.py::test_what_does_not_fit_comes_at_once_before_training |
| resume | path/test_killed_runs.py::test_killed_again_and_again |
| resume with projections | train/test_resume.py::test_killed_and_started_again_equals_unbroken |
| draws on several processes | train/test_step.py::test_draws_follow_seed_step_and_micro_batch_alone |
| several processes, several terms | train/test_processes.py::test_two_processes_equal_one |
| losses in half precision | contract/test_pitfalls.py::test_losses_are_computed_in_float32 |
| losses between states in half precision | contract/test_pitfalls.py::test_state_losses_in_float32 |
| clipping with projections | train/test_step.py::test_gradients_are_clipped_together |
| the scaler on resume | train/test_step.py::test_a_scaler_goes_on_where_it_was |
| stored scores and their scaling | path/test_teacher_cache.py::test_stored_scores_are_scaled |
| grouped keys | features/test_capture.py::test_scores_of_grouped_keys |
| a student of the same words, cased | path/test_methods_apart.py::test_a_student_that_keeps_case |
| MNLI, matched or not | path/test_mnli.py::test_both_sections_are_scored_and_the_main_metric_is_their_mean |
| half scores | losses/test_attention.py::test_huge_scores_of_half_precision_do_not_overflow |
| last batch | path/test_run_folder.py::test_scores_do_not_depend_on_the_batch_size |
| padding | contract/test_methods.py::test_rows_one_by_one_and_in_a_batch_are_equal |
| speed claims | evaluate/test_speed.py::test_figures_describe_the_measurement |

Not possible yet: leaks of augmentation, the last step of recurrent students.
"""

import re
from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from chatstill.losses import (
    attention_cosine,
    attention_mse,
    cosine_distance,
    hard_label_loss,
    hidden_cosine,
    hidden_mse,
    logits_mse,
    patience_loss,
)
from chatstill.methods.theseus import describe_groups
from chatstill.models.layers import copy_layers, layer_list
from chatstill.models.shape import check_same_shape
from tests.draws import reseeded

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


BETWEEN = {
    "logits_mse": logits_mse,
    "cosine_distance": cosine_distance,
    "hidden_mse": lambda student, teacher: hidden_mse(
        student[None], teacher[None], torch.ones(1, 4)
    ),
    "hidden_cosine": lambda student, teacher: hidden_cosine(
        student[None], teacher[None], torch.ones(1, 4)
    ),
    "patience_loss": patience_loss,
    "attention_mse": lambda student, teacher: attention_mse(
        student[None, None], teacher[None, None], torch.ones(1, 4)
    ),
    "attention_cosine": lambda student, teacher: attention_cosine(
        student[None, None], teacher[None, None], torch.ones(1, 4)
    ),
}


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_losses_in_float32(name, dtype):
    torch.manual_seed(reseeded(0))
    student = torch.randn(4, 4).mul(100).to(dtype)
    teacher = (student + torch.randn(4, 4)).to(dtype)
    loss = BETWEEN[name](student, teacher)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        BETWEEN[name](student.float(), teacher.float()).item(), rel=1e-6
    )
