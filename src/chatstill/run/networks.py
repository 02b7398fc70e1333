"""The networks of a run out of their blocks: teacher, pre-trained model, and a student of any shape."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..config.schema import Architecture, RunConfig, StudentArchitecture
from ..errors import Problem, UserError, errors_of
from ..features.layer_map import initial_layers
from ..methods.base import Method, MethodConfig, StudentSpec
from ..models.body import head_is_new
from ..models.custom import own_type
from ..models.label_columns import match_labels, output_names
from ..models.labels import set_labels
from ..models.layers import (
    copy_layers,
    count_layers,
    num_layers_of,
    of_depth,
)
from ..models.load import load_classifier, load_config, new_classifier, with_new_head
from ..models.shape import changed_by, check_same_shape
from ..models.student_spec import STUDENT, no_layer_left, type_of_the_teacher
from ..registry.model_types import built_in, plain
from ..tasks.base import Task

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ..readers.fit import FittedReader
    from .rows import RunRows

CUT, STARTS_AT_RANDOM = "cut to its first", "the student starts at random"
Built = tuple["PreTrainedModel", list[str]]


def load_network(
    block: Architecture, config: RunConfig, task: Task, role: str, notes: list[str], **how: Any
) -> PreTrainedModel:
    """The classifier that a block names; what was loaded becomes a line of ``notes``."""
    loaded = load_classifier(block, **_usual(config, task, role), **how)
    notes.append(loaded.report.summary())
    return loaded.model


def _usual(config: RunConfig, task: Task, role: str) -> dict[str, Any]:
    return {
        "role": role,
        "problem": task.labels.kind,
        "cache_dir": config.cache_dir,
        "seed": config.seed,
    }


def load_start(
    block: Architecture, config: RunConfig, task: Task, notes: list[str]
) -> PreTrainedModel:
    """The network that ``teach`` fine-tunes, cut to its first layers if asked."""
    depth = block.num_hidden_layers
    whole = block.model_copy(update={"num_hidden_layers": None})
    model = load_network(
        whole,
        config,
        task,
        "teacher",
        notes,
        num_labels=task.labels.num_outputs,
        label_names=task.labels.numbered or None,
    )
    if depth is None or depth == num_layers_of(model.config):
        return model
    if depth > num_layers_of(model.config):
        message = f"{depth} layers asked for, the weights have {num_layers_of(model.config)}"
        raise UserError(
            Problem(
                "teacher_architectures.num_hidden_layers",
                message,
                code="student.depth-beyond-weights",
            )
        )
    notes.append(f"{CUT} {depth} layers")
    return copy_layers(model, depth, list(range(depth)))


def student_spec(
    rows: RunRows,
    teacher: PreTrainedModel,
    method_class: type[Method],
    method_config: MethodConfig,
    notes: list[str],
    fitted: FittedReader | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> StudentSpec:
    """What the configuration says of the student.

    Its depth is that of its config file, else its num_hidden_layers, else the length of a list
    ``copy_layers``, else the method's default.

    Raises:
        UserError: a depth below 1; another shape than the teacher's where the method replaces layers.
    """
    config, task = rows.config, rows.task
    block = config.student_architectures or StudentArchitecture()
    described = block.config_file or (own_type(block.model_type) and not block.model_name_or_path)
    described_as = load_config(block, "student", config.cache_dir) if described else None
    if fitted is not None:
        described_as = fitted.config(teacher.config)
    if described_as is not None and method_class.same_shape:
        problems = check_same_shape(teacher.config, described_as)
        if errors := errors_of(problems):
            raise UserError(errors)
        notes += [f"{p.place}: {p.message}; the teacher's is used" for p in problems]
    if described_as is None and (wrong := _other_type(block, teacher.config)):
        raise UserError(wrong)
    if block.num_labels not in (None, teacher.config.num_labels):
        message = f"the teacher has {teacher.config.num_labels} outputs, and so has its student"
        raise UserError(
            Problem(f"{STUDENT}.num_labels", message, "Leave it out.", code="student.other-outputs")
        )
    total = count_layers(teacher.config)
    layers = block.num_hidden_layers or 0
    if described_as is not None:
        layers = count_layers(described_as)
    elif not layers and isinstance(block.copy_layers, tuple):
        layers = len(block.copy_layers)
    layers = layers or method_class.default_depth(method_config, total)
    if layers < 1 and described_as is None and not block.model_name_or_path:
        raise UserError(no_layer_left(total))
    outputs = {"num_labels": teacher.config.num_labels, "label_names": output_names(teacher.config)}

    def load() -> PreTrainedModel:
        return _load_student(block, config, task, teacher.config, notes)

    def build() -> Built:
        if block.model_name_or_path:
            said = block.copy_from or block.copy_layers
            return load(), ["no layers are copied: the student has weights of its own"] * bool(said)
        return _Start(config, block, task, teacher, described_as, layers, outputs, notes).build()

    return StudentSpec(
        layers,
        block.model_name_or_path,
        load,
        build,
        block.copy_from,
        block.copy_layers,
        None if tokenizer is None else rows.reading(tokenizer),
        config.seed,
    )


def _load_student(
    block: StudentArchitecture,
    config: RunConfig,
    task: Task,
    teacher: PretrainedConfig,
    notes: list[str],
) -> PreTrainedModel:
    """A student with weights of its own; a classifier that goes on answers in the teacher's order."""
    named = load_config(block, "student", config.cache_dir)
    outputs: dict[str, Any] = {
        "num_labels": teacher.num_labels,
        "label_names": output_names(teacher),
    }
    loaded = load_classifier(block, **_usual(config, task, "student"), **outputs)
    if not head_is_new(loaded.model, loaded.report):
        _check_order(named, teacher, task)
    notes.append(loaded.report.summary())
    return loaded.model


class _Start:
    """A student made of layers of another network, or of random weights."""

    def __init__(
        self,
        config: RunConfig,
        block: StudentArchitecture,
        task: Task,
        teacher: PreTrainedModel,
        shape: PretrainedConfig | None,
        layers: int,
        outputs: dict[str, Any],
        notes: list[str],
    ) -> None:
        self.config, self.block, self.task, self.teacher = config, block, task, teacher
        self.shape, self.layers, self.outputs, self.notes = shape, layers, outputs, notes

    def build(self) -> Built:
        """A student with copied layers if that was asked for or the shapes allow it, else a random one."""
        source = self.block.copy_from
        if source == "none":
            return self._random("as asked")
        if source is None and self.shape is not None:
            if not count_layers(self.shape):
                return self._random(f"'{self.shape.model_type}' has no layers to copy")
            if self.layers > count_layers(self.teacher.config):
                return self._random("it has more layers than the teacher")
            other = errors_of(check_same_shape(self.teacher.config, self.shape))
            if other:
                return self._random(f"its shape is not the teacher's ({other[0].message})")
        if source == "pretrained":
            if self.config.pretrained_architectures is None:
                raise UserError(_no_pretrained())
            given = self._pretrained(self.config.pretrained_architectures)
            return self._copied(given, "the pre-trained model's", "its classifier is new")
        return self._copied(self.teacher, "the teacher's", "embeddings and classifier too")

    def _pretrained(self, block: Architecture) -> PreTrainedModel:
        """Its own classifier, of another task or another order of labels, is left out."""
        how = _usual(self.config, self.task, "pretrained")
        loaded = load_classifier(block, **how, **self.outputs)
        self.notes.append(loaded.report.summary())
        return with_new_head(loaded, self.config.seed)

    def _copied(self, source: PreTrainedModel, whose: str, rest: str) -> Built:
        total = count_layers(source.config)
        if not total:
            kind = source.config.model_type
            message = f"the student is to be made of {whose} layers, and a {kind} counts none"
            raise UserError(
                Problem(
                    STUDENT,
                    message,
                    "Name the student's own config_file.",
                    code="student.layers-not-counted",
                )
            )
        if self.shape is not None:
            found = check_same_shape(source.config, self.shape)
            if problems := errors_of(found):
                hint = "Layers can only be copied between equal shapes; see copy_from."
                raise UserError([replace(problem, hint=hint) for problem in problems])
            self.notes += changed_by(found)
        indices = initial_layers(total, self.layers, self.block.copy_layers or "first")
        student = copy_layers(source, self.layers, indices, config=self.shape)
        return student, [f"the student starts as {whose} layers {indices} (0-based); {rest}"]

    def _random(self, why: str) -> Built:
        shape = self.shape
        if shape is None:
            shape = of_depth(self.teacher.config, self.layers)
        set_labels(shape, problem=self.task.labels.kind, **self.outputs)
        shape.problem_type = self.teacher.config.problem_type
        return new_classifier(shape, self.config.seed), [f"{STARTS_AT_RANDOM}: {why}"]


def _other_type(block: StudentArchitecture, teacher: PretrainedConfig) -> Problem | None:
    """A kind of model that a student cannot be of which is made of the teacher's layers."""
    given = block.model_type
    from_teacher = not block.model_name_or_path and block.copy_from != "pretrained"
    if (
        not given
        or built_in(given)
        or not from_teacher
        or plain(given) == plain(teacher.model_type)
    ):
        return None
    return type_of_the_teacher(given, teacher.model_type)


def _no_pretrained() -> Problem:
    return Problem(
        f"{STUDENT}.copy_from",
        "the student is to start from the pre-trained model, and pretrained_architectures is missing",
        'Name it: "pretrained_architectures": {"model_name_or_path": …}, or start from the teacher: '
        '"copy_from": "teacher".',
        code="student.pretrained-missing",
    )


def _check_order(student: PretrainedConfig, teacher: PretrainedConfig, task: Task) -> None:
    """A student's folder that knows the teacher's labels in another order would be read wrongly.

    Outputs are told apart as everywhere: by their names, or by their numbers, which are the task's.
    """
    mine, theirs = output_names(student), output_names(teacher)
    found, wanted = (match_labels(one, task.labels).order for one in (student, teacher))
    if found != wanted and len(found) == len(wanted) > 1:
        message = f"its labels are {', '.join(mine)}, the teacher's {', '.join(theirs)}"
        hint = "Take a student or a teacher whose labels stand in the same order."
        raise UserError(
            Problem(f"{STUDENT}.model_name_or_path", message, hint, code="labels.other-order")
        )
