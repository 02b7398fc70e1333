"""What is not finite is told by side and term; the learning rate is blamed only where all else is sound."""

import pytest
import torch

from chatstill.errors import RunFailure
from chatstill.preflight.timed_steps import rehearse
from chatstill.preflight.trial import trial_problems
from chatstill.train.phases import run_phases
from tests.draws import reseeded

from .conftest import ToySteps, build_engine, build_method

BROKEN = float("inf")


class Breaking(ToySteps):
    """Breaks a weight before a step is made."""

    def __init__(self, weight, at, **values):
        super().__init__(**values)
        self.weight, self.at = weight, at

    def start(self, step, num_steps=0):
        for number, item in enumerate(super().start(step), step):
            if number == self.at:
                with torch.no_grad():
                    self.weight.view(-1)[0] = BROKEN
            yield item


def failure(folder, method, weight=None, at=0, **args):
    steps = ToySteps() if weight is None else Breaking(weight, at)
    with pytest.raises(RunFailure) as told:
        run_phases(method, build_engine(folder, steps, args=args))
    return str(told.value)


def test_the_teacher(tmp_path):
    method = build_method("matches", task_ce=1, hidden_mse=1)
    text = failure(tmp_path, method, method.teacher.bert.encoder.layer[3].output.dense.bias, at=3)
    assert "step 4" in text and "The teacher's logits, states of layer 4 are not finite" in text
    assert "learning_rate" not in text


def test_the_student_after_some_steps(tmp_path):
    method = build_method("matches", task_ce=1)
    text = failure(tmp_path, method, method.student.classifier.bias, at=3)
    assert "step 4" in text and "The student's weights" in text and "classifier.bias" in text
    assert "Lower learning_rate" in text and "The last good checkpoint stands" in text


def test_the_student_from_the_start(tmp_path):
    """No step was trained: no learning rate can be at fault, and no checkpoint stands."""
    method = build_method("matches", task_ce=1)
    text = failure(tmp_path, method, method.student.classifier.bias, at=0)
    assert "step 1" in text and "from the start" in text
    assert "learning_rate" not in text and "There is no checkpoint yet" in text


def test_a_term(tmp_path):
    terms = {"loud": {"feature": "logits", "loss": "mse", "weight": 1e38, "temperature": 1e-3}}
    text = failure(tmp_path, build_method("matches", terms=terms, task_cros=1))
    assert "The term 'loud' is not finite, though both sides that are compared are" in text
    assert "weight 1e+38" in text and "learning_rate" not in text


def test_steps_that_are_too_large(tmp_path):
    text = failure(tmp_path, build_method("finetune"), learning_rate=1e38, warmup_steps=0)
    assert "Lower learning_rate" in text


def trial(method, **knobs):
    batches = [micro[0] for _, (_, micro) in zip(range(2), ToySteps().start(0), strict=False)]
    found = rehearse(method, batches, torch.device("cpu"), seed=reseeded(1), num_steps=4)
    return trial_problems(found, precision="float32", doubts=method.doubts(), **knobs)


def test_a_trial_tells_it_before_training():
    method = build_method("matches", task_ce=1)
    assert trial(method) == []
    with torch.no_grad():
        method.teacher.bert.embeddings.word_embeddings.weight.fill_(BROKEN)
    (problem,) = trial(method)
    assert problem.severity == "error" and "The teacher's logits are not finite" in problem.hint


def test_a_term_that_is_0_throughout_is_told_once():
    terms = {"mute": {"feature": "attention_scores", "loss": "mse", "zero_below": 1e30}}
    method = build_method("matches", terms=terms, task_cros=1)
    (problem,) = trial(method)
    assert problem.severity == "warning"
    assert str(problem).startswith("term mute: is 0 in a trial of 3 steps")
    assert trial(method, told=["mute"]) == []


def test_no_gradient_at_all():
    terms = {"far": {"feature": "logits", "loss": "cross_entropy", "temperature": 1e30}}
    terms["far"]["temperature_squared"] = False
    method = build_method("matches", terms=terms)
    (problem,) = trial(method)
    assert problem.code == "training.no-gradient"
