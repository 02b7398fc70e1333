"""What a run will cost: its steps, evaluations, the teacher's outputs, time, memory and disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..data.sampler import largest_micro_batch
from ..data.teacher_cache_rule import CacheDecision
from ..errors import Problem
from ..figures import byte_size
from ..methods.base import by_loss
from ..train.device import device_of
from ..train.frozen_states import decide_states, part_of, texts_in
from ..train.launch import world_size
from ..train.phases import steps_of
from ..train.precision import precision_of
from ..train.progress import clock
from ..train.resources import available_memory, check_disk, disk_needs
from ..train.settings import evaluates
from ..train.stored_teacher import storable
from ..train.storing import decide_phase
from .cost import TimeEstimate, check_memory, estimate, estimate_memory
from .machine import native_bf16
from .plan import Section
from .samples import Sample
from .timed_steps import Rehearsal, rehearse

if TYPE_CHECKING:
    from ..config.schema import RunConfig
    from ..methods.base import Method
    from ..run.job import Job

WORTH_ASKING = 60.0  # seconds of the whole run: timing other steps takes a few
WORTH_TAKING = 0.9  # of the time in float32


def evaluations(job: Job, num_rows: Mapping[str, int]) -> Counter[str]:
    """Passes of a network over held-out rows, by their kind (``Phase.data``; "train": the task's dev rows).

    In every phase, then once more over the task's, by the teacher too. A phase that is selected by its loss
    takes the teacher along each time, over rows of its own kind.

    Args:
        job: The run.
        num_rows: Training rows by kind.
    """
    config = job.config
    passes = Counter(train=(1 if job.teacher is None else 2) if config.do_eval else 0)
    for phase in job.method.phases() if evaluates(config) else []:
        total, per_epoch = steps_of(config, phase, num_rows[phase.data])
        times = -(-total // (config.eval_steps or per_epoch))
        if not by_loss(job.method, phase):
            passes["train"] += times
        else:
            passes[phase.data] += times if job.teacher is None else 2 * times
    return passes


def cache_decisions(job: Job, found: Mapping[str, Sample]) -> dict[str, CacheDecision]:
    """By phase, whether the teacher's outputs are going to be stored; phases without a teacher not."""
    decisions, sizes = {}, dict[object, int]()  # one file may serve several phases
    for phase in job.method.phases():
        rows, num_rows = found[phase.data].rows, found[phase.data].num_rows
        stored = storable(job, phase, rows)
        if stored is not None:
            total, per_epoch = steps_of(job.config, phase, num_rows)
            file = phase.data, stored.layout, id(stored.live.teacher)
            decisions[phase.name] = decide_phase(
                job,
                stored,
                Path(job.config.output_dir),
                num_rows=num_rows,
                num_tokens=int(rows.lengths.mean() * num_rows),
                passes=total / per_epoch,
                beside=sum(size for other, size in sizes.items() if other != file),
            )
            if decisions[phase.name].use:
                sizes[file] = decisions[phase.name].num_bytes
    return decisions


def states_decision(
    job: Job, found: Mapping[str, Sample], decisions: Mapping[str, CacheDecision]
) -> CacheDecision | None:
    """Whether states of what of the student is not trained will be stored; as if no text stood twice."""
    part = part_of(job)
    if part is None:
        return None
    rows = {kind: (sample.num_rows, 0.0) for kind, sample in found.items()}
    for kind, sample in found.items():
        seen = texts_in(job, part, {kind: sample.rows}).places_of(kind)
        rows[kind] = sample.num_rows, seen * sample.num_rows / len(sample.rows)
    most = round(sum(places for _, places in rows.values()))
    stored = sum(decision.num_bytes for decision in decisions.values())
    folder = Path(job.config.output_dir)
    return decide_states(job, part, folder, rows, most, f"at most {most:,}", stored)


Rehearsals = Mapping[str, Rehearsal]
"""By ``Phase.data``: the steps of the first phase on such rows stand for those of the others."""


def rehearse_job(
    job: Job,
    found: Mapping[str, Sample],
    decisions: Mapping[str, CacheDecision],
    precision: str | None = None,
    *,
    states: bool = False,
) -> dict[str, Rehearsal]:
    """Three small batches of each kind of rows: short, middling and long ones.

    They are computed in the run's precision, or in another; with ``states``, the student's stored.
    """
    phases = job.method.phases()
    first: dict[str, int] = {
        phase.data: number for number, phase in reversed(list(enumerate(phases)))
    }
    return {
        kind: _rehearse(job, sample, first[kind], decisions, precision, states)
        for kind, sample in found.items()
    }


def _rehearse(
    job: Job,
    sample: Sample,
    number: int,
    decisions: Mapping[str, CacheDecision],
    precision: str | None,
    states: bool,
) -> Rehearsal:
    rows, phase = sample.rows, job.method.phases()[number]
    size = min(job.config.per_gpu_train_batch_size, 8, len(rows))
    order = np.argsort(rows.lengths, kind="stable")
    starts = [0, (len(order) - size) // 2, len(order) - size]
    batches = [job.reader.batch(rows, order[s : s + size]) for s in sorted(set(starts))]
    steps, _ = steps_of(job.config, phase, sample.num_rows)
    return rehearse(
        job.method,
        batches,
        device_of(job.config),
        seed=job.config.seed,
        num_steps=steps,
        phase=number,
        stored=phase.name in decisions and decisions[phase.name].use,
        precision=precision or precision_of(fp16=job.config.fp16, bf16=job.config.bf16),
        tokens=job.reader.tokens(rows),
        states=states,
    )


def row_tokens(sample: Sample) -> float:
    """Tokens of a row as it is computed: grouped by length, padding adds little."""
    lengths = sample.rows.lengths
    return min(float(lengths.mean()) * 1.06, float(lengths.max()))


class Planned(Protocol):
    """What of a job, of any level, decides the cost of its steps."""

    @property
    def config(self) -> RunConfig: ...

    @property
    def method(self) -> Method: ...


def phase_times(
    job: Planned, found: Mapping[str, Sample], rehearsals: Rehearsals
) -> dict[str, TimeEstimate]:
    """Of the steps of each phase, by its name."""
    config, times = job.config, {}
    for phase in job.method.phases():
        sample = found[phase.data]
        total, per_epoch = steps_of(config, phase, sample.num_rows)
        epochs = total / per_epoch
        batch = config.per_gpu_train_batch_size * world_size()
        micro = round(epochs * max(1, sample.num_rows // batch))
        tokens = int(epochs * sample.num_rows / world_size() * row_tokens(sample))
        times[phase.name] = estimate(rehearsals[phase.data].timings, tokens, micro)
    return times


def _time(
    job: Job, found: Mapping[str, Sample], rehearsals: Rehearsals, dev_rows: int
) -> TimeEstimate:
    """Of the whole run, from the steps that were timed."""
    config = job.config
    parts = list(phase_times(job, found, rehearsals).values())
    passes = evaluations(job, {kind: sample.num_rows for kind, sample in found.items()})
    held_out = {"train": dev_rows} | {kind: sample.num_dev for kind, sample in found.items()}
    scored = {kind: times * held_out[kind] for kind, times in passes.items()}
    like = "train" if "train" in found else next(iter(found))  # stands for the task's rows
    if config.do_eval and job.teacher is not None and "train" in config.label_noise:
        scored["train"] += found[like].num_rows
    for kind, rows in scored.items():
        kind = kind if kind in found else like
        tokens = int(rows * row_tokens(found[kind]) / world_size())
        parts.append(estimate(rehearsals[kind].timings, 0, 0, evaluation_tokens=tokens))
        if rehearsals[kind].states:  # computed there
            parts.append(estimate(rehearsals[kind].states, tokens, 0))
    for kind, sample in found.items():
        whole = int(sample.num_rows * row_tokens(sample) / world_size())
        for stored in (rehearsals[kind].teacher, rehearsals[kind].states):
            if stored:  # once over all rows, before the steps
                parts.append(estimate(stored, whole, 0))
    return TimeEstimate(*(sum(each) for each in zip(*map(astuple, parts), strict=True)))


def _in_bf16(
    job: Job,
    found: Mapping[str, Sample],
    time: TimeEstimate,
    dev_rows: int,
    decisions: Mapping[str, CacheDecision],
    rehearsals: Rehearsals,
) -> list[tuple[str, str]]:
    """What bf16 would save, timed, where the processor has it and the run is long enough to ask."""
    precision = precision_of(fp16=job.config.fp16, bf16=job.config.bf16)
    on_cpu = device_of(job.config).type == "cpu"
    if not on_cpu or precision != "float32" or time.high < WORTH_ASKING or not native_bf16("cpu"):
        return []
    states = any(rehearsal.states for rehearsal in rehearsals.values())
    timed = rehearse_job(job, found, decisions, "bf16", states=states)
    other = _time(job, found, timed, dev_rows)
    if other.high > WORTH_TAKING * time.high:
        return []
    text = f"{clock(other.low)} to {clock(other.high)} in bf16, which this processor has"
    return [("", f'{text}: "bf16": true')]


def job_costs(
    job: Job,
    found: Mapping[str, Sample],
    rehearsals: Rehearsals,
    dev_rows: int,
    decisions: Mapping[str, CacheDecision],
    states: CacheDecision | None = None,
) -> tuple[Section, list[Problem]]:
    """Time, memory and disk of the whole run."""
    config, device = job.config, device_of(job.config).type
    time = _time(job, found, rehearsals, dev_rows)
    memory = max(memory_of(job, found[kind], rehearsals[kind]) for kind in found)
    student_bytes = sum(p.numel() * p.element_size() for p in job.student.parameters())
    tokens = sum(sample.num_rows * row_tokens(sample) for sample in found.values())
    tokens += dev_rows * max(map(row_tokens, found.values()))
    stored = [*decisions.values(), *([] if states is None else [states])]
    needs = disk_needs(
        Path(config.output_dir),
        student_bytes=student_bytes,
        trained_parameters=max(each.trained_parameters for each in rehearsals.values()),
        save_total_limit=config.save_total_limit,
        keep_best=config.keep == "best",
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        cache_bytes=int(tokens * 5) + sum(decision.num_bytes for decision in stored),
    )
    problems = [
        *check_disk(needs),
        *check_memory(memory, available_memory(device), device=device),
    ]
    section = Section(
        "estimates",
        [
            ("time", f"{clock(time.low)} to {clock(time.high)}"),
            *_in_bf16(job, found, time, dev_rows, decisions, rehearsals),
            ("memory", f"{byte_size(memory)} per process on {device}"),
            ("disk", byte_size(sum(need.size for need in needs))),
        ],
    )
    return section, problems


def memory_of(job: Planned, sample: Sample, rehearsal: Rehearsal) -> int:
    """Bytes of a process in the steps on one kind of rows; on a GPU those that it has there."""
    batch = job.config.per_gpu_train_batch_size
    widest = -(-largest_micro_batch(sample.num_rows, batch * world_size()) // world_size())
    return estimate_memory(
        parameter_bytes=rehearsal.parameter_bytes,
        trained_parameters=rehearsal.trained_parameters,
        measured_peak=rehearsal.memory_peak,
        measured_before=rehearsal.memory_before,
        measured_tokens=rehearsal.largest_tokens,
        largest_tokens=int(sample.rows.lengths.max()) * widest,
        measured_states=rehearsal.optimizer_bytes,
        whole_process=device_of(job.config).type == "cpu",
    ).total
