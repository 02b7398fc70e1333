"""What a teacher's outputs mean: logits, probabilities, or scores on the labels' scale.

A lone output may be any of them, and networks do not say which. Everything here takes logits of classes
and scores on the labels' scale, so other outputs are turned into these where they are read.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..errors import Problem, UserError
from ..tasks.base import Objective
from .custom import own_type

Output = Literal["logit", "probability", "score"]
KEY, RANGE = "teacher_output", "teacher_output_range"
_NAME = "_chatstill_output"
_SMALL = 1e-7  # the least probability: its logit is -16


@dataclass(frozen=True)
class OutputReading:
    """How outputs are turned into what the task compares.

    Attributes:
        output: What they are.
        objective: What the task needs.
        low: The label that a probability of 0 stands for, of a regression.
        high: That of 1.
    """

    output: Output
    objective: Objective
    low: float = 0.0
    high: float = 1.0

    def __call__(self, outputs: Tensor) -> Tensor:
        """Logits, or scores on the labels' scale, of outputs (…, C)."""
        if self.objective == "regression":
            share = torch.sigmoid(outputs.float()) if self.output == "logit" else outputs.float()
            return self.low + (self.high - self.low) * share
        share = outputs.float().clamp(_SMALL, 1 - _SMALL)
        return share.log() if self.objective == "cross_entropy" else torch.logit(share)


def output_reading(
    output: Output | None,
    between: tuple[float, float] | None,
    objective: Objective,
    bounds: tuple[float, float] | None,
) -> OutputReading | None:
    """How a teacher's outputs become what the task compares; None if they are that already.

    Args:
        output: ``teacher_output``; None takes logits of classes, and scores of a regression.
        between: ``teacher_output_range``: the labels that probabilities of 0 and 1 stand for.
        objective: How the teacher answers the task.
        bounds: The task's own lowest and highest score, where it has some.

    Raises:
        UserError: a meaning that the task's outputs cannot have, or a range that is missing or unused.
    """
    regression = objective == "regression"
    turned = output in ("logit", "probability") if regression else output == "probability"
    if output == "score" and not regression:
        message = "is 'score', and this task has classes: a score alone says nothing of a threshold"
        raise UserError(
            Problem(
                KEY, message, 'Write "logit" or "probability".', code="outputs.score-with-classes"
            )
        )
    if not (turned and regression):
        if between is not None:
            message = "has no effect: only a regression's teacher that gives logits or probabilities has one"
            raise UserError(
                Problem(RANGE, message, "Leave it out.", code="outputs.range-without-effect")
            )
        return OutputReading("probability", objective) if turned else None
    low, high = between or bounds or (0.0, 0.0)
    if not low < high:
        message = f"{KEY} is {output!r}, and nothing says which labels 0 and 1 stand for"
        hint = f'Give the lowest and the highest label, such as "{RANGE}": [0, 5].'
        raise UserError(Problem(RANGE, message, hint, code="outputs.range-needed"))
    assert output is not None
    return OutputReading(output, objective, low, high)


def set_reading(model: PreTrainedModel, reading: OutputReading | None) -> None:
    """Notes at a network how its outputs are read."""
    object.__setattr__(model, _NAME, reading)


def reading_of(model: PreTrainedModel) -> OutputReading | None:
    """How a network's outputs are read; None: as they are."""
    found = getattr(model, _NAME, None)
    return found if isinstance(found, OutputReading) else None


def as_read(model: PreTrainedModel, outputs: Tensor) -> Tensor:
    """A network's outputs as logits, or as scores on the labels' scale."""
    reading = reading_of(model)
    return outputs if reading is None else reading(outputs)


def same_class_problems(student: PreTrainedModel, teacher: PreTrainedModel) -> list[Problem]:
    """A student of the class of a user's own that gives probabilities would give them too.

    Its losses read logits, which a linear layer of transformers' own networks can learn to give.
    """
    reading = reading_of(teacher)
    of_plugin = own_type(teacher.config.model_type) is not None
    if reading is None or reading.output != "probability" or not of_plugin:
        return []
    if type(student) is not type(teacher) or reading.objective == "regression":
        return []
    message = (
        f"is 'probability', and the student is of the teacher's class {type(teacher).__name__}: its "
        "outputs would be probabilities too, where the losses need logits"
    )
    return [
        Problem(
            KEY,
            message,
            "Let the class give logits, or name another student.",
            code="outputs.probability-of-one-class",
        )
    ]
