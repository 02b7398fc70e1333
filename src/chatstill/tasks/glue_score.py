"""GLUE's overall score, the mean over its tasks, and which of its parts are missing."""

from collections.abc import Mapping
from dataclasses import dataclass

# A task with several metrics counts as their mean. AX is a diagnosis and no part of the score.
PARTS: dict[str, tuple[str, ...]] = {
    "cola": ("mcc",),
    "sst2": ("acc",),
    "mrpc": ("f1", "acc"),
    "stsb": ("pearson", "spearmanr"),
    "qqp": ("f1", "acc"),
    "mnli": ("mnli/acc", "mnli-mm/acc"),
    "qnli": ("acc",),
    "rte": ("acc",),
    "wnli": ("acc",),
}
DIAGNOSTIC: dict[str, tuple[str, ...]] = {"ax": ("mcc",)}


@dataclass(frozen=True)
class GlueScore:
    """Scores as fractions (0.8, not 80).

    Attributes:
        tasks: The value of each task that has one, in GLUE's order.
        missing: Tasks, or metrics of tasks, that the overall score lacks.
        mean: Over the tasks that are there; None without any.
        overall: The same if nothing is missing, else None.
    """

    tasks: dict[str, float]
    missing: list[str]
    mean: float | None
    overall: float | None


def task_score(task: str, metrics: Mapping[str, float]) -> float:
    """The mean of a task's official metrics.

    Raises:
        KeyError: no task of GLUE, or a metric that is not there.
    """
    names = (PARTS | DIAGNOSTIC)[task]
    return sum(metrics[name] for name in names) / len(names)


def glue_score(results: Mapping[str, Mapping[str, float]]) -> GlueScore:
    """The overall score of metrics by task.

    Args:
        results: Metrics by task name, as ``Task.metrics`` gives them. AX and tasks that are none of
            GLUE's are passed over.
    """
    tasks, missing = {}, []
    for task, names in PARTS.items():
        lacking = [name for name in names if name not in results.get(task, {})]
        if task not in results:
            missing.append(task)
        elif lacking:
            missing.append(f"{task} ({', '.join(lacking)})")
        else:
            tasks[task] = task_score(task, results[task])
    mean = sum(tasks.values()) / len(tasks) if tasks else None
    return GlueScore(tasks, missing, mean, None if missing else mean)
