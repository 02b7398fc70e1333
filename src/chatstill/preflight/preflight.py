"""The pre-flight of a run: everything that can be known before training, as a plan or as problems.

It reads the data once, scores the teacher on a few dev rows and times a few steps on copies. Nothing is
written, no weight and no generator is touched; rank 0 alone does it, and a resumed run skips it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.augmented import augmented_doubts
from ..config.schema import RunConfig
from ..config.task import task_of
from ..data.splits import lengths_of, path_of
from ..disk.json_file import fault_of
from ..disk.scratch import scratch_folder
from ..disk.write import write_json
from ..errors import Problem, UserError, errors_of, shown
from ..evaluate.speed import count_parameters
from ..features.capture import takes_token_types
from ..figures import names_text, parameter_count
from ..methods.base import Method
from ..models.layers import count_layers
from ..models.own import other_positive
from ..report.data import read_data_report
from ..tasks.base import Split
from ..tasks.files import listed
from ..text.casing import casing_report
from ..text.normalize import normalizes
from ..text.token_types import types_problem
from ..text.word_tokenizer import WordTokenizer
from ..train.precision import precision_of
from .conversion import conversion_doubts
from .data_report import data_report, plan_rows
from .data_report import warnings as report_warnings
from .label_values import check_label_values
from .machine import check_machine
from .meanings import meanings
from .phase_plan import phase_sections, refused_of
from .plan import Plan, Section, network_rows
from .run_cost import cache_decisions, job_costs, phase_times, rehearse_job, states_decision
from .sample import sample_rows
from .samples import samples, too_few
from .survey import Survey, survey
from .teacher import TeacherCheck
from .trial import SAMPLE, teacher_on_dev, trial_problems

if TYPE_CHECKING:
    from ..run.job import Job

log = logging.getLogger("chatstill")
SPLITS: tuple[Split, ...] = ("train", "dev")


def survey_split(job: Job, split: Split) -> Survey:
    """Reads a whole file: a malformed row is found before anything is trained.

    Raises:
        UserError: with file, line and what was found.
    """
    ranked = job.task.ranking and split != "train"
    return survey(job.rows.read(split), job.tokenizer, lengths_of(job.config), with_groups=ranked)


def without_networks(config: RunConfig, method_class: type[Method]) -> list[Problem]:
    """The errors that can be found where the networks cannot be put together: machine and rows."""
    problems = check_machine(config)
    try:
        task = task_of(config)
    except UserError as error:
        return errors_of([*problems, *error.problems])
    knobs = method_class.Config() if config.method is None else config.method
    skips = config.skip_unlabeled or method_class.skips_unlabelled(knobs)
    all_labelled = method_class.all_labelled(knobs) and not skips
    for split in SPLITS:
        labelled = all_labelled if split == "train" else True
        try:
            rows = task.read(path_of(task, split, config), split, labelled)
            for _ in rows:
                pass
            values = rows.label_values
            problems += check_label_values(values, task.labels, task.label_words, split)
        except UserError as error:
            problems += error.problems
    return errors_of(problems)


def preflight(job: Job) -> Plan:
    """Checks a job and lays out its plan.

    Raises:
        UserError: all errors found.
    """
    problems = [*job.problems, *augmented_doubts(job.config), *check_machine(job.config)]
    surveys: list[Survey] = []
    for split in SPLITS:
        try:
            read = survey_split(job, split)
        except UserError as error:
            problems += error.problems
            continue
        surveys.append(read)
        words = job.task.label_words
        problems += read.warnings
        problems += check_label_values(read.label_values, job.task.labels, words, split)
    if len(surveys) < len(SPLITS):
        raise UserError(errors_of(problems))
    train, dev = surveys
    problems += [*_without_labels(job, train), *_of_networks(job, train)]
    with scratch_folder() as folder:
        rows = [train.sample[at] for at in sample_rows(len(train.sample), None, SAMPLE)]
        texts = [text for row in rows[:64] for text in (row.first_text, row.text_b) if text]
        casing = casing_report(job.tokenizer, job.config.do_lower_case, texts)
        problems += [casing] if casing is not None else []
        problems += conversion_doubts(job.method, job.config.preprocess)
        if job.teacher is not None:
            problems += other_positive(job.teacher.config, job.task.labels, "teacher", "teacher")
        check, doubts = teacher_on_dev(job, dev, folder / "dev")
        problems += doubts
        if errors_of(problems):  # with the warnings: they may say why
            raise UserError(problems)
        found = samples(job, train, dev, folder)
        if few := too_few(found):
            raise UserError([*problems, *few])
        problems += refused_of(job, found)
        decisions = cache_decisions(job, found)
        states = states_decision(job, found, decisions)
        if job.config.teacher_cache is True and not decisions and states is None:
            text = "has no effect: this method reads nothing of a teacher beside the student"
            problems.append(
                Problem("teacher_cache", text, severity="warning", code="cache.without-effect")
            )
        stored = states is not None and states.use
        rehearsals = rehearse_job(job, found, decisions, states=stored)
        for rehearsal in rehearsals.values():
            problems += trial_problems(
                rehearsal,
                precision=precision_of(fp16=job.config.fp16, bf16=job.config.bf16),
                doubts=job.method.doubts(),
                told=[problem.place.removeprefix("term ") for problem in problems],
            )
        costs, cost_problems = job_costs(job, found, rehearsals, dev.num_rows, decisions, states)
        problems += cost_problems
        times = phase_times(job, found, rehearsals) if len(found) > 1 else {}
    if errors := errors_of(problems):
        raise UserError(errors)
    report = _report(job, train, dev)
    problems += report_warnings(report, job.task, **_how_read(job))
    if errors := errors_of(problems):
        raise UserError(errors)
    rows_of_data = plan_rows(
        report,
        lengths_of(job.config),
        words=_how_read(job)["words"],
        lengths_are=getattr(job.tokenizer, "lengths_are", "tokens"),
    )
    data = Section("data", rows_of_data)
    sections = [_networks(job, check), data]
    phases, doubts = phase_sections(job, found, decisions, times, states)
    sections += phases
    problems += doubts
    if job.idle:
        text = f"{', '.join(job.idle)}: of other methods than {job.config.model_type}"
        sections.append(Section("configuration", [("no effect", shown(text))]))
    sections.append(costs)
    return Plan(sections, problems, report)


def _report(job: Job, train: Survey, dev: Survey) -> dict[str, Any]:
    data_dir = Path(job.config.data_dir)
    files: dict[str, str] = {
        split: listed(job.task, split, data_dir, job.rows.labelled(split)) for split in SPLITS
    }
    return data_report(job.task, train, dev, files, **_how_read(job))


def _how_read(job: Job) -> dict[str, bool]:
    """What the data report has to know of the tokenizer."""
    words = isinstance(job.tokenizer, WordTokenizer)
    return {"normalizes": normalizes(job.tokenizer), "words": words}


def renew_data_report(job: Job, path: Path) -> None:
    """Writes ``data_report.json`` of a run that goes on again where it is damaged or missing."""
    try:
        if read_data_report(path):
            return
        fault = "is missing"
    except (OSError, ValueError) as error:
        fault = fault_of(error)
    log.warning("%s %s: the data are read once more for it", path, fault)
    train, dev = (survey_split(job, split) for split in SPLITS)
    write_json(path, _report(job, train, dev))


def _unread(job: Job) -> list[Problem]:
    """A warning for each file of a transfer set that no term would learn from."""
    read = not job.rows.labelled("train") or any(p.data == "texts" for p in job.method.phases())
    files = [] if read else job.task.transfer(job.rows.path("train"))
    message = "is not read: this method learns from gold labels alone"
    return [
        Problem(str(file), message, severity="warning", code="data.unlabeled-not-read")
        for file in files
    ]


def _without_labels(job: Job, train: Survey) -> list[Problem]:
    """A warning for each term on gold labels where no training row has one."""
    names = job.method.label_terms if train.unlabelled == train.num_rows else ()
    message = "is 0 throughout: no training row has a label"
    hint = (
        "Give labels, or set its weight to 0. If the rows have labels, what parts their fields is not what "
        "the file's name says (TAB for .tsv and .txt, a comma for .csv)."
    )
    return [
        Problem(f"term {name}", message, hint, "warning", code="terms.no-row-has-a-label")
        for name in names
    ]


def _larger(job: Job) -> list[Problem]:
    """A warning where the student has more parameters than its teacher."""
    if job.teacher is None:
        return []
    student, teacher = (count_parameters(model).total for model in (job.student, job.teacher))
    if student <= teacher:
        return []
    sizes = f"{parameter_count(student)} parameters, the teacher {parameter_count(teacher)}"
    message = f"the student has {sizes}: it is larger than what it learns from"
    place = "student_architectures"
    return [Problem(place, message, severity="warning", code="student.larger-than-the-teacher")]


def _of_networks(job: Job, train: Survey) -> list[Problem]:
    return [*_unread(job), *_larger(job), *_other_texts(job, train), *_types_unasked(job, train)]


def _types_unasked(job: Job, train: Survey) -> list[Problem]:
    """A warning where a teacher may have been trained without the token types that it is given."""
    pairs = any(row.text_b is not None for row in train.sample)
    if job.teacher is None or not job.teacher_is_trained or not pairs:
        return []
    if not takes_token_types(job.teacher):
        return []
    tokenizer = job.reader.teacher_tokenizer or job.reader.tokenizer
    found = types_problem(tokenizer, job.teacher.config.name_or_path or "teacher_architectures")
    return [] if found is None else [found]


def _other_texts(job: Job, train: Survey) -> list[Problem]:
    """A warning where a network with one vector a text was made for rows of another number of texts."""
    made_for, pairs = getattr(job.student.config, "texts", None), train.sample
    texts = 2 if any(row.text_b is not None for row in pairs) else 1
    if made_for is None or made_for == texts:
        return []
    message = (
        "it was made for pairs of texts, and these rows have one: its second vector is always 0"
    )
    if texts == 2:
        message = "it was made for rows of one text, and these have two: it reads both as one text"
    hint = "Start a new network for these rows: leave its folder out."
    place = job.student.config.name_or_path or "student_architectures"
    return [Problem(place, message, hint, "warning", code="student.of-other-texts")]


def _networks(job: Job, check: TeacherCheck | None) -> Section:
    rows = []
    for role, model in (("teacher", job.teacher), ("student", job.student)):
        if model is None:
            continue
        own = model.config
        rows += network_rows(
            role if job.verb == "distill" else "network",
            layers=count_layers(own),
            width=getattr(own, "hidden_size", None),
            heads=getattr(own, "num_attention_heads", None),
            parameters=sum(p.numel() for p in model.parameters()),
        )
    rows += [("", note) for note in job.notes]
    rows.append(
        (
            "labels",
            shown(names_text(job.names, len(job.names))) or f"one output ({job.match.objective})",
        )
    )
    rows += [("", shown(line)) for line in meanings(job.task, job.match, job.teacher)]
    if check is not None:
        rows.append(("teacher on dev", str(check)))
    return Section("networks", rows)
