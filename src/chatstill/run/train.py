"""Training a job: its views, its phases, its logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from ..data.splits import list_bad_rows, rows_folder
from ..data.views import View
from ..errors import Interrupted
from ..evaluate.scoring import score, weights_digest
from ..methods.base import Method
from ..models.heads import start_at_mean
from ..tasks.base import Split
from ..tasks.selection import check_selection, main_metric_of
from ..train.checkpoints import CheckpointStore
from ..train.control import Agreement
from ..train.device import device_of
from ..train.ending import Ended
from ..train.engine import Engine
from ..train.failures import failures
from ..train.launch import Gate, leave_group, rank, say, world_size
from ..train.phases import PhaseResult, num_steps, run_phases
from ..train.records import Records
from ..train.steps import ViewSteps
from ..train.stored_teacher import open_sources, settle
from .job import Job

if TYPE_CHECKING:
    from rich.console import Console

Outcome = TypeVar("Outcome")


@dataclass
class Views:
    """The tokenised splits of a run."""

    train: View
    dev: View


@dataclass
class Trained:
    """What training ended with.

    Attributes:
        phases: Results by phase.
        scores: The kept network's scores on dev, (N, C).
        teacher_scores: The teacher's, None without one.
        train_scores: The teacher's on train, None unless ``label_noise`` asks for them.
        ended: Where it was ended before its time.
    """

    phases: list[PhaseResult]
    scores: np.ndarray | None
    teacher_scores: np.ndarray | None
    train_scores: np.ndarray | None = None
    ended: Ended | None = None


def prepare_views(job: Job, folder: Path, console: Console, *, trains: bool = True) -> Views:
    """Tokenises once; other processes, and a run that goes on, find it done.

    Raises:
        UserError: a row without a label where the method needs it; the metric that selects has no value.
    """
    cache = rows_folder(job.config, folder)
    if rank() == 0:
        job.kept.write(cache, folder)
    views = Views(*(_prepare(job, split, cache, folder, console) for split in ("train", "dev")))
    for split, view in (("train", views.train), ("dev", views.dev)):
        if not view.has_labels:
            say(f"{split}: {view.num_labelled:,} of {len(view):,} rows have a label")
        cut = f"{100 * view.cut_share:.1f} % of rows cut"
        say(f"{split}: {len(view):,} rows, longest {int(view.lengths.max())} tokens, {cut}")
    if rank() == 0:
        list_bad_rows({"train": views.train, "dev": views.dev}, folder)
    check_selection(job.task, np.asarray(views.dev.labels), views.dev.groups)
    if rank() == 0 and trains:
        settle(job, views.train, folder)
    return views


def _prepare(job: Job, split: Split, cache: Path, folder: Path, console: Console) -> View:
    with console.status(f"tokenising {split}") as status:

        def show(rows: int) -> None:
            status.update(f"tokenising {split}: {rows:,} rows")

        user = folder if rank() == 0 else None
        return job.rows.view(split, job.reader.encoders, cache, show, user)


def train_job(
    job: Job, views: Views, folder: Path, store: CheckpointStore, gate: Gate, console: Console
) -> Trained:
    """Runs the phases, then scores the kept network and the teacher on dev.

    Raises:
        Interrupted: asked to stop by a signal.
        RunFailure: NaN, full disk, out of memory.
    """
    if job.match.objective == "regression":
        if (mean := start_at_mean(job.method.student, views.train.labels)) is not None:
            say(f"train: the new head starts at the mean of the scores, {mean:.3g}")
    newest, _ = store.newest()
    begun = 0 if newest is None else newest.phase + newest.done
    sources = open_sources(job, views.train, folder, console, first_phase=begun)
    device = device_of(job.config)
    job.method.prepare(lambda: _in_order(job, views.train), folder / "cache", device)
    records, scores = Records(folder), DevScores(job, views.dev)
    data = {"train": ViewSteps(views.train, job.reader.batch, job.config)}
    tokens = job.reader.tokens(views.train) if device.type == "cpu" else None
    engine = Engine(
        config=job.config,
        folder=folder,
        store=store,
        data=data,
        on_log=records.add,
        evaluate=scores.metrics,
        sources=sources,
        tokens=tokens,
        console=console,
    )
    return run_engine(
        job.method, engine, records, gate, lambda phases: scored(job, views, phases, scores)
    )


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
        if engine.stop.signal_number:  # it came while the last phase was saved
            raise Interrupted(engine.stop.signal_number)
        # From here on a signal ends the run at once: the trained weights are saved.
        with failures(engine.store):
            if rank() == 0:
                gate.remove()
            return score(results)
    finally:
        records.close()
        leave_group()


def _in_order(job: Job, view: View) -> Iterator[dict[str, torch.Tensor]]:
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
    job: Job, views: Views, phases: list[PhaseResult], scores: DevScores | None = None
) -> Trained:
    """What training ended with, the kept network and the teacher scored where ``do_eval`` asks for it."""
    if not job.config.do_eval:
        return Trained(phases, None, None)
    student = (scores or DevScores(job, views.dev)).scores()
    if job.teacher is None:
        return Trained(phases, student, None)
    teacher = job.teacher_scores if world_size() == 1 else None
    if teacher is None:
        teacher = score_view(job, views.dev, job.teacher)
    train = score_view(job, views.train, job.teacher) if "train" in job.config.label_noise else None
    return Trained(phases, student, teacher, train)


class DevScores:
    """The kept network on dev; the same weights are not scored twice in a row."""

    def __init__(self, job: Job, dev: View) -> None:
        self.job, self.dev = job, dev
        self._last: tuple[bytes, np.ndarray] | None = None

    def metrics(self) -> tuple[float, dict[str, float]]:
        """Main metric and all metrics."""
        task = self.job.task
        metrics = task.metrics(self.scores(), np.asarray(self.dev.labels), self.dev.groups)
        return metrics[main_metric_of(task, metrics)], metrics

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
