"""Training a job: its views, its phases, its logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from ..data.blocks import Blocks
from ..data.views import View
from ..errors import Interrupted
from ..evaluate.scoring import score, weights_digest
from ..methods.base import Method
from ..models.heads import start_at_mean
from ..tasks.selection import selecting_value, selects_by_lowest
from ..train.checkpoints import CheckpointStore
from ..train.control import Agreement
from ..train.device import device_of
from ..train.ending import Ended
from ..train.engine import Engine
from ..train.failures import failures
from ..train.frozen_states import open_states
from ..train.launch import Gate, leave_group, rank, say, world_size
from ..train.phases import PhaseResult, num_steps, run_phases
from ..train.records import Records
from ..train.steps import ViewSteps
from ..train.stored_teacher import open_sources
from .job import Job
from .own_loss import DevLoss
from .phase_rows import Views

if TYPE_CHECKING:
    from rich.console import Console

Outcome = TypeVar("Outcome")


@dataclass
class Trained:
    """What training ended with.

    Attributes:
        phases: Results by phase.
        scores: The kept network's scores on dev, (N, C).
        teacher_scores: The teacher's, None without one.
        train_scores: The teacher's on train, None unless ``label_noise`` asks for them.
        ended: Where it was ended before its time.
        loss: The method's own on dev and its terms, where no classifier was trained: ``scores`` is None then.
    """

    phases: list[PhaseResult]
    scores: np.ndarray | None
    teacher_scores: np.ndarray | None
    train_scores: np.ndarray | None = None
    ended: Ended | None = None
    loss: dict[str, float] | None = None


def train_job(
    job: Job, views: Views, folder: Path, store: CheckpointStore, gate: Gate, console: Console
) -> Trained:
    """Runs the phases, then scores the kept network and the teacher on dev.

    Raises:
        Interrupted: asked to stop by a signal.
        RunFailure: NaN, full disk, out of memory.
    """
    if views.train is not None:
        _fit_to_labels(job, views.train)
    newest, _ = store.newest()
    begun = 0 if newest is None else newest.phase + newest.done
    rows = {kind: part.train for kind, part in views.parts.items()}
    sources = open_sources(job, rows, folder, console, first_phase=begun)
    states = open_states(job, rows, folder, console, views.texts, first_phase=begun)
    views.texts = None  # read
    device = device_of(job.config)
    job.method.prepare(lambda: _in_order(job, views.first), folder / "cache", device)
    records, scores = Records(folder), DevScores(job, views.dev)
    loss = dev_loss(job, views)
    data = {kind: ViewSteps(some, job.reader.batch, job.config) for kind, some in rows.items()}
    on_cpu = device.type == "cpu"
    tokens = {kind: job.reader.tokens(some) for kind, some in rows.items() if on_cpu}
    engine = Engine(
        config=job.config,
        folder=folder,
        store=store,
        data=data,
        on_log=records.add,
        evaluate=scores.metrics,
        lower_is_better=selects_by_lowest(job.task, np.asarray(views.dev.labels), views.dev.groups),
        own_loss=loss.metrics,
        sources=sources,
        tokens=tokens,
        states=states,
        console=console,
    )
    return run_engine(
        job.method, engine, records, gate, lambda phases: scored(job, views, phases, scores, loss)
    )


def dev_loss(job: Job, views: Views) -> DevLoss:
    """What tells the best weights of phases that train no classifier."""
    return DevLoss(job.method, job.config, lambda data: (views.held_out(data), job.reader.batch))


def run_engine(
    method: Method,
    engine: Engine,
    records: Records,
    gate: Gate,
    score: Callable[[list[PhaseResult]], Outcome],
) -> Outcome:
    """Runs all phases, and scores what they ended with; the same for every level.

    Args:
        method: What is trained.
        engine: With all that its phases need.
        records: Of the log; closed at the end.
        gate: Of other processes.
        score: What training ended with, of the phases' results.

    Raises:
        Interrupted: asked to stop by a signal.
        RunFailure: NaN, full disk, out of memory.
    """
    if rank() == 0:
        _open_records(records, method, engine)
    try:
        with engine.stop.listening(), failures(engine.store):
            results = run_phases(method, engine)
        # It may have come while the last phase was saved, and to one machine alone.
        (signalled,) = Agreement().largest([float(engine.stop.signal_number)])
        if signalled:
            raise Interrupted(int(signalled))
        # From here on a signal ends the run at once: the trained weights are saved.
        with failures(engine.store):
            if rank() == 0:
                gate.remove()
            return score(results)
    finally:
        records.close()
        leave_group()


def _fit_to_labels(job: Job, rows: View) -> None:
    """What the training rows' labels decide: weights of classes, and where a new regression head starts."""
    if job.reader.weights is not None:
        if told := job.reader.weights.fit(rows):
            say(f"train: weights of the classes: {told}")
    if job.match.objective == "regression":
        if (mean := start_at_mean(job.method.student, rows.labels)) is not None:
            say(f"train: the new head starts at the mean of the scores, {mean:.3g}")


def _in_order(job: Job, view: View | Blocks) -> Iterator[dict[str, torch.Tensor]]:
    """Padded batches of a view's rows in their order."""
    for start in range(0, len(view), 64):
        yield job.reader.batch(view, np.arange(start, min(start + 64, len(view))))


def _open_records(records: Records, method: Method, engine: Engine) -> None:
    """Cuts the history back to the checkpoint that the run goes on from."""
    newest, _ = engine.store.newest()
    before, total = {}, 0
    for index, phase in enumerate(method.phases()):
        before[index] = total
        total += num_steps(phase, engine.data[phase.data].steps_per_epoch)
    if newest is None:
        records.open(before, after=(0, 0))
    else:
        step = total if newest.done else newest.step
        records.open(before, after=(newest.phase, step))


def scored(
    job: Job,
    views: Views,
    phases: list[PhaseResult],
    scores: DevScores | None = None,
    loss: DevLoss | None = None,
) -> Trained:
    """What training ended with, the kept network and the teacher scored where ``do_eval`` asks for it.

    Of a method that trains no classifier the figure is its own loss in the last phase that was trained; the
    teacher is scored for ``label_noise`` alone.
    """
    config = job.config
    if not config.do_eval:
        return Trained(phases, None, None)
    if job.method.trains_outputs:
        found = Trained(phases, (scores or DevScores(job, views.dev)).scores(), None)
        with_teacher = True
    else:
        figures = (loss or dev_loss(job, views)).metrics(len(phases) - 1)[1]
        found = Trained(phases, None, None, loss=figures)
        with_teacher = "dev" in config.label_noise
    if job.teacher is None:
        return found
    if with_teacher:
        known = job.teacher_scores if world_size() == 1 else None
        teacher = score_view(job, views.dev, job.teacher) if known is None else known
        found = replace(found, teacher_scores=teacher)
    if "train" in config.label_noise and views.train is not None:
        found = replace(found, train_scores=score_view(job, views.train, job.teacher))
    return found


class DevScores:
    """The kept network on dev; the same weights are not scored twice in a row."""

    def __init__(self, job: Job, dev: View) -> None:
        self.job, self.dev = job, dev
        self._last: tuple[bytes, np.ndarray] | None = None

    def metrics(self) -> tuple[float, dict[str, float]]:
        """Main metric and all metrics."""
        task = self.job.task
        labels = np.asarray(self.dev.labels)
        metrics = task.metrics(self.scores(), labels, self.dev.groups)
        return selecting_value(task, metrics, labels, self.dev.groups), metrics

    def scores(self) -> np.ndarray:
        """Scores of every row, (N, C)."""
        kept = self.job.method.kept()
        digest = weights_digest(kept)
        if self._last is None or self._last[0] != digest:
            self._last = digest, score_view(self.job, self.dev, kept)
        return self._last[1]


def score_view(job: Job, view: View, model: Any) -> np.ndarray:
    """Scores of every row, dealt out over the processes; equal on all of them."""
    torch.nn.Module.to(model, device_of(job.config))
    agreement = Agreement()
    return score(
        model,
        view.as_teacher_reads if model is job.teacher else view,
        job.reader.of(model),
        batch_size=job.config.per_gpu_eval_batch_size,
        rank=rank() if agreement.active else 0,
        world_size=world_size() if agreement.active else 1,
        add_up=agreement.sum_array,
    )
