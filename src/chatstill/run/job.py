"""A run's parts, put together from its configuration: task, tokenizer, networks, method, rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from ..config.schema import Architecture, RunConfig
from ..config.task import task_of
from ..data.class_weights import RowWeights
from ..data.splits import label_width, lengths_of, must_have_labels, path_of
from ..data.views import View, prepare_view
from ..errors import Problem, UserError, errors_of
from ..evaluate.scoring import teacher_reading
from ..features.capture import NOT_INPUTS, TEACHERS, takes_token_types
from ..methods.base import Method, RunValues
from ..models.custom import register
from ..models.label_columns import LabelMatch, column_names, match_labels, positive_column
from ..models.load import load_config
from ..models.outputs import same_class_problems, set_reading
from ..models.reads_rows import reading_problems
from ..readers.fit import fit_reader, sides_problem
from ..readers.reader import Reader, reader_for
from ..readers.student_reader import student_tokenizer, token_problems
from ..readers.word_pieces import RowEncoder
from ..tasks.base import Rows, Split, Task
from ..text.preprocess import preprocess_version, preprocessed
from ..text.tokenizers import resolve_tokenizer
from .fingerprint import rows_fingerprint
from .networks import load_network, load_start, student_spec
from .settling import Settled, problems_of, settle, settle_kept, start_of
from .usual_values import Start

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Verb = Literal["distill", "teach"]


@dataclass
class Job:
    """Everything a run needs, before anything is trained.

    Attributes:
        config: The configuration.
        verb: ``distill`` or ``teach``.
        task: The task.
        tokenizer: The student's, and the teacher's unless it has one of its own.
        teacher: None for ``teach``.
        method: Holds the student.
        match: Columns of the task's labels in the networks' outputs.
        names: Label names by output column, for the kept checkpoint.
        notes: Lines for the plan about how the networks were made.
        problems: What the user should know, and what keeps the method from running: the pre-flight says
            it together with what it finds itself.
        teacher_tokenizer: The teacher's own; None where both share one.
        weights: How much rows count by their class; None where all count alike.
        start: What the trained network starts from.
        usual: By key that the file leaves out, the value that was taken and why.
        teacher_scores: The teacher's on all of dev (N, C), where the pre-flight scored all of it.
        teacher_is_trained: False where a network of the same shape stands in for one to come.
    """

    config: RunConfig
    verb: Verb
    task: Task
    tokenizer: PreTrainedTokenizerBase
    teacher: PreTrainedModel | None
    method: Method
    match: LabelMatch
    names: list[str]
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    teacher_tokenizer: PreTrainedTokenizerBase | None = None
    teacher_is_trained: bool = True
    weights: RowWeights | None = None
    start: Start = "copied"
    usual: Settled = field(default_factory=dict)
    teacher_scores: np.ndarray | None = None

    @property
    def student(self) -> PreTrainedModel:
        return self.method.student

    def reader(self, model: PreTrainedModel) -> Reader:
        """How a network of this job reads rows."""
        own = self.teacher_tokenizer if model is self.teacher else None
        return reader_for(model, own or self.tokenizer, self.match)

    def encoder(self, model: PreTrainedModel) -> RowEncoder:
        """How a network of this job makes ids of a row."""
        own = self.teacher_tokenizer if model is self.teacher else None
        sides = own is None and getattr(self.student, "reads_sides", False)
        return RowEncoder(own or self.tokenizer, lengths_of(self.config), mark_sides=sides)

    @property
    def teacher_reader(self) -> Reader:
        """How the teacher reads rows."""
        assert self.teacher is not None
        return self.reader(self.teacher)

    @property
    def training_reader(self) -> Reader:
        """How rows are read for both networks: with token types if either takes them."""
        own = self.reader(self.student)
        if self.teacher_tokenizer is not None:
            return own
        either = own.with_token_types or (
            self.teacher is not None and takes_token_types(self.teacher)
        )
        return replace(own, with_token_types=either)

    def training_batch(self, view: View, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Rows as both networks read them; a teacher with a tokenizer of its own gets its own view."""
        batch = self.training_reader.batch_of(view, rows)
        if view.teacher is not None:
            theirs = self.teacher_reader.batch_of(view.teacher, rows)
            batch |= {f"{TEACHERS}{k}": theirs[k] for k in theirs.keys() - set(NOT_INPUTS)}
        if self.weights is not None:
            batch["row_weights"] = self.weights.of(view, rows)
        return batch

    def tokens(self, view: View) -> np.ndarray:
        """Ids of all tokens that the student can be given in rows of a view, padding among them."""
        # Some networks pad further themselves, by the id of their config.
        own = getattr(self.student.config, "pad_token_id", None)
        padding = {self.training_reader.pad_token_id}
        if isinstance(own, int) and own >= 0:
            padding.add(own)
        return np.union1d(view.tokens(), sorted(padding))

    def path(self, split: Split) -> Path:
        """The file of a split, or of the one that stands in for it."""
        return path_of(self.task, split, self.config)

    def labelled(self, split: Split) -> bool:
        """Whether every row of a split must have a label."""
        return must_have_labels(split, self.method)

    def rows(self, split: Split) -> Rows:
        """The rows of a split as they are tokenised, streamed."""
        rows = self.task.read(self.path(split), split, self.labelled(split))
        return preprocessed(rows, self.config.preprocess)

    def view(
        self,
        split: Split,
        folder: Path,
        progress: Callable[[int], None] | None = None,
        user: Path | None = None,
    ) -> View:
        """The tokenised rows of a split, prepared once under ``folder`` for the run in ``user``."""
        source = rows_fingerprint(self.task, self.path(split), split, self.labelled(split))
        prepare = partial(
            prepare_view,
            folder=folder,
            source_fingerprint=source + preprocess_version(self.config.preprocess),
            label_width=label_width(self.task),
            progress=progress,
            user=user,
        )
        view = prepare(self.rows(split), self.encoder(self.student))
        if self.teacher is not None and self.teacher_tokenizer is not None:
            view.teacher = prepare(self.rows(split), self.encoder(self.teacher))
        return view


def _train_rows(config: RunConfig, task: Task, labelled: bool) -> Rows:
    """The training rows as they are prepared."""
    rows = task.read(path_of(task, "train", config), "train", labelled)
    return preprocessed(rows, config.preprocess)


def _teacher_block(config: RunConfig) -> Architecture:
    if config.teacher_architectures is None:
        raise UserError(Problem("teacher_architectures", "is missing: name the teacher"))
    return config.teacher_architectures


def _tokenizer(config: RunConfig, block: Architecture) -> PreTrainedTokenizerBase:
    return resolve_tokenizer(
        block.tokenizer_name_or_path or config.tokenizer_name_or_path,
        block.model_name_or_path,
        block.config_file,
        config.do_lower_case,
        config.cache_dir,
        config.normalize,
    )


def open_job(config: RunConfig, verb: Verb, method_class: type[Method]) -> Job:
    """Loads what the configuration names and checks that it fits together.

    Raises:
        UserError: every mismatch found, at once where one does not hide the next.
    """
    register(config.plugins)
    task = task_of(config)
    weights = RowWeights.of_config(config.class_weights, task.labels)
    block = _teacher_block(config)
    load_config(block, "teacher", config.cache_dir)  # said before its tokenizer, if missing
    tokenizer = _tokenizer(config, block)
    notes: list[str] = []
    method_config = config.method if config.method is not None else method_class.Config()
    teacher: PreTrainedModel | None = None
    if verb == "teach":
        model = load_start(block, config, task, notes)
        match = match_labels(model.config, task.labels)
    else:
        as_it_is = {"num_labels": None, "label_names": None, "strict_head": True}
        teacher = model = load_network(block, config, task, "teacher", notes, **as_it_is)
        match = match_labels(teacher.config, task.labels)
        if not match.errors:
            set_reading(teacher, teacher_reading(config, task, match.objective))
    problems = [*match.problems, *_check_tables(config, model, tokenizer, "teacher")]
    student, own = model, tokenizer
    begun = list(notes)
    if teacher is not None:
        made = len(notes)
        try:
            labelled = method_class.all_labelled(method_config)
            fitted = fit_reader(config, partial(_train_rows, config, task, labelled), tokenizer)
            known = (config, teacher, task, method_class, method_config, notes, fitted, tokenizer)
            spec = student_spec(*known)
            student, lines = method_class.build_student(method_config, teacher, spec)
            notes += lines
            begun = notes[made:]
            if fitted is not None:
                own = fitted.tokenizer
                notes += [*fitted.notes, *fitted.fill(student, teacher, tokenizer, config)]
            elif not method_class.same_shape:
                own = student_tokenizer(config, tokenizer, student, teacher)
        except UserError as error:
            raise UserError([*errors_of(problems), *error.problems]) from None
        if next(student.parameters(), None) is None:
            message = f"{type(student).__name__} has no weight: there is nothing to train"
            problems.append(Problem("student_architectures", message))
        if not errors_of(problems):  # a cut or copied student would say the same once more
            problems += _check_tables(config, student, own, "student")
            problems += same_class_problems(student, teacher)
            if own is tokenizer and (sides := sides_problem(student, teacher, own)):
                problems.append(sides)
    if errors := errors_of(problems):
        raise UserError(errors)
    start = start_of(begun, verb)
    labelled = method_class.all_labelled(method_config)
    config, usual, far = settle(config, task, student, start, labelled=labelled)
    counts = positive_column(task.labels, match)
    run = RunValues(config.epochs, config.rate, config.max_steps, config.seed, counts)
    method = method_class(method_config, student, teacher, objective=match.objective, run=run)
    problems += [*problems_of(config, method), *far]
    config, kept = settle_kept(config, method)
    theirs = None
    if own is not tokenizer:
        problems += token_problems(method, own, tokenizer)
        notes.append(
            f"the student reads its own tokens: {len(own):,} entries, not {len(tokenizer):,}"
        )
        tokenizer, theirs = own, tokenizer
    problems = list(dict.fromkeys(problems))
    names = column_names(student.config, task.labels, match)
    parts = (config, verb, task, tokenizer, teacher, method, match, names, notes, problems, theirs)
    return Job(*parts, weights=weights, start=start, usual=usual | kept)


def _check_tables(
    config: RunConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, role: str
) -> list[Problem]:
    """Positions and word embeddings of a network against lengths and tokenizer; sets its padding."""
    return reading_problems(model, tokenizer, config, role=role)
