"""Training a job: its views, its phases, its logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainingArguments

from ..data.splits import list_bad_rows
from ..data.views import View
from ..errors import Interrupted
from ..evaluate.scoring import score, weights_digest
from ..methods.base import Phase
from ..models.heads import start_at_mean
from ..preflight.run_cost import batch_text, phase_steps
from ..tasks.base import Split
from ..tasks.selection import check_selection, main_metric_of
from ..train.arguments import training_arguments
from ..train.checkpoints import CheckpointStore
from ..train.control import Agreement, StopRequest
from ..train.device import device_of
from ..train.ending import Ended
from ..train.failures import failures
from ..train.launch import Gate, leave_group, rank, world_size
from ..train.phases import Engine, PhaseResult, num_steps, run_phases
from ..train.precision import precision_of
from ..train.progress import ProgressDisplay
from ..train.records import Records
from ..train.settings import PhaseSettings, Steps
from ..train.steps import ViewSteps
from ..train.stored_teacher import open_sources, settle
from .job import Job

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("chatstill")


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
    cache = Path(job.config.cache_dir) / "views" if job.config.cache_dir else folder / "cache"
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
        steps = {p.name: phase_steps(job, p, len(views.train)) for p in job.method.phases()}
        passes = {name: total / per_epoch for name, (total, per_epoch) in steps.items()}
        settle(job, views.train, folder, passes)
    return views


def _prepare(job: Job, split: Split, cache: Path, folder: Path, console: Console) -> View:
    with console.status(f"tokenising {split}") as status:

        def show(rows: int) -> None:
            status.update(f"tokenising {split}: {rows:,} rows")

        return job.view(split, cache, show, user=folder if rank() == 0 else None)


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
    run = _Run(job, views, folder, console)
    engine = run.engine(store)
    engine.source_for = lambda phase: sources.get(phase.name)
    engine.tokens_for = lambda phase: job.tokens(views.train)
    if rank() == 0:
        run.open_records(store)
    try:
        with engine.stop.listening(), failures(store):
            results = run_phases(job.method, engine)
        if engine.stop.signal_number:  # it came while the last phase was saved
            raise Interrupted(engine.stop.signal_number)
        # From here on a signal ends the run at once: the trained weights are saved.
        with failures(store):
            if rank() == 0:
                gate.remove()
            return scored(job, views, results, run.dev_scores)
    finally:
        run.records.close()
        leave_group()


def scored(
    job: Job,
    views: Views,
    phases: list[PhaseResult],
    dev_scores: Callable[[], np.ndarray] | None = None,
) -> Trained:
    """What training ended with, the kept network and the teacher scored where ``do_eval`` asks for it."""
    if not job.config.do_eval:
        return Trained(phases, None, None)
    own = dev_scores() if dev_scores else score_dev(job, views.dev, job.method.kept())
    if job.teacher is None:
        return Trained(phases, own, None)
    theirs = job.teacher_scores if world_size() == 1 else None
    both = own, score_dev(job, views.dev, job.teacher) if theirs is None else theirs
    train = score_dev(job, views.train, job.teacher) if "train" in job.config.label_noise else None
    return Trained(phases, *both, train)


class _Run:
    """A job's answers to what the engine asks of each phase."""

    def __init__(self, job: Job, views: Views, folder: Path, console: Console) -> None:
        self.job, self.views, self.folder, self.console = job, views, folder, console
        self.records = Records(folder)
        self._last: tuple[bytes, np.ndarray] | None = None

    def engine(self, store: CheckpointStore) -> Engine:
        return Engine(
            store=store,
            steps_for=self.steps,
            arguments_for=self.arguments,
            settings_for=self.settings,
            evaluate_kept=self.evaluate,
            stop=StopRequest(),
            on_log=self.records.add,
            say=say,
            callbacks_for=self.callbacks,
        )

    def steps(self, phase: Phase) -> ViewSteps:
        config = self.job.config
        assert phase.data == "train", phase.data
        return ViewSteps(
            self.views.train,
            self.job.training_batch,
            batch_size=config.per_gpu_train_batch_size,
            accumulation=config.gradient_accumulation_steps,
            seed=config.seed,
            rank=rank(),
            world_size=world_size(),
        )

    def arguments(self, phase: Phase, total: int) -> TrainingArguments:
        config = self.job.config
        self.announce(phase, total)
        return training_arguments(
            phase,
            self.folder,
            batch_size=config.per_gpu_train_batch_size,
            accumulation=config.gradient_accumulation_steps,
            num_steps=total,
            learning_rate=config.rate,
            warmup_steps=config.warmup_steps,
            warmup_percentage=config.warmup_percentage,
            weight_decay=config.weight_decay,
            adam_epsilon=config.adam_epsilon,
            max_grad_norm=config.max_grad_norm,
            seed=config.seed,
            fp16=config.fp16,
            bf16=config.bf16,
            logging_steps=config.logging_steps,
            unused_parameters=self.job.method.unused_parameters,
            extra=dict(config.training_arguments),
        )

    def announce(self, phase: Phase, total: int) -> None:
        """One line of the log: what a phase does, with the whole batch size and the precision."""
        config = self.job.config
        precision = precision_of(fp16=config.fp16, bf16=config.bf16)
        batch = batch_text(config, len(self.views.train))
        where = f"{precision} on {device_of(config).type}"
        say(f"phase '{phase.name}': {total:,} steps; {batch}; {where}")

    def settings(self, index: int, steps_per_epoch: int) -> PhaseSettings:
        config = self.job.config
        needed = config.do_eval or config.keep == "best" or config.patience is not None
        needed &= self.job.method.trains_outputs
        return PhaseSettings(
            index=index,
            seed=config.seed,
            keep=config.keep or "last",
            patience=config.patience,
            eval_steps=(config.eval_steps or steps_per_epoch) if needed else 0,
            save_steps=config.save_steps,
        )

    def callbacks(self, index: int, phase: Phase, steps: Steps) -> list[TrainerCallback]:
        """The progress display, on the first process."""
        if rank() != 0:
            return []
        rows = steps.num_rows / steps.steps_per_epoch
        return [ProgressDisplay(self.console, phase, index, self.job.method, rows)]

    def evaluate(self) -> tuple[float, dict[str, float]]:
        """Main metric and all metrics of the kept network on dev."""
        task, dev = self.job.task, self.views.dev
        scores = self.dev_scores()
        metrics = task.metrics(scores, np.asarray(dev.labels), dev.groups)
        return metrics[main_metric_of(task, metrics)], metrics

    def dev_scores(self) -> np.ndarray:
        """The kept network's scores on dev; the same weights are not scored twice in a row."""
        kept = self.job.method.kept()
        digest = weights_digest(kept)
        if self._last is None or self._last[0] != digest:
            self._last = digest, score_dev(self.job, self.views.dev, kept)
        return self._last[1]

    def open_records(self, store: CheckpointStore) -> None:
        """Cuts the history back to the checkpoint that the run goes on from."""
        newest, _ = store.newest()
        before, total = {}, 0
        for index, phase in enumerate(self.job.method.phases()):
            before[index] = total
            total += num_steps(phase, self.steps(phase).steps_per_epoch)
        if newest is None:
            self.records.open(before, after=(0, 0))
        else:
            step = total if newest.done else newest.step
            self.records.open(before, after=(newest.phase, step))


def say(line: str) -> None:
    """A line of the log, from the first process."""
    if rank() == 0:
        log.info(line)


def score_dev(job: Job, view: View, model: Any) -> np.ndarray:
    """Scores of every row, dealt out over the processes; equal on all of them."""
    torch.nn.Module.to(model, device_of(job.config))
    agreement = Agreement()
    return score(
        model,
        view.as_teacher_reads if model is job.teacher else view,
        job.reader(model),
        batch_size=job.config.per_gpu_eval_batch_size,
        rank=rank() if agreement.active else 0,
        world_size=world_size() if agreement.active else 1,
        add_up=agreement.sum_array,
    )
