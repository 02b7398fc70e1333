"""Broken networks and knobs that train nothing are told before training."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from chatstill.errors import UserError
from tests.found import codes, refused

SOFT = {"feature": "logits", "loss": "kl"}


def spoiled(folder, name, value):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors[name].view(-1)[0] = value
    save_file(tensors, path, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_teacher_with_one_broken_weight_is_refused(run, copy_of, value, allowed):
    teacher = spoiled(copy_of(), "classifier.weight", value)
    with pytest.raises(UserError) as told:
        run(teacher=teacher, allow_weak_teacher=allowed)
    text = str(told.value)
    assert "the teacher's weights hold numbers that are not finite: classifier.weight (1 of" in text
    assert "learning_rate" not in text


def test_a_teacher_whose_finite_weights_overflow_is_refused(run, copy_of):
    teacher = spoiled(copy_of(), "bert.pooler.dense.bias", 0.0)
    tensors = load_file(teacher / "model.safetensors")
    tensors["classifier.weight"].fill_(torch.finfo(torch.float32).max)
    tensors["bert.pooler.dense.bias"].fill_(
        20.0
    )  # pooled values of 1: their sum overflows in any order
    save_file(tensors, teacher / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError) as told:
        run("check", teacher=teacher, allow_weak_teacher=True)
    assert "teacher.scores-not-finite" in codes(told)


def test_a_student_that_starts_broken_is_refused(run, copy_of):
    start = spoiled(copy_of(), "classifier.bias", float("nan"))
    student = {"model_name_or_path": str(start)}
    with refused("weights.not-finite", "student's"):
        run("check", model_type="KD", theseus_scheduler=None, student_architectures=student)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ({**SOFT, "temperature": 1e-30}, "warning: term odd: temperature 1e-30"),
        (
            {"feature": "attention_scores", "loss": "mse", "zero_below": 1e30},
            "warning: term odd: zero_below 1e+30",
        ),
    ],
)
def test_knobs_that_train_nothing_are_warned_of_in_the_plan(run, term, words):
    terms = {"odd": term}
    said = run("check", model_type="KD", theseus_scheduler=None, distillation={"terms": terms}).text
    assert words in said and said.count("term odd:") == 1


def test_a_replacing_rate_that_replaces_nothing(run):
    scheduler = {"replacing_rate": 1e-30, "scheduler_type": "constant"}
    said = run("check", theseus_scheduler=scheduler).text
    assert "1e-30 replaces hardly any module" in said


def test_a_term_that_overflows_is_an_error_before_training(run):
    terms = {"odd": {"feature": "logits", "loss": "mse", "temperature": 1e-30}}
    with pytest.raises(UserError) as told:
        run("check", model_type="KD", theseus_scheduler=None, distillation={"terms": terms})
    text = str(told.value)
    assert "the loss is not finite in a trial" in text and "The term 'odd' is not finite" in text
    assert "learning_rate" not in text
