"""A run's parts, put together from its configuration: task, tokenizer, networks, method, rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from .config.schema import Architecture, RunConfig
from .config.task import task_of
from .data.views import View, prepare_view
from .errors import Problem, UserError
from .evaluate.scoring import Reader
from .features.capture import takes_token_types
from .fingerprint import rows_fingerprint
from .methods.base import Method, RunValues, StudentSpec
from .models.custom import register
from .models.layers import copy_layers, num_embeddings, num_layers_of
from .models.load import load_classifier, load_config
from .models.shape import check_same_shape
from .preflight.labels import LabelMatch, match_labels, output_names
from .preflight.shapes import check_lengths
from .splits import label_width, lengths_of, must_have_labels, path_of
from .tasks.base import Rows, Split, Task
from .text.preprocess import preprocess_version, preprocessed
from .text.tokenizers import resolve_tokenizer
from .text.vocabulary import check_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Verb = Literal["distill", "teach"]


def device_of(config: RunConfig) -> torch.device:
    """Where networks run: the accelerator, unless ``training_arguments.use_cpu`` says otherwise."""
    if config.training_arguments.get("use_cpu") or not torch.accelerator.is_available():
        return torch.device("cpu")
    return torch.accelerator.current_accelerator() or torch.device("cpu")


def set_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Decoders find a row's last token by the padding id: it must be known."""
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id


def column_names(model: PreTrainedModel, task: Task, match: LabelMatch) -> list[str]:
    """Label names by output column: the model's own where it has some, else the task's."""
    own = output_names(model.config)
    named = not all(name.upper() == f"LABEL_{i}" for i, name in enumerate(own))
    if named or match.objective != "cross_entropy":
        return own if named else []
    names = [""] * len(own)
    for label, column in enumerate(match.order):
        names[column] = task.labels.names[label]
    return names


@dataclass
class Job:
    """Everything a run needs, before anything is trained.

    Attributes:
        config: The configuration.
        verb: ``distill`` or ``teach``.
        task: The task.
        tokenizer: Read by teacher and student alike.
        teacher: None for ``teach``.
        method: Holds the student.
        match: Columns of the task's labels in the networks' outputs.
        names: Label names by output column, for the kept checkpoint.
        notes: Lines for the plan about how the networks were made.
        warnings: What the user should know.
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
    warnings: list[Problem] = field(default_factory=list)
    teacher_is_trained: bool = True

    @property
    def student(self) -> PreTrainedModel:
        return self.method.student

    def reader(self, model: PreTrainedModel) -> Reader:
        """How a network of this job reads rows."""
        return reader_for(model, self.tokenizer, self.match)

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
        self, split: Split, folder: Path, progress: Callable[[int], None] | None = None
    ) -> View:
        """The tokenised rows of a split, prepared once under ``folder``."""
        source = rows_fingerprint(self.task, self.path(split), split, self.labelled(split))
        return prepare_view(
            self.rows(split),
            self.tokenizer,
            lengths_of(self.config),
            folder,
            source_fingerprint=source + preprocess_version(self.config.preprocess),
            label_width=label_width(self.task),
            progress=progress,
        )


def reader_for(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, match: LabelMatch
) -> Reader:
    """How a network reads rows of its task."""
    assert tokenizer.pad_token_id is not None
    order = match.order if match.objective in ("cross_entropy", "multi_label") else None
    return Reader(int(tokenizer.pad_token_id), takes_token_types(model), order, match.objective)


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


def _load(
    block: Architecture, config: RunConfig, task: Task, role: str, notes: list[str], **how: Any
) -> PreTrainedModel:
    loaded = load_classifier(
        block,
        role=role,
        problem=task.labels.kind,
        cache_dir=config.cache_dir,
        seed=config.seed,
        **how,
    )
    notes.append(loaded.report.summary())
    return loaded.model


def _student_spec(
    config: RunConfig,
    teacher: PreTrainedModel,
    task: Task,
    default: Callable[[int], int],
    notes: list[str],
) -> StudentSpec:
    """Depth: of the student's config file, else its num_hidden_layers, else the method's default.

    Raises:
        UserError: another width, head count or vocabulary than the teacher's, both values named.
    """
    block = config.student_architectures
    teacher_layers = num_layers_of(teacher.config)
    layers = default(teacher_layers)
    if block is not None:
        if block.config_file:
            student_config = load_config(block, "student", config.cache_dir)
            problems = check_same_shape(teacher.config, student_config)
            if problems:
                raise UserError(problems)
            layers = num_layers_of(student_config)
        elif block.num_hidden_layers:
            layers = block.num_hidden_layers
    if layers < 1:
        message = f"half of {teacher_layers} layers leaves no student"
        raise UserError(Problem("student_architectures", message))

    def load() -> PreTrainedModel:
        assert block is not None
        return _load(block, config, task, "student", notes, num_labels=None, label_names=None)

    path = block.model_name_or_path if block is not None else None
    return StudentSpec(layers, path, load)


def _pretrained(config: RunConfig, task: Task, notes: list[str]) -> PreTrainedModel:
    """The network that ``teach`` fine-tunes, cut to its first layers if asked."""
    block = _teacher_block(config)
    depth = block.num_hidden_layers
    whole = block.model_copy(update={"num_hidden_layers": None})
    model = _load(
        whole,
        config,
        task,
        "teacher",
        notes,
        num_labels=task.labels.num_outputs,
        label_names=task.labels.names or None,
    )
    if depth is None or depth == num_layers_of(model.config):
        return model
    if depth > num_layers_of(model.config):
        message = f"{depth} layers asked for, the weights have {num_layers_of(model.config)}"
        raise UserError(Problem("teacher_architectures.num_hidden_layers", message))
    notes.append(f"cut to its first {depth} layers")
    return copy_layers(model, depth, list(range(depth)))


def open_job(config: RunConfig, verb: Verb, method_class: type[Method]) -> Job:
    """Loads what the configuration names and checks that it fits together.

    Raises:
        UserError: every mismatch found, at once where one does not hide the next.
    """
    register(config.plugins)
    task = task_of(config)
    block = _teacher_block(config)
    load_config(block, "teacher", config.cache_dir)  # said before its tokenizer, if missing
    tokenizer = _tokenizer(config, block)
    notes: list[str] = []
    run = RunValues(config.num_train_epochs, config.learning_rate, config.max_steps)
    method_config = config.method if config.method is not None else method_class.Config()
    teacher: PreTrainedModel | None = None
    if verb == "teach":
        model = _pretrained(config, task, notes)
        match = match_labels(model.config, task.labels)
    else:
        teacher = model = _load(
            block,
            config,
            task,
            "teacher",
            notes,
            num_labels=None,
            label_names=None,
            strict_head=True,
        )
        match = match_labels(teacher.config, task.labels)
    set_padding(model, tokenizer)
    problems = [*match.errors]
    problems += check_lengths(
        config.max_seq_length,
        model.config,
        model,
        role="teacher",
        num_special=tokenizer.num_special_tokens_to_add(pair=True),
        max_query_length=config.max_query_length,
        max_reply_length=config.max_reply_length,
    )
    rows = num_embeddings(model)
    problems += filter(None, [check_vocabulary(tokenizer, rows)] if rows is not None else [])
    if errors := [p for p in problems if p.severity == "error"]:
        raise UserError(errors)
    if teacher is None:
        student = model
    else:
        spec = _student_spec(
            config,
            teacher,
            task,
            lambda depth: method_class.default_depth(method_config, depth),
            notes,
        )
        student, lines = method_class.build_student(method_config, teacher, spec)
        notes += lines
    set_padding(student, tokenizer)
    method = method_class(method_config, student, teacher, objective=match.objective, run=run)
    warnings = [*match.warnings, *(p for p in problems if p.severity == "warning")]
    names = column_names(student, task, match)
    return Job(config, verb, task, tokenizer, teacher, method, match, names, notes, warnings)
