"""What is said of the kept network in figures, report and card, beside its figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.class_weights import class_weights
from ..data.views import View
from ..evaluate.learnt import learnt_nothing, loss_without_knowledge
from ..report.history import read_history
from ..train.ending import kept_early
from .job import Job
from .phase_rows import Views
from .train import Trained

GOLD = "term/task"  # of fine-tuning


def remarks_of(job: Job, trained: Trained) -> list[str]:
    """Where the run was ended, and what it means for the kept network where its weights are from."""
    if trained.ended is not None:
        return [trained.ended.text, *trained.ended.warnings]
    config = job.config
    return kept_early(job.method, trained.phases, keep=config.keep or "last", seed=config.seed)


def learnt(job: Job, views: Views, folder: Path, trained: Trained) -> list[str]:
    """A warning where a network that was fine-tuned on gold labels learnt nothing from them."""
    if job.verb != "teach" or not isinstance(views.train, View):
        return []
    space, gold = job.task.labels, np.asarray(views.train.labels)
    weights = None
    if space.kind == "classification":
        weights = class_weights(job.config.class_weights, space, gold.astype(np.float64))
    without = loss_without_knowledge(gold, space.kind, weights)
    history = read_history(folder, [phase.steps for phase in trained.phases])
    losses = [value for _, value in history.curve(GOLD)]
    found = learnt_nothing(losses, without, job.config.rate)
    return [] if found is None else [found]
