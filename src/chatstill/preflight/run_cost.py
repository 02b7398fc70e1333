"""What a run will cost: its steps, evaluations, the teacher's outputs, time, memory and disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.sampler import largest_micro_batch
from ..data.teacher_cache_rule import CacheDecision
from ..data.views import View
from ..errors import Problem
from ..figures import byte_size
from ..train.device import device_of
from ..train.launch import world_size
from ..train.phases import steps_of
from ..train.precision import precision_of
from ..train.progress import clock
from ..train.resources import available_memory, check_disk, disk_needs
from ..train.settings import evaluates
from ..train.stored_teacher import decide_phase, storable
from .cost import TimeEstimate, check_memory, estimate, estimate_memory
from .machine import native_bf16
from .plan import Section
from .timed_steps import Rehearsal, rehearse

if TYPE_CHECKING:
    from ..run.job import Job

WORTH_ASKING = 60.0  # seconds of the whole run: timing other steps takes a few
WORTH_TAKING = 0.9  # of the time in float32


def num_evaluations(job: Job, num_rows: int) -> int:
    """How often dev is scored: in every phase, then once more, and by the teacher."""
    config = job.config
    during = evaluates(config, job.method)
    count = (1 if job.teacher is None else 2) if config.do_eval else 0
    for phase in job.method.phases() if during else []:
        total, per_epoch = steps_of(config, phase, num_rows)
        count += -(-total // (config.eval_steps or per_epoch))
    return count


def cache_decisions(job: Job, view: View, num_rows: int) -> dict[str, CacheDecision]:
    """By phase, whether the teacher's outputs are going to be stored; phases without a teacher not."""
    found = {}
    for phase in job.method.phases():
        stored = storable(job, phase, view)
        if stored is not None:
            total, per_epoch = steps_of(job.config, phase, num_rows)
            found[phase.name] = decide_phase(
                job,
                stored,
                Path(job.config.output_dir),
                num_rows=num_rows,
                num_tokens=int(view.lengths.mean() * num_rows),
                passes=total / per_epoch,
            )
    return found


def rehearse_job(
    job: Job,
    view: View,
    num_rows: int,
    decisions: Mapping[str, CacheDecision],
    precision: str | None = None,
) -> Rehearsal:
    """Three small batches: short, middling and long rows; in the run's precision or in another."""
    size = min(job.config.per_gpu_train_batch_size, 8, len(view))
    order = np.argsort(view.lengths, kind="stable")
    starts = [0, (len(order) - size) // 2, len(order) - size]
    batches = [job.reader.batch(view, order[s : s + size]) for s in sorted(set(starts))]
    first = job.method.phases()[0]
    steps, _ = steps_of(job.config, first, num_rows)
    return rehearse(
        job.method,
        batches,
        device_of(job.config),
        seed=job.config.seed,
        num_steps=steps,
        stored=first.name in decisions and decisions[first.name].use,
        precision=precision or precision_of(fp16=job.config.fp16, bf16=job.config.bf16),
        tokens=job.reader.tokens(view),
    )


def _row_tokens(view: View) -> float:
    """Tokens of a row as it is computed: grouped by length, padding adds little."""
    return float(view.lengths.mean()) * 1.06


def _time(
    job: Job, view: View, rehearsal: Rehearsal, train_rows: int, dev_rows: int
) -> TimeEstimate:
    """Of the whole run, from the steps that were timed."""
    config, steps, rows = job.config, 0, 0
    batch, row_tokens = config.per_gpu_train_batch_size, _row_tokens(view)
    for phase in job.method.phases():
        total, _ = steps_of(config, phase, train_rows)
        micro = total * config.gradient_accumulation_steps
        steps, rows = steps + micro, rows + micro * batch
    scored = num_evaluations(job, train_rows) * dev_rows
    if config.do_eval and job.teacher is not None and "train" in config.label_noise:
        scored += train_rows
    time = estimate(
        rehearsal.timings,
        int(rows * row_tokens),
        steps,
        evaluation_tokens=int(scored * row_tokens / world_size()),
    )
    if rehearsal.teacher:  # once over all rows, before the steps
        once = estimate(rehearsal.teacher, int(train_rows * row_tokens / world_size()), 0)
        time = TimeEstimate(*(a + b for a, b in zip(astuple(time), astuple(once), strict=True)))
    return time


def _in_bf16(
    job: Job,
    view: View,
    time: TimeEstimate,
    train_rows: int,
    dev_rows: int,
    decisions: Mapping[str, CacheDecision],
) -> list[tuple[str, str]]:
    """What bf16 would save, timed, where the processor has it and the run is long enough to ask."""
    precision = precision_of(fp16=job.config.fp16, bf16=job.config.bf16)
    on_cpu = device_of(job.config).type == "cpu"
    if not on_cpu or precision != "float32" or time.high < WORTH_ASKING or not native_bf16("cpu"):
        return []
    timed = rehearse_job(job, view, train_rows, decisions, "bf16")
    other = _time(job, view, timed, train_rows, dev_rows)
    if other.high > WORTH_TAKING * time.high:
        return []
    text = f"{clock(other.low)} to {clock(other.high)} in bf16, which this processor has"
    return [("", f'{text}: "bf16": true')]


def job_costs(
    job: Job,
    view: View,
    rehearsal: Rehearsal,
    train_rows: int,
    dev_rows: int,
    decisions: Mapping[str, CacheDecision],
) -> tuple[Section, list[Problem]]:
    """Time, memory and disk of the whole run."""
    config, batch = job.config, job.config.per_gpu_train_batch_size
    row_tokens = _row_tokens(view)
    time = _time(job, view, rehearsal, train_rows, dev_rows)
    widest = -(-largest_micro_batch(train_rows, batch * world_size()) // world_size())
    largest = int(view.lengths.max()) * widest
    memory = estimate_memory(
        parameter_bytes=rehearsal.parameter_bytes,
        trained_parameters=rehearsal.trained_parameters,
        measured_peak=rehearsal.memory_peak,
        measured_before=rehearsal.memory_before,
        measured_tokens=rehearsal.largest_tokens,
        largest_tokens=largest,
    )
    device = device_of(job.config).type
    student_bytes = sum(p.numel() * p.element_size() for p in job.student.parameters())
    needs = disk_needs(
        Path(config.output_dir),
        student_bytes=student_bytes,
        trained_parameters=rehearsal.trained_parameters,
        save_total_limit=config.save_total_limit,
        keep_best=config.keep == "best",
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        cache_bytes=int((train_rows + dev_rows) * row_tokens * 5)
        + sum(decision.num_bytes for decision in decisions.values()),
    )
    problems = [
        *check_disk(needs),
        *check_memory(memory.total, available_memory(device), device=device),
    ]
    section = Section(
        "estimates",
        [
            ("time", f"{clock(time.low)} to {clock(time.high)}"),
            *_in_bf16(job, view, time, train_rows, dev_rows, decisions),
            ("memory", f"{byte_size(memory.total)} per process on {device}"),
            ("disk", byte_size(sum(need.size for need in needs))),
        ],
    )
    return section, problems
