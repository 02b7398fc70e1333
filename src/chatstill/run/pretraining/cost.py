"""What a run on a corpus costs: a few of its blocks are tokenised, a few steps are tried and timed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...data.blocks import SMALL_IDS, Blocks, blocks_of
from ...data.piece_counts import count_pieces
from ...errors import Problem
from ...evaluate.speed import count_parameters
from ...figures import byte_size
from ...preflight.cost import check_memory, estimate
from ...preflight.plan import Row, Section
from ...preflight.run_cost import memory_of, phase_times, row_tokens
from ...preflight.samples import Sample
from ...preflight.timed_steps import Rehearsal, rehearse
from ...preflight.trial import trial_problems
from ...text.vocabulary import num_ids
from ...train.device import device_of
from ...train.launch import world_size
from ...train.phases import steps_of
from ...train.precision import precision_of
from ...train.progress import clock
from ...train.resources import available_memory, check_disk, disk_needs
from ...train.settings import evaluates
from .teacher import reads_head
from .train import batches_of

if TYPE_CHECKING:
    from ...methods.base import Method
    from ...tasks.corpus import Lines
    from .job import CorpusJob

SAMPLE = 1 << 21  # bytes of a part that are tokenised for the plan
PAPERS, DAY = 3.3e9, 86_400  # tokens of English Wikipedia and BookCorpus (1810.04805, section 3.1)
KEPT, TRIED = 4096, 8  # blocks that are looked at, and the most of them in a step that is tried


@dataclass(frozen=True)
class Extent:
    """What a part of a corpus comes to.

    Attributes:
        blocks: Their number.
        tokens: Special ones among them.
        exact: Whether all of it was tokenised; else it is an estimate.
        sample: Its first blocks.
    """

    blocks: int
    tokens: int
    exact: bool
    sample: Blocks

    @property
    def about(self) -> str:
        """Before a number in words."""
        return "" if self.exact else "about "


def measure(job: CorpusJob, lines: Lines) -> Extent:
    """Tokenises the first megabytes of a part."""
    blocks = tokens = read = 0
    exact, kept = True, list[list[int]]()
    for done, lot in blocks_of(lines, job.encoder, job.config.max_seq_length):
        if SAMPLE <= read < lines.size:
            exact = False
            break
        blocks, tokens = blocks + len(lot), tokens + sum(map(len, lot))
        kept += lot[: KEPT - len(kept)]
        read = done
    sample = Blocks.in_memory(kept, job.encoder.padding_side)
    if exact or not read:
        return Extent(blocks, tokens, True, sample)
    whole = lines.size / read
    return Extent(round(blocks * whole), round(tokens * whole), False, sample)


def costs(job: CorpusJob, train: Extent, dev: Extent) -> tuple[Section, list[Problem]]:
    """Time, speed, memory and disk of the whole run, and what a trial of a few steps showed."""
    rows: list[Row] = []
    problems: list[Problem] = []
    if len(train.sample) and len(dev.sample):
        tried = try_steps(job, train)
        rows, problems = _time_and_memory(job, train, dev, tried)
        precision = precision_of(fp16=job.config.fp16, bf16=job.config.bf16)
        problems += trial_problems(tried, precision=precision, doubts=job.method.doubts())
    disk, found = _disk(job, train, dev)
    return Section("estimates", [*rows, disk]), [*problems, *found]


def try_steps(job: CorpusJob, train: Extent) -> Rehearsal:
    """Three small batches on copies: short, middling and long blocks, masked as the run masks them."""
    config, sample = job.config, train.sample
    size = min(config.per_gpu_train_batch_size, TRIED, len(sample))
    order = np.argsort(sample.lengths, kind="stable")
    starts = sorted({0, (len(order) - size) // 2, len(order) - size})
    batch = batches_of(job)
    batches = [batch(sample, order[start : start + size]) for start in starts]
    steps, _ = steps_of(config, job.method.phases()[0], train.blocks)
    return rehearse(
        _with_counts(job, sample),
        batches,
        device_of(config),
        seed=config.seed,
        num_steps=steps,
        precision=precision_of(fp16=config.fp16, bf16=config.bf16),
    )


def _with_counts(job: CorpusJob, sample: Blocks) -> Method:
    """The method, with the counts of the sample where it draws by them."""
    if job.masking is None or job.masking.smoothing is None:
        return job.method
    method = copy.copy(job.method)
    counts = count_pieces(sample.ids, num_ids(job.tokenizer))
    method.run = replace(method.run, masking=replace(job.masking, counts=counts))
    return method


def _time_and_memory(
    job: CorpusJob, train: Extent, dev: Extent, tried: Rehearsal
) -> tuple[list[Row], list[Problem]]:
    device, rows = device_of(job.config).type, Sample(train.sample, train.blocks, dev.blocks)
    found, rehearsals = {"train": rows}, {"train": tried}
    training = phase_times(job, found, rehearsals).values()
    scored = _evaluations(job, train) * dev.blocks * row_tokens(Sample(dev.sample, dev.blocks, 0))
    evaluated = estimate(tried.timings, 0, 0, evaluation_tokens=int(scored / world_size()))
    low, high = (
        sum(getattr(each, end) for each in (*training, evaluated)) for end in ("low", "high")
    )
    read = _tokens_read(job, train)
    speed = read / max(sum(each.seconds for each in training), 1e-9)
    memory = memory_of(job, rows, tried)
    days = PAPERS / max(speed, 1e-9) / DAY
    papers = f"BERT's corpus, {PAPERS / 1e9:g} G tokens: about {days:,.3g} days an epoch here"
    told = [
        ("time", f"{clock(low)} to {clock(high)}"),
        ("speed", f"about {speed:,.0f} {job.unit} a second in training"),
        *([("", papers)] if job.words is None else []),
        ("memory", f"{byte_size(memory)} per process on {device}"),
    ]
    return told, check_memory(memory, available_memory(device), device=device)


def _tokens_read(job: CorpusJob, train: Extent) -> float:
    """Of all training steps and processes, padding not counted."""
    planned = [steps_of(job.config, phase, train.blocks) for phase in job.method.phases()]
    epochs = sum(total / per_epoch for total, per_epoch in planned)
    return epochs * train.blocks * float(train.sample.lengths.mean())


def _evaluations(job: CorpusJob, train: Extent) -> int:
    """Passes of a network over dev: in every phase, then once more.

    The head is scored, and a method with a teacher takes both networks along for its own loss.
    """
    config, method = job.config, job.method
    if not config.do_eval:
        return 0
    passes = int(method.trains_outputs) + (0 if method.teacher is None else 2)
    times = 1
    for phase in method.phases() if evaluates(config) else []:
        total, per_epoch = steps_of(config, phase, train.blocks)
        times += -(-total // (config.eval_steps or per_epoch))
    return times * passes + int(reads_head(method))


def _disk(job: CorpusJob, train: Extent, dev: Extent) -> tuple[Row, list[Problem]]:
    config, model = job.config, cast(Any, job.method.student)
    size = 4 if job.num_ids > SMALL_IDS else 2
    prepared = size * (train.tokens + dev.tokens) + 8 * (train.blocks + dev.blocks)
    parameters = count_parameters(model).total
    beside = sum(p.numel() for p in model.bilm.parameters()) if job.words is not None else 0
    needs = disk_needs(
        Path(config.output_dir),
        student_bytes=4 * (parameters + beside),  # the files of an ELMo
        trained_parameters=parameters,
        save_total_limit=config.save_total_limit,
        keep_best=config.keep == "best",
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        cache_bytes=prepared,
    )
    text = ", ".join(f"{need.what} {byte_size(need.size)}" for need in needs)
    return ("disk", f"{text}; {size} bytes a {job.unit[:-1]}"), check_disk(needs)
