"""A student that stays far below its teacher: said, with what is likely to be the cause."""

from collections.abc import Mapping
from typing import Any

FAR = 0.5  # of the way from chance to the teacher
FEW_STEPS = 500
ACCURACIES = ("accuracy", "acc")


def chance_of(judged: Mapping[str, Any]) -> float:
    """What answers without any knowledge get in the main metric.

    Args:
        judged: ``dev`` or ``teacher`` of ``metrics.json``.
    """
    main, metrics = judged["main"], judged["metrics"]
    if f"random_{main}" in metrics:
        return float(metrics[f"random_{main}"])
    if main in ACCURACIES:
        rows = [row["rows"] for row in judged.get("classes", ())]
        return max(rows, default=0) / max(sum(rows), 1)
    return 0.5 if main == "auc" else 0.0


def gap_warning(
    student: Mapping[str, Any],
    teacher: Mapping[str, Any],
    *,
    at_random: bool,
    all_but: str = "",
    steps: int,
    learning_rate: float,
) -> list[str]:
    """A warning where the student is less than half as far above chance as its teacher.

    Args:
        student: ``dev`` of ``metrics.json``.
        teacher: ``teacher`` of it.
        at_random: Whether the student started from random weights.
        all_but: The part of it that did not all the same; empty where none.
        steps: Optimizer steps in all.
        learning_rate: The highest.

    Returns:
        One text, or none; none too where the interval of the student reaches the teacher's value, or where
        a lower value is better.
    """
    if student.get("lower_is_better"):  # what is chance is not known of an error
        return []
    value, best, chance = student["value"], teacher["value"], chance_of(teacher)
    high = (student.get("interval") or (None, value))[1]
    if best <= chance or value - chance >= FAR * (best - chance) or high >= best:
        return []
    causes = []
    if at_random:
        what = f"all of it but {all_but}" if all_but else "it"
        causes.append(f"{what} started from random weights, which need many more rows and steps")
    if steps < FEW_STEPS:
        causes.append(f"it learnt for {steps:,} steps")
    causes.append(f"its learning rate was {learning_rate:g}: try five times that, and a fifth")
    likely = "; ".join(causes)
    text = (
        f"the student stays far below its teacher ({student['main']} {value:.3f} against {best:.3f}"
    )
    return [f"{text}; chance is {chance:.3f}). Likely causes: {likely}"]
