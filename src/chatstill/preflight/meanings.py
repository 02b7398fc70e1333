"""What was taken of labels and outputs that their names alone don't say, as lines of the plan."""

from transformers import PreTrainedModel

from ..models.label_columns import LabelMatch
from ..models.outputs import KEY as OUTPUT
from ..models.outputs import reading_of
from ..tasks.base import Task
from ..tasks.positive import KEY, why_no_f1


def meanings(task: Task, match: LabelMatch, teacher: PreTrainedModel | None) -> list[str]:
    """One line for each: unnamed outputs, a lone output, the class that counts, the form of label cells.

    Args:
        task: The task.
        match: Of the networks' outputs with its labels.
        teacher: None for a network that is fine-tuned.
    """
    lines = [match.note] if match.note else []
    if teacher is not None and match.objective in ("sigmoid", "regression"):
        what = _one_output(task, match, teacher)
        lines.append(f"the teacher's one output is read as {what} (to change it: {OUTPUT})")
    labels = task.labels
    if labels.positive is not None:
        lines.append(f"{labels.positive!r} is the class that counts (to change it: {KEY})")
    elif labels.kind == "classification" and len(labels.names) == 2 and labels.key:
        lines.append(f"f1 is left out: {why_no_f1(labels.names)}")
    return [*lines, task.label_form] if task.label_form else lines


def _one_output(task: Task, match: LabelMatch, teacher: PreTrainedModel) -> str:
    reading = reading_of(teacher)
    if match.objective == "sigmoid":
        return f"{'the probability' if reading else 'a logit'} of {task.labels.names[-1]!r}"
    if reading is None:
        return "a score on the labels' scale"
    what = "a logit" if reading.output == "logit" else "a share"
    return f"{what} of the range {reading.low:g} to {reading.high:g}"
