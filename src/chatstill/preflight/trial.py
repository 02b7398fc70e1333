"""What is tried before training: the teacher on a few dev rows, and a few steps of the method."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..data.splits import sample_view
from ..errors import Problem
from ..evaluate.one_answer import one_answer
from ..evaluate.scoring import score
from ..figures import counted
from ..models.outputs import reading_of, set_reading
from ..tasks.base import Example, Labels, Split
from ..train.device import device_of
from ..train.not_finite import reason
from .output_scale import output_problem, stated_problem
from .sample import sample_rows
from .survey import Survey
from .teacher import TeacherCheck, check_teacher
from .timed_steps import Rehearsal

if TYPE_CHECKING:
    from ..run.job import Job

SAMPLE = 512


def trial_problems(
    rehearsal: Rehearsal, *, precision: str, doubts: list[Problem], told: Collection[str] = ()
) -> list[Problem]:
    """Problems of the measured steps.

    Args:
        rehearsal: With what its steps showed.
        precision: ``float32``, ``bf16`` or ``fp16``; of fp16 the first steps may overflow, which its scaler
            lives with.
        doubts: Warnings about knobs of the method, told again where something is not finite.
        told: Terms of which it was said before that they are 0.
    """
    num_steps = max(map(len, rehearsal.terms.values()), default=0)
    tried = f"in a trial of {counted(num_steps, 'step')}"
    if rehearsal.findings is not None:
        why = reason(rehearsal.findings, doubts, trained=False)
        text = f"the loss is not finite {tried}"
        return [
            Problem(
                "training",
                text,
                why,
                "warning" if precision == "fp16" else "error",
                code="training.loss-not-finite",
            )
        ]
    zeros = [name for name, values in rehearsal.terms.items() if not any(values)]
    problems = [
        Problem(
            f"term {name}",
            f"is 0 {tried}: nothing is learnt from it",
            severity="warning",
            code="training.term-is-zero",
        )
        for name in zeros
        if name not in told
    ]
    finite = all(math.isfinite(value) for values in rehearsal.terms.values() for value in values)
    if finite and not rehearsal.has_gradient and len(zeros) < len(rehearsal.terms):
        message = f"no weight draws a gradient {tried}: nothing is trained"
        problems.append(
            Problem("training", message, severity="warning", code="training.no-gradient")
        )
    return problems


def _pick(job: Job, split: Split, wanted: np.ndarray) -> list[Example]:
    """Rows by number, in file order."""
    numbers, rows = set(wanted.tolist()), []
    for number, row in enumerate(job.rows.read(split)):
        if number in numbers:
            rows.append(row)
            if len(rows) == len(numbers):
                break
    return rows


def teacher_on_dev(
    job: Job, dev: Survey, folder: Path
) -> tuple[TeacherCheck | None, list[Problem]]:
    """The teacher's score on at most 512 dev rows, None where there is no teacher; and what is wrong."""
    if job.teacher is None or not job.teacher_is_trained:
        return None, []
    wanted = sample_rows(dev.num_rows, dev.groups, SAMPLE)
    rows = _pick(job, "dev", wanted)
    view = sample_view(job.task, rows, job.reader.encoder(job.teacher), folder)
    torch.nn.Module.to(job.teacher, device_of(job.config))
    reading, stated = reading_of(job.teacher), job.config.teacher_output
    set_reading(job.teacher, None)
    size = job.config.per_gpu_eval_batch_size
    outputs = score(job.teacher, view, job.reader.of_teacher, batch_size=size)
    set_reading(job.teacher, reading)
    scores = outputs if reading is None else reading(torch.from_numpy(outputs)).numpy()
    if len(wanted) == dev.num_rows:  # all of dev: nothing is left to score
        job.teacher_scores = scores
    check = check_teacher(
        scores,
        view.labels,
        job.task.labels,
        groups=view.groups if job.task.ranking else None,
        allow_weak_teacher=job.config.allow_weak_teacher,
        assumed=job.match.note,
    )
    found = stated_problem(outputs, stated)
    if found is None:
        with_soft = any(
            (needs := job.method.needs(phase).get("teacher")) is not None and needs.logits
            for phase in job.method.phases()
        )
        found = output_problem(
            scores,
            np.asarray(view.labels),
            job.task.labels,
            stated,
            soft=with_soft,
            gold=bool(job.method.label_terms),
        )
    # Outputs read as something else explain a poor score better than the score does.
    told = [problem for problem in (found or check.problem,) if problem is not None]
    return check, told + _one_answer(told, scores, np.asarray(view.labels), job.task.labels)


def _one_answer(
    told: list[Problem], scores: np.ndarray, labels: np.ndarray, space: Labels
) -> list[Problem]:
    """A warning where the teacher answers all dev rows alike, unless its scores were found wrong before."""
    if any(problem.code != "teacher.too-few-dev-rows" for problem in told):
        return []
    found = one_answer(scores, labels, space)
    if found is None:
        return []
    place = "teacher: answers on dev rows"
    return [Problem(place, found.message, found.hint, "warning", code=found.code)]
