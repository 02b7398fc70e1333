"""The pre-flight of a run on a corpus: what its text, its steps and its files come to. Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import Problem, UserError, errors_of, shown
from ...evaluate.speed import count_parameters
from ...figures import byte_size, counted, percent
from ...models.layers import count_layers
from ...preflight.conversion import conversion_doubts
from ...preflight.machine import check_machine
from ...preflight.plan import PHASE, Plan, Section, network_rows
from ...preflight.windows import scores_beyond_windows
from ...tasks.texts import TextsTask
from ...train.launch import world_size
from ...train.phases import steps_of
from ...train.precision import precision_of
from ...train.steps import batch_text
from ...train.try_arguments import refused_arguments, schedule_text, warm_up_doubts
from .cost import Extent, costs, measure
from .masking import held_out_masking, masking_rows
from .networks import network_to_keep
from .reading import text_problems, unknown_share
from .teacher import check_masked

if TYPE_CHECKING:
    from .job import CorpusJob

SCORED, FEW = 0.15, 300  # share of dev that is scored; fewer tokens than these are told


def preflight(job: CorpusJob) -> Plan:
    """Checks a job and lays out its plan.

    Raises:
        UserError: all errors found.
    """
    problems = [*job.problems, *check_machine(job.config)]
    train, dev = (measure(job, part) for part in (job.corpus.train, job.corpus.dev))
    problems += _too_small(job, train, dev)
    problems += _unknown(job, train, dev)
    if isinstance(job.task, TextsTask):
        problems += conversion_doubts(job.method, job.config.preprocess)
    if errors_of(problems):
        raise UserError(problems)
    estimates, found = costs(job, train, dev)
    told, weak = check_masked(job)
    phases, warnings = _phases(job, train)
    problems += [*found, *weak, *warnings]
    if errors_of(problems):
        raise UserError(problems)
    sections = [_networks(job, told), _corpus(job, train, dev), *phases]
    if job.idle:
        text = f"{', '.join(job.idle)}: of other methods than {job.config.model_type}"
        sections.append(Section("configuration", [("no effect", shown(text))]))
    return Plan([*sections, estimates], problems)


def _unknown(job: CorpusJob, train: Extent, dev: Extent) -> list[Problem]:
    """What of the text the tokenizer does not know; of a network of words the plan tells it itself."""
    if job.words is not None:
        return []
    parts = ((job.corpus.train, train), (job.corpus.dev, dev))
    found = [
        problem
        for lines, extent in parts
        for problem in text_problems(job.tokenizer, job.config, lines.name, extent.sample, lines)
    ]
    return list({(problem.code, problem.place): problem for problem in found}.values())


def _too_small(job: CorpusJob, train: Extent, dev: Extent) -> list[Problem]:
    problems = []
    least = max(2, world_size())
    if train.blocks < least:
        message = (
            f"it comes to {counted(train.blocks, 'block')} of {job.config.max_seq_length} {job.unit}, and at "
            f"least {least} are needed"
        )
        hint = "Give more text, or a lower max_seq_length."
        path = job.corpus.train.name
        problems.append(Problem(path, message, hint, code="corpus.too-small"))
    path, share = job.corpus.dev.name, SCORED if _masks(job) else 1.0
    scored = share * _predicted(job, dev) * dev.tokens
    if not dev.blocks:
        message = f"no {job.unit[:-1]} is found in it"
        problems.append(Problem(path, message, code="corpus.no-token"))
    elif job.config.do_eval and scored < FEW:
        message = (
            f"about {scored:.0f} {job.unit} of the held-out text are scored: figures say little"
        )
        hint = (
            f"Give a dev.txt of {FEW * dev.tokens / scored:,.0f} {job.unit} or more."
            if scored
            else ""
        )
        problems.append(Problem(path, message, hint, "warning", code="corpus.little-held-out"))
    return problems


def _predicted(job: CorpusJob, part: Extent) -> float:
    """The share of its tokens that may be predicted where some are masked: neither special nor unknown."""
    masking = held_out_masking(job) if _masks(job) else None
    if masking is None or not len(part.sample):
        return 1.0
    return float(np.mean(~masking.special[np.asarray(part.sample.ids)]))


def _masks(job: CorpusJob) -> bool:
    """Whether figures are of masked tokens, a part of all."""
    return job.method.trains_outputs and held_out_masking(job) is not None


def _networks(job: CorpusJob, told: str) -> Section:
    student, teacher = network_to_keep(job.method), job.method.teacher
    rows = [] if teacher is None else _network("teacher", teacher)
    rows += [("", told)] if told else []
    rows += _network("network" if teacher is None else "student", student)
    rows += [("", note) for note in job.notes]
    if job.words is None:  # else they are told with the notes
        rows.append(("vocabulary", f"{len(job.tokenizer):,} pieces"))
    return Section("networks", rows)


def _network(role: str, model: Any) -> list[tuple[str, str]]:
    return network_rows(
        role,
        layers=count_layers(model.config),
        width=getattr(model.config, "hidden_size", None),
        heads=getattr(model.config, "num_attention_heads", None),
        parameters=count_parameters(model).total,
    )


def _corpus(job: CorpusJob, train: Extent, dev: Extent) -> Section:
    corpus, rows = job.corpus, []
    for split, part, extent in (("train", corpus.train, train), ("dev", corpus.dev, dev)):
        rows.append(
            (
                split,
                f"{part.name}, {byte_size(part.size)}: {corpus.documents[split]:,} documents, "
                f"{corpus.lines[split]:,} lines",
            )
        )
        rows += [("", note) for note in [corpus.notes.get(split)] if note]
        share = unknown_share(job.tokenizer, extent.sample) if job.words is None else None
        rows += [] if share is None else [("", f"{percent(share)} of its tokens unknown")]
        rows.append(
            (
                "",
                f"{extent.about}{extent.blocks:,} blocks of up to {job.config.max_seq_length} "
                f"{job.unit}, {extent.tokens:,} {job.unit}",
            )
        )
    return Section("corpus", rows)


def _phases(job: CorpusJob, train: Extent) -> tuple[list[Section], list[Problem]]:
    config = job.config
    sections: list[Section] = []
    problems: list[Problem] = []
    for phase in job.method.phases():
        total, per_epoch = steps_of(config, phase, train.blocks)
        rate = f"{phase.learning_rate or config.rate:g}"
        if "learning_rate" in job.usual:
            rate += f", usual {job.usual['learning_rate'][1]}"
        rows = [
            (
                "steps",
                f"{train.about}{total:,} ({total / per_epoch:.4g} epochs of {per_epoch:,})",
            ),
            ("batch", batch_text(config, train.blocks)),
            ("learning rate", rate),
            ("schedule", schedule_text(config, total)),
            ("precision", precision_of(fp16=config.fp16, bf16=config.bf16)),
            ("trained", phase.train),
            *(masking_rows(job.masking) if job.words is None else []),
        ]
        more, warnings = job.method.plan(phase, total)
        warnings = [*warnings, *warm_up_doubts(config, phase, total)]
        problems += refused_arguments(config, phase, total)
        if job.method.teacher is not None:
            configs = job.method.student.config, job.method.teacher.config
            specs, longest = job.method.specs, config.max_seq_length
            warnings = [*warnings, *scores_beyond_windows(specs, *configs, longest)]
        problems += [
            Problem(phase.name, text, severity="warning", code="corpus.of-the-phase")
            for text in warnings
        ]
        sections.append(Section(f"{PHASE}{phase.name}", [*rows, *more]))
    return sections, problems
