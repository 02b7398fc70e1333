"""What a run's file leaves out, settled once its networks and rows are known (``usual``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data.splits import lengths_of_network
from ..errors import Problem
from ..methods.base import by_loss
from ..models.networks import network
from ..models.own import READ, own_block
from ..models.readable import unreadable
from ..models.report import RANDOM_WEIGHTS
from ..train.launch import world_size
from .networks import CUT, STARTS_AT_RANDOM
from .usual_values import (
    MANY_ROWS,
    Start,
    count_rows,
    far_values,
    usual_values,
    width_of,
    with_usual,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from ..config.schema import RunConfig
    from ..methods.base import Method
    from .rows import RunRows

Settled = dict[str, tuple[object, str]]


def settle(
    config: RunConfig, rows: RunRows, student: PreTrainedModel, start: Start
) -> tuple[RunConfig, Settled, list[Problem]]:
    """Learning rate, epochs and warm-up, where the file leaves them out.

    Args:
        config: As it was read.
        rows: The run's.
        student: The network that is trained.
        start: What it starts from.

    Returns:
        The configuration, what was settled, and warnings of values that lie far from the usual.
    """
    counted = count_rows(rows.as_written("train")) if config.max_steps <= 0 else MANY_ROWS
    batch = config.per_gpu_train_batch_size * world_size()
    accumulation = config.gradient_accumulation_steps
    ours = network(student.config.model_type)
    own = ours.rate if ours is not None else None
    width = width_of(student.config)
    read = own_block(student.config).get(READ)
    usual = usual_values(width, start, counted, batch, accumulation, own, read)
    far = far_values(config, usual)
    config, taken = with_usual(config, usual)
    lengths = lengths_of_network(config, student.config)
    why = "of a network that encodes each text alone"
    taken |= {key: (value, why) for key, value in lengths.items()}
    return config.model_copy(update=lengths), taken, far


def start_of(notes: Sequence[str], verb: str) -> Start:
    """What the trained network starts from, by what was noted when it was made."""
    if any(note.startswith((RANDOM_WEIGHTS, STARTS_AT_RANDOM)) for note in notes):
        return "random"
    return "copied" if verb == "distill" or any(n.startswith(CUT) for n in notes) else "whole"


def settle_kept(config: RunConfig, method: Method) -> tuple[RunConfig, Settled]:
    """``keep``: the best on dev, of a loss there only where patience goes by it; else the last."""
    if config.keep is not None:
        return config, {}
    keep, why = "last", "where nothing is selected on dev"
    if config.do_eval and method.trains_outputs:
        keep, why = "best", "where dev is scored"
    elif config.do_eval and config.patience is not None:
        keep, why = "best", "where patience goes by the loss on dev"
    return config.model_copy(update={"keep": keep}), {"keep": (keep, why)}


def problems_of(config: RunConfig, method: Method) -> list[Problem]:
    """What of a method, and of what it is to do, does not fit; before ``keep`` is settled."""
    found = [*method.problems(), *method.doubts(), *unreadable_of(method)]
    return [*found, *_check_selection(config, method)]


def unreadable_of(method: Method) -> list[Problem]:
    """What a method reads of its networks, in any phase, and they do not give."""
    return [
        problem
        for phase in method.phases()
        for role, needs in method.needs(phase).items()
        if (model := method.student if role == "student" else method.teacher_of(phase)) is not None
        for problem in unreadable(model, needs, role)
    ]


def _check_selection(config: RunConfig, method: Method) -> list[Problem]:
    """A metric of the task chooses nothing where the classifier is not trained."""
    by_metric = any(not by_loss(method, phase) for phase in method.phases())
    if by_metric or config.selection_metric is None:
        return []
    message = (
        "has no effect: no term trains the classifier, so the method's own loss on dev selects"
    )
    return [
        Problem(
            "selection_metric",
            message,
            "Leave it out.",
            "warning",
            code="run.no-term-trains-the-classifier",
        )
    ]
