"""Training a job: its views, its phases, its logs."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist
from transformers import TrainerCallback

from .data.views import View
from .errors import RunFailure, UserError
from .evaluate.scoring import score
from .job import Job
from .methods.base import Phase
from .train.arguments import training_arguments
from .train.checkpoints import CheckpointStore
from .train.control import Agreement, StopRequest
from .train.launch import Gate, rank, world_size
from .train.phases import Engine, PhaseResult, num_steps, run_phases
from .train.progress import ProgressDisplay
from .train.steps import ViewSteps
from .train.trainer import PhaseSettings

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
        seconds: Of training in this process's life.
    """

    phases: list[PhaseResult]
    scores: np.ndarray | None
    teacher_scores: np.ndarray | None


def prepare_views(job: Job, folder: Path, console: Console) -> Views:
    """Tokenises once; other processes, and a run that goes on, find it done."""
    cache = Path(job.config.cache_dir) / "views" if job.config.cache_dir else folder / "cache"
    found = {}
    for split in ("train", "dev"):
        with console.status(f"tokenising {split}") as status:
            found[split] = job.view(
                split,  # type: ignore[arg-type]
                cache,
                lambda rows, status=status, split=split: status.update(
                    f"tokenising {split}: {rows:,} rows"
                ),
            )
        view = found[split]
        if rank() == 0:
            log.info(
                "%s: %s rows, longest %d tokens, %.1f %% of rows cut",
                split,
                f"{len(view):,}",
                int(view.lengths.max()),
                100 * view.cut_share,
            )
    if found["train"].has_labels is False or found["dev"].has_labels is False:
        raise UserError("rows without a label in train or dev: this method needs every label")
    return Views(found["train"], found["dev"])


class _Records:
    """``history.jsonl`` and TensorBoard: every log record of the run, cut back where it goes on."""

    def __init__(self, folder: Path) -> None:
        self.path, self.folder = folder / "history.jsonl", folder / "tensorboard"
        self._file: IO[str] | None = None
        self._writer: Any = None
        self._steps_before: dict[int, int] = {}

    def cut_back(self, phase: int, step: int) -> None:
        """Drops records after the checkpoint that the run goes on from."""
        if not self.path.is_file():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _position(line) <= (phase, step)]
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def open(self, steps_before: dict[int, int], purge_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._steps_before = steps_before
        self._file = open(self.path, "a", encoding="utf-8")
        self._writer = SummaryWriter(str(self.folder), purge_step=purge_step or None)

    def add(self, record: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()
        step = record["step"] + self._steps_before[record["phase_index"]]
        for name, value in record.items():
            if isinstance(value, int | float) and name not in ("step", "phase_index"):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._writer is not None:
            self._writer.close()


def _position(line: str) -> tuple[int, int]:
    try:
        record = json.loads(line)
        return int(record["phase_index"]), int(record["step"])
    except (ValueError, KeyError, TypeError):
        return (1 << 30, 0)  # a line cut short by a kill


def train_job(
    job: Job, views: Views, folder: Path, store: CheckpointStore, gate: Gate, console: Console
) -> Trained:
    """Runs the phases, then scores the kept network and the teacher on dev.

    Raises:
        Interrupted: asked to stop by a signal.
        RunFailure: NaN, full disk, out of memory.
    """
    config = job.config
    records, stop = _Records(folder), StopRequest()
    method = job.method
    sources = {phase.data: views.train for phase in method.phases()}

    def steps_for(phase: Phase) -> ViewSteps:
        return ViewSteps(
            sources[phase.data],
            job.reader(job.student).batch_of,
            batch_size=config.per_gpu_train_batch_size,
            accumulation=config.gradient_accumulation_steps,
            seed=config.seed,
            rank=rank(),
            world_size=world_size(),
        )

    def arguments_for(phase: Phase, total: int) -> Any:
        return training_arguments(
            phase,
            folder,
            batch_size=config.per_gpu_train_batch_size,
            accumulation=config.gradient_accumulation_steps,
            num_steps=total,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup_steps,
            warmup_percentage=config.warmup_percentage,
            weight_decay=config.weight_decay,
            adam_epsilon=config.adam_epsilon,
            max_grad_norm=config.max_grad_norm,
            seed=config.seed,
            fp16=config.fp16,
            bf16=config.bf16,
            logging_steps=config.logging_steps,
            extra=dict(config.training_arguments),
        )

    def settings_for(index: int, steps_per_epoch: int) -> PhaseSettings:
        wanted = config.eval_steps or steps_per_epoch
        needed = config.do_eval or config.keep == "best" or config.patience is not None
        return PhaseSettings(
            index=index,
            seed=config.seed,
            keep=config.keep,
            patience=config.patience,
            eval_steps=wanted if needed else 0,
            save_steps=config.save_steps,
        )

    def callbacks_for(index: int, phase: Phase, steps: ViewSteps) -> list[TrainerCallback]:
        if rank() != 0:
            return []
        return [ProgressDisplay(console, phase, index, method, steps.rows_per_step)]

    def evaluate_kept() -> tuple[float, dict[str, float]]:
        scores = score_dev(job, views.dev, method.kept())
        metrics = job.task.metrics(scores, np.asarray(views.dev.labels), views.dev.groups)
        return metrics[job.task.main_metric_of(metrics)], metrics

    def say(line: str) -> None:
        if rank() == 0:
            log.info(line)

    engine = Engine(
        store=store,
        steps_for=steps_for,
        arguments_for=arguments_for,
        settings_for=settings_for,
        evaluate_kept=evaluate_kept,
        stop=stop,
        on_log=records.add,
        say=say,
        callbacks_for=callbacks_for,
    )
    if rank() == 0:
        _open_records(records, store, method.phases(), steps_for)
    try:
        with stop.listening(), failures(store):
            results = run_phases(method, engine)
            if rank() == 0:
                gate.remove()
            scores = teacher_scores = None
            if config.do_eval:
                scores = score_dev(job, views.dev, method.kept())
                if job.teacher is not None:
                    teacher_scores = score_dev(job, views.dev, job.teacher)
    finally:
        records.close()
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
    return Trained(results, scores, teacher_scores)


def _open_records(
    records: _Records, store: CheckpointStore, phases: list[Phase], steps_for: Any
) -> None:
    newest, _ = store.newest()
    before, total = {}, 0
    for index, phase in enumerate(phases):
        before[index] = total
        total += num_steps(phase, steps_for(phase).steps_per_epoch)
    phase, step = (0, 0) if newest is None else (newest.phase, newest.step)
    if newest is not None and newest.done:
        step = 1 << 30
    records.cut_back(phase, step)
    records.open(before, before.get(phase, 0) + step if step < 1 << 30 else 0)


def score_dev(job: Job, view: View, model: Any) -> np.ndarray:
    """Scores of every row, dealt out over the processes; equal on all of them."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", torch.cuda.current_device())
    model.to(device)
    agreement = Agreement()
    return score(
        model,
        view,
        job.reader(model),
        batch_size=job.config.per_gpu_eval_batch_size,
        rank=rank() if agreement.active else 0,
        world_size=world_size() if agreement.active else 1,
        add_up=agreement.sum_array,
    )


@contextmanager
def failures(store: CheckpointStore) -> Iterator[None]:
    """Full disk and exhausted memory as one message that says what to change."""

    def stands() -> str:
        newest, _ = store.newest()
        if newest is None:
            return "no checkpoint had been written yet"
        return f"the last good checkpoint is {newest.path}; start again to go on from it"

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
    except MemoryError as error:
        raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunFailure(_DISK_FULL.format(stands())) from error
    except RuntimeError as error:
        text = str(error).lower()
        if (
            "no space left" in text
            or "disk quota" in text
            or "enforce fail at inline_container" in text
        ):
            raise RunFailure(_DISK_FULL.format(stands())) from error
        if "can't allocate memory" in text or "out of memory" in text:
            raise RunFailure(_OUT_OF_MEMORY.format(stands())) from error
        raise


_OUT_OF_MEMORY = (
    "out of memory. Halve per_gpu_train_batch_size and double gradient_accumulation_steps (the result "
    "stays comparable), or shorten max_seq_length; {}"
)
_DISK_FULL = "the disk is full. Make room, or lower save_total_limit; {}"
