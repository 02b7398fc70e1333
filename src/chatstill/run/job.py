"""A run's parts, put together from its configuration: task, rows, networks, readers, method."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ..config.schema import Architecture, RunConfig
from ..config.task import task_of
from ..data.class_weights import RowWeights
from ..data.kept import Kept
from ..data.splits import lengths_of, rows_folder
from ..errors import Problem, UserError, errors_of
from ..evaluate.scoring import teacher_reading
from ..methods.base import Method, RunValues
from ..models.custom import register
from ..models.label_columns import LabelMatch, column_names, match_labels, positive_column
from ..models.load import load_config
from ..models.networks import network as network_of
from ..models.outputs import same_class_problems, set_reading
from ..models.reads_rows import reading_problems
from ..readers.fit import fit_reader, sides_problem
from ..readers.pair import PairReader, with_columns
from ..readers.student_reader import student_tokenizer, token_problems
from ..tasks.base import Task
from ..text.tokenizers import resolve_tokenizer
from ..train.runfolder import WORDS
from .alone import build_alone
from .fingerprint import hub_contents
from .networks import load_network, load_start, student_spec
from .phase_rows import corpus_of, undeclared
from .rows import RunRows
from .second_teacher import load_second
from .settling import Settled, problems_of, settle, settle_kept, start_of
from .usual_values import Start

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..methods.base import MethodConfig
    from ..tasks.corpus_survey import Corpus

Verb = Literal["distill", "teach"]


@dataclass
class Job:
    """Everything a run needs, before anything is trained.

    Attributes:
        config: The configuration, settled.
        verb: ``distill`` or ``teach``.
        rows: Its rows, and the task that reads them.
        reader: How student and teacher read rows.
        teacher: None for ``teach``.
        method: Holds the student.
        match: Columns of the task's labels in the networks' outputs.
        names: Label names by output column, for the kept checkpoint.
        notes: Lines for the plan about how the networks were made.
        problems: What the user should know, and what keeps the method from running: the pre-flight says
            it together with what it finds itself.
        start: What the trained network starts from.
        usual: By key that the file leaves out, the value that was taken and why.
        teacher_scores: The teacher's on all of dev (N, C), where the pre-flight scored all of it.
        kept: What takes long to make and is kept beside the prepared rows.
        late: What of the run's fingerprint is only known once its rows are read.
        idle: Keys of the file that belong to other methods and have no effect.
        teacher_is_trained: False where a network of the same shape stands in for one to come.
        corpus: Where the text of phases stands that learn from a corpus; None without them.
    """

    config: RunConfig
    verb: Verb
    rows: RunRows
    reader: PairReader
    teacher: PreTrainedModel | None
    method: Method
    match: LabelMatch
    names: list[str]
    kept: Kept
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    start: Start = "copied"
    usual: Settled = field(default_factory=dict)
    teacher_scores: np.ndarray | None = None
    teacher_is_trained: bool = True
    late: dict[str, Any] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    corpus: Corpus | None = None

    @property
    def task(self) -> Task:
        return self.rows.task

    @property
    def student(self) -> PreTrainedModel:
        return self.method.student

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The student's."""
        return self.reader.tokenizer


def _teacher_block(config: RunConfig) -> Architecture:
    if config.teacher_architectures is None:
        raise UserError(
            Problem("teacher_architectures", "is missing: name the teacher", code="teacher.missing")
        )
    return config.teacher_architectures


def tokenizer_of(config: RunConfig, block: Architecture) -> PreTrainedTokenizerBase:
    """The tokenizer of the network that a block names."""
    return resolve_tokenizer(
        block.tokenizer_name_or_path or config.tokenizer_name_or_path,
        block.model_name_or_path,
        block.config_file,
        config.do_lower_case,
        config.cache_dir,
        config.normalize,
    )


class _Networks(NamedTuple):
    """The networks of a run before its method: what is trained, what teaches, and what they read with."""

    student: PreTrainedModel
    teacher: PreTrainedModel | None
    tokenizer: PreTrainedTokenizerBase  # the student's
    match: LabelMatch
    notes: list[str]
    start: Start
    problems: list[Problem]
    words: str = ""  # digest of the student's own


def open_job(config: RunConfig, verb: Verb, method_class: type[Method]) -> Job:
    """Loads what the configuration names and checks that it fits together.

    Raises:
        UserError: every mismatch found, at once where one does not hide the next.
    """
    register(config.plugins)
    knobs = config.method if config.method is not None else method_class.Config()
    rows = RunRows.of(config, task_of(config), method_class, knobs)
    weights = RowWeights.of_config(config.class_weights, rows.task.labels)
    made = Kept(rows_folder(config, Path(config.output_dir)))
    if verb == "teach":
        found, theirs = _fine_tuned(config, rows.task), None
    elif method_class.needs_teacher:
        found, theirs = _taught(rows, method_class, knobs, made)
    else:
        found, theirs = _alone(rows, method_class, knobs, made), None
    if errors := errors_of(found.problems):
        raise UserError(errors)
    config, usual, far = settle(config, rows, found.student, found.start)
    student, teacher, match = found.student, found.teacher, found.match
    counts = positive_column(rows.task.labels, match)
    second = None
    if key := method_class.pretrained_by(knobs):
        assert teacher is not None
        of_teacher = found.tokenizer if theirs is None else theirs
        beside = {"teacher": teacher} | ({"student": student} if theirs is None else {})
        second = load_second(key, config, rows.task, beside, of_teacher, found.notes)
    run = RunValues(
        config.epochs, config.rate, config.max_steps, config.seed, counts, pretrained=second
    )
    method = method_class(knobs, student, teacher, objective=match.objective, run=run)
    problems = [*found.problems, *problems_of(config, method), *far]
    config, kept = settle_kept(config, method)
    if theirs is not None:
        problems += token_problems(method, found.tokenizer, theirs)
        sizes = f"{len(found.tokenizer):,} entries, not {len(theirs):,}"
        found.notes.append(f"the student reads its own tokens: {sizes}")
    lengths = lengths_of(config)
    rows.config = config
    reader = PairReader(student, teacher, found.tokenizer, theirs, match, lengths, weights)
    reader = with_columns(reader, method, partial(rows.counted, "train"))
    corpus, found_in_it = corpus_of(config, method, reader)
    problems += [*undeclared(method), *found_in_it]
    return Job(
        config,
        verb,
        rows,
        reader,
        teacher,
        method,
        match,
        names=column_names(student.config, rows.task.labels, match),
        kept=made,
        late=hub_contents(config) | ({WORDS: found.words} if found.words else {}),
        notes=found.notes,
        problems=list(dict.fromkeys(problems)),
        start=found.start,
        usual=usual | kept,
        corpus=corpus,
    )


def _named_teacher(config: RunConfig) -> tuple[Architecture, PreTrainedTokenizerBase]:
    """The block of the teacher, and its tokenizer."""
    block = _teacher_block(config)
    load_config(block, "teacher", config.cache_dir)  # said before its tokenizer, if missing
    return block, tokenizer_of(config, block)


def _alone(rows: RunRows, method_class: type[Method], knobs: MethodConfig, kept: Kept) -> _Networks:
    """Of ``distill`` by a method without a teacher: the student alone."""
    made = build_alone(rows, method_class, knobs, kept)
    student, tokenizer = made.student, made.tokenizer
    match = match_labels(student.config, rows.task.labels, role="student")
    problems = [*match.problems, *reading_problems(student, tokenizer, rows.config, role="student")]
    return _Networks(student, None, tokenizer, match, made.notes, made.start, problems, made.words)


def _fine_tuned(config: RunConfig, task: Task) -> _Networks:
    """Of ``teach``: the network alone."""
    block, tokenizer = _named_teacher(config)
    notes: list[str] = []
    model = load_start(block, config, task, notes)
    match = match_labels(model.config, task.labels)
    problems = [*match.problems, *reading_problems(model, tokenizer, config, role="teacher")]
    return _Networks(model, None, tokenizer, match, notes, start_of(notes, "teach"), problems)


def _taught(
    rows: RunRows, method_class: type[Method], knobs: MethodConfig, kept: Kept
) -> tuple[_Networks, PreTrainedTokenizerBase | None]:
    """Of ``distill``: the teacher and the student that the method builds; and the teacher's own tokenizer.

    Raises:
        UserError: the student cannot be built.
    """
    config, task, notes = rows.config, rows.task, list[str]()
    block, tokenizer = _named_teacher(config)
    as_it_is = {"num_labels": None, "label_names": None, "strict_head": True}
    teacher = load_network(block, config, task, "teacher", notes, **as_it_is)
    match = match_labels(teacher.config, task.labels)
    if not match.errors:
        set_reading(teacher, teacher_reading(config, task, match.objective))
    problems = [*match.problems, *reading_problems(teacher, tokenizer, config, role="teacher")]
    of_teacher, students = len(notes), tokenizer
    try:
        read, source = partial(rows.counted, "train"), partial(rows.counted_source, "train")
        fitted = fit_reader(config, read, tokenizer, kept, source)
        spec = student_spec(rows, teacher, method_class, knobs, notes, fitted, tokenizer)
        student, lines = method_class.build_student(knobs, teacher, spec)
        notes += lines
        start = start_of(notes[of_teacher:], "distill")
        if fitted is not None:
            students = fitted.tokenizer
            notes += [*fitted.notes, *fitted.fill(student, teacher, tokenizer, config)]
        elif not method_class.same_shape:
            students = student_tokenizer(config, tokenizer, student, teacher)
    except UserError as error:
        raise UserError([*errors_of(problems), *error.problems]) from None
    if next(student.parameters(), None) is None:
        message = f"{type(student).__name__} has no weight: there is nothing to train"
        problems.append(Problem("student_architectures", message, code="student.nothing-to-train"))
    if not errors_of(problems):  # a cut or copied student would say the same once more
        beside = {"teacher": teacher} if students is tokenizer else {}
        problems += reading_problems(student, students, config, role="student", beside=beside)
        problems += same_class_problems(student, teacher)
        if students is tokenizer and (sides := sides_problem(student, teacher, students)):
            problems.append(sides)
    words = "" if fitted is None else fitted.digest
    found = _Networks(student, teacher, students, match, notes, start, problems, words)
    return found, None if students is tokenizer else tokenizer


def not_random(job: Job) -> str:
    """What of a student of the package did not start from random weights; empty where all did."""
    network = network_of(job.student.config.model_type)
    if network is None:
        return ""
    if network.starts_from_files:
        return "its language model"
    named = job.config.student_architectures
    block = network.Block.model_validate((named.network if named else None) or {})
    return "its word vectors" if getattr(block, "vectors", "random") != "random" else ""
