"""Training a network on a corpus: its blocks, its phase, its figures on held-out text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...data.blocks import Blocks, prepare_blocks
from ...evaluate.masked import masked_scores
from ...evaluate.own_loss import terms_of
from ...evaluate.scoring import weights_digest
from ...features.capture import takes_token_types
from ...figures import byte_size
from ...tasks.corpus import Lines
from ...tasks.selection import lower_is_better, selecting_value
from ...train.control import Agreement
from ...train.device import device_of
from ...train.ending import Ended
from ...train.engine import Engine
from ...train.launch import Gate, rank, say, world_size
from ...train.phases import PhaseResult
from ...train.records import Records
from ...train.steps import ViewSteps
from ..own_loss import DevLoss
from ..train import run_engine
from .masking import count_for_masking, held_out_masking
from .teacher import reads_head
from .texts import content_of

if TYPE_CHECKING:
    from rich.console import Console

    from ...train.checkpoints import CheckpointStore
    from .job import CorpusJob


@dataclass
class Prepared:
    """The tokenised parts of a corpus."""

    train: Blocks
    dev: Blocks

    def num_rows(self, data: str) -> int:
        """Blocks that are trained on; all phases learn from them."""
        return len(self.train)


@dataclass
class Trained:
    """What training ended with.

    Attributes:
        phases: Results by phase.
        scores: The kept network's on dev, (N, 3); None without ``do_eval``.
        teacher_scores: The teacher's; None where no term reads its masked-LM head.
        loss: The method's own on dev, and its terms; None of one without a teacher. ``scores`` is None where
            no head was trained.
        ended: Where it was ended before its time.
    """

    phases: list[PhaseResult]
    scores: np.ndarray | None
    teacher_scores: np.ndarray | None = None
    ended: Ended | None = None
    loss: dict[str, float] | None = None


def prepare_corpus(job: CorpusJob, folder: Path, console: Console) -> Prepared:
    """Tokenises once; other processes, and a run that goes on, find it done."""
    config = job.config
    cache = Path(config.cache_dir) / "views" if config.cache_dir else folder / "cache"
    if job.words is not None and rank() == 0:
        job.words.kept.write(cache, folder)
    parts = []
    for split, lines in (("train", job.corpus.train), ("dev", job.corpus.dev)):
        blocks = _prepare(job, lines, cache, folder, split, console)
        length = int(blocks.lengths.max(initial=0))
        say(
            f"{split}: {len(blocks):,} blocks of {blocks.documents:,} documents, "
            f"{blocks.num_tokens:,} {job.unit}, longest {length}"
        )
        parts.append(blocks)
    count_for_masking(job, parts[0], cache, folder if rank() == 0 else None)
    return Prepared(*parts)


def _prepare(
    job: CorpusJob, lines: Lines, cache: Path, folder: Path, split: str, console: Console
) -> Blocks:
    with console.status(f"tokenising {split}") as status:

        def show(done: int) -> None:
            status.update(f"tokenising {split}: {byte_size(done)} of {byte_size(lines.size)}")

        return prepare_blocks(
            lines,
            job.encoder,
            cache,
            length=job.config.max_seq_length,
            vocabulary=job.num_ids,
            source=content_of(lines),
            progress=show,
            user=folder if rank() == 0 else None,
        )


def train_job(
    job: CorpusJob,
    parts: Prepared,
    folder: Path,
    store: CheckpointStore,
    gate: Gate,
    console: Console,
) -> Trained:
    """Runs the phases, then scores the kept network on dev.

    Raises:
        Interrupted: asked to stop by a signal.
        RunFailure: NaN, full disk, out of memory.
    """
    records, scores = Records(folder), HeldOut(job, parts.dev)
    loss = dev_loss(job, parts)
    engine = Engine(
        config=job.config,
        folder=folder,
        store=store,
        data={"train": ViewSteps(parts.train, batches_of(job), job.config)},
        on_log=records.add,
        evaluate=lambda: scores.beside(loss),
        lower_is_better=lower_is_better(scores.main),
        own_loss=loss.metrics,
        console=console,
    )
    return run_engine(
        job.method, engine, records, gate, lambda phases: scored(job, parts, phases, scores, loss)
    )


def dev_loss(job: CorpusJob, parts: Prepared) -> DevLoss:
    """A method's own loss on held-out blocks, term by term."""
    make = batches_of(job)
    return DevLoss(job.method, job.config, lambda data: (parts.dev, make))


def batches_of(job: CorpusJob) -> Callable[[Blocks, np.ndarray], dict[str, torch.Tensor]]:
    """Pads blocks to a batch."""
    networks = (job.method.student, job.method.teacher)
    types = any(takes_token_types(network) for network in networks if network is not None)

    def batch(blocks: Blocks, rows: np.ndarray) -> dict[str, torch.Tensor]:
        return blocks.batch_of(rows, pad_token_id=job.pad_token_id, with_token_types=types)

    return batch


def scored(
    job: CorpusJob,
    parts: Prepared,
    phases: list[PhaseResult],
    scores: HeldOut | None = None,
    loss: DevLoss | None = None,
) -> Trained:
    """What training ended with, the kept network scored where ``do_eval`` asks for it."""
    if not job.config.do_eval:
        return Trained(phases, None)
    method, terms = job.method, None
    if method.teacher is not None:
        terms = (loss or dev_loss(job, parts)).metrics(len(phases) - 1)[1]
    if not method.trains_outputs:
        return Trained(phases, None, loss=terms)
    teacher = score_blocks(job, parts.dev, method.teacher) if reads_head(method) else None
    return Trained(phases, (scores or HeldOut(job, parts.dev)).scores(), teacher, loss=terms)


def score_blocks(job: CorpusJob, blocks: Blocks, model: Any) -> np.ndarray:
    """(N, 3) of a network on held-out blocks, dealt out over the processes; equal on all of them."""
    torch.nn.Module.to(model, device_of(job.config))
    agreement = Agreement()
    return masked_scores(
        model,
        blocks,
        held_out_masking(job),
        pad_token_id=job.pad_token_id,
        batch_size=job.config.per_gpu_eval_batch_size,
        rank=rank() if agreement.active else 0,
        world_size=world_size() if agreement.active else 1,
        add_up=agreement.sum_array,
    )


class HeldOut:
    """The kept network on dev, 15 % masked whatever the run trains with: figures of runs compare.

    The same weights are not scored twice in a row.

    Attributes:
        main: Name of the figure that selects.
    """

    def __init__(self, job: CorpusJob, dev: Blocks) -> None:
        self.job, self.dev = job, dev
        self.main = job.task.chosen_metric or job.task.main_metric
        self._last: tuple[bytes, np.ndarray] | None = None

    def metrics(self) -> tuple[float, dict[str, float]]:
        """The main figure and all figures."""
        task = self.job.task
        labels = np.zeros(len(self.dev))
        metrics = task.metrics(self.scores(), labels, None)
        return selecting_value(task, metrics, labels, None), metrics

    def beside(self, loss: DevLoss) -> tuple[float, dict[str, float]]:
        """The same, and the terms of the method on the same blocks, where it has a teacher."""
        value, metrics = self.metrics()
        if self.job.method.teacher is None:
            return value, metrics
        return value, metrics | terms_of(loss.metrics(len(self.job.method.phases()) - 1)[1])

    def scores(self) -> np.ndarray:
        """Of every block, (N, 3)."""
        kept = self.job.method.kept()
        digest = weights_digest(kept)
        if self._last is None or self._last[0] != digest:
            self._last = digest, score_blocks(self.job, self.dev, kept)
        return self._last[1]
