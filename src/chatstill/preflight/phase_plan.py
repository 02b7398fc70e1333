"""The phases of a run in its plan: their rows, steps, rates and terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..data.teacher_cache_rule import CacheDecision
from ..errors import Problem
from ..figures import steps_text
from ..methods.base import Phase, by_loss
from ..train.phases import steps_of
from ..train.precision import precision_of
from ..train.progress import clock
from ..train.steps import batch_text
from ..train.try_arguments import refused_arguments, schedule_text, warm_up_doubts
from .cost import TimeEstimate
from .plan import PHASE, Section
from .samples import Sample
from .windows import scores_beyond_windows

if TYPE_CHECKING:
    from ..run.job import Job


def phase_sections(
    job: Job,
    found: Mapping[str, Sample],
    decisions: Mapping[str, CacheDecision],
    times: Mapping[str, TimeEstimate],
    states: CacheDecision | None = None,
) -> tuple[list[Section], list[Problem]]:
    """A section for each phase, and warnings about them.

    Args:
        job: The run.
        found: Its rows by ``Phase.data``.
        decisions: By phase, whether the teacher's outputs are stored.
        times: By phase, where they are worth showing apart.
        states: Whether those of a part of the student that is not trained are stored; None without one.
    """
    sections, problems = [], []
    for phase in job.method.phases():
        section, warnings = _section(job, phase, found[phase.data], decisions, times, states)
        sections.append(section)
        problems += [
            Problem(phase.name, text, severity="warning", code="method.doubt-about-a-phase")
            for text in warnings
        ]
    return sections, problems


def refused_of(job: Job, found: Mapping[str, Sample]) -> list[Problem]:
    """What transformers refuses of ``training_arguments`` in some phase, each fault once."""
    told: dict[str, Problem] = {}
    for phase in job.method.phases():
        total, _ = steps_of(job.config, phase, found[phase.data].num_rows)
        for problem in refused_arguments(job.config, phase, total):
            told.setdefault(problem.message, problem)
    return list(told.values())


def _section(
    job: Job,
    phase: Phase,
    sample: Sample,
    decisions: Mapping[str, CacheDecision],
    times: Mapping[str, TimeEstimate],
    states: CacheDecision | None,
) -> tuple[Section, list[str]]:
    config, num_rows = job.config, sample.num_rows
    total, per_epoch = steps_of(config, phase, num_rows)
    precision = precision_of(fp16=config.fp16, bf16=config.bf16)
    rows = [
        *([("rows", sample.what)] if sample.what else []),
        ("steps", _with_reason(job, "num_train_epochs", steps_text(total, per_epoch), phase.data)),
        ("batch", batch_text(config, num_rows)),
        (
            "learning rate",
            _with_reason(job, "learning_rate", f"{phase.learning_rate or config.rate:g}"),
        ),
        ("schedule", schedule_text(config, total)),
        ("precision", precision),
        ("trained", phase.train),
    ]
    if phase.name in decisions:
        rows.append(("teacher's outputs", decisions[phase.name].text))
    if states is not None:
        rows.append(("student's states", states.text))
    if by_loss(job.method, phase) and config.do_eval:
        rows.append(("on dev", "the loss of this phase's own terms, lower is better"))
    own_rows, warnings = job.method.plan(phase, total)
    warnings = [*warnings, *warm_up_doubts(config, phase, total)]
    if job.teacher is not None and job.student is not None:
        configs = job.student.config, job.teacher.config
        beyond = scores_beyond_windows(job.method.specs, *configs, config.max_seq_length)
        warnings = warnings + beyond
    if phase.name in times:
        time = times[phase.name]
        own_rows = [*own_rows, ("time", f"{clock(time.low)} to {clock(time.high)}")]
    return Section(f"{PHASE}{phase.name}", rows + own_rows), warnings


def _with_reason(job: Job, key: str, text: str, data: str = "train") -> str:
    """A value of the plan, and why it was taken where the file leaves it out.

    Epochs are those of the training rows, of which a phase on other data may have more or fewer.
    """
    if key not in job.usual or (key == "num_train_epochs" and job.config.max_steps > 0):
        return text
    why = job.usual[key][1]
    if data != "train":
        return f"{text}, as many epochs as are usual {why.split(' (')[0]}"
    return f"{text}, usual {why}"
