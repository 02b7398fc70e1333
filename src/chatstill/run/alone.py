"""The student of a method that listens to no teacher: its tokenizer, and what it starts from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.schema import Architecture, StudentArchitecture
from ..errors import Problem, UserError, errors_of
from ..features.layer_map import initial_layers
from ..methods.base import Method, MethodConfig, StudentSpec
from ..models.labels import set_labels
from ..models.layers import copy_layers, count_layers
from ..models.load import load_classifier, load_config, new_classifier, with_new_head
from ..models.shape import changed_by, check_same_shape
from ..readers.fit import FittedReader, fit_reader
from ..text.tokenizers import resolve_tokenizer
from .networks import STARTS_AT_RANDOM, STUDENT, load_network
from .settling import start_of
from .usual_values import Start

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ..config.schema import RunConfig
    from ..data.kept import Kept
    from .rows import RunRows

Built = tuple["PreTrainedModel", list[str]]


class Alone(NamedTuple):
    """A student without a teacher, and what it reads with."""

    student: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    notes: list[str]
    start: Start
    words: str  # digest of its own


def build_alone(
    rows: RunRows, method_class: type[Method], knobs: MethodConfig, kept: Kept
) -> Alone:
    """The student as ``student_architectures`` and ``pretrained_architectures`` say it.

    Args:
        rows: The run's.
        method_class: What is trained.
        knobs: Its own.
        kept: What takes long to make and is kept.

    Raises:
        UserError: nothing is named, or it cannot be loaded or built.
    """
    config, notes = rows.config, list[str]()
    block = config.student_architectures or StudentArchitecture()
    named = _named(config, block)
    tokenizer = None if named is None else _tokenizer(config, named, block)
    read, source = partial(rows.counted, "train"), partial(rows.counted_source, "train")
    fitted = fit_reader(config, read, tokenizer, kept, source)
    if fitted is not None:
        tokenizer = fitted.tokenizer
    if tokenizer is None:
        raise UserError(_nothing_named())
    builder = _Builder(rows, block, fitted, notes)
    spec = StudentSpec(
        builder.depth,
        block.model_name_or_path,
        lambda: builder.build()[0],
        builder.build,
        block.copy_from,
        block.copy_layers,
        rows.reading(tokenizer),
        config.seed,
    )
    student, lines = method_class.build_student(knobs, None, spec)
    notes += lines
    at_random = start_of(notes, "teach") == "random"
    words = ""
    if fitted is not None:
        notes += [*fitted.notes, *fitted.fill(student, None, None, config)]
        words = fitted.digest
    start: Start = "random" if at_random else builder.start
    return Alone(student, tokenizer, notes, start, words)


def _teachers(config: RunConfig) -> PretrainedConfig | None:
    """Architecture of the teacher that the file names: a student's shape may hang on it."""
    block = config.teacher_architectures
    if block is None or block.model_name_or_path is None:
        return None
    return load_config(block, "teacher", config.cache_dir)


def _named(config: RunConfig, block: StudentArchitecture) -> Architecture | None:
    """The block whose weights, or whose architecture, the student starts from."""
    if block.model_name_or_path is not None:
        return block
    start = config.pretrained_architectures
    if start is not None and block.copy_from != "none":
        return start
    if block.config_file is not None or block.tokenizer_name_or_path is not None:
        return block
    return start


def _tokenizer(
    config: RunConfig, named: Architecture, block: StudentArchitecture
) -> PreTrainedTokenizerBase:
    """The one that the student names, else that of the network it starts from."""
    if named.model_name_or_path is not None:
        load_config(named, "student", config.cache_dir)  # said before its tokenizer, if missing
    return resolve_tokenizer(
        block.tokenizer_name_or_path
        or named.tokenizer_name_or_path
        or config.tokenizer_name_or_path,
        named.model_name_or_path,
        named.config_file,
        config.do_lower_case,
        config.cache_dir,
        config.normalize,
    )


class _Builder:
    """A student of weights of its own, of the pre-trained model's layers, or of random weights."""

    def __init__(
        self,
        rows: RunRows,
        block: StudentArchitecture,
        fitted: FittedReader | None,
        notes: list[str],
    ) -> None:
        self.config, self.task, self.block = rows.config, rows.task, block
        self.fitted, self.notes = fitted, notes
        self.start: Start = "whole"
        labels = rows.task.labels
        outputs = block.num_labels or labels.num_outputs
        self.outputs: dict[str, Any] = {
            "num_labels": outputs,
            "label_names": labels.numbered or None,
        }

    @property
    def depth(self) -> int:
        """Layers that the file asks for; 0 where it says nothing."""
        chosen = self.block.copy_layers
        return self.block.num_hidden_layers or (len(chosen) if isinstance(chosen, tuple) else 0)

    def build(self) -> Built:
        """See the class."""
        block, start = self.block, self.config.pretrained_architectures
        if self.fitted is not None:
            config = self.fitted.config(_teachers(self.config))
            return self._random(config, "as any network of the package")
        if block.copy_from == "teacher":
            message = "is 'teacher', and this method has none"
            hint = 'Write "pretrained", or "none" for random weights.'
            raise UserError(
                Problem(f"{STUDENT}.copy_from", message, hint, code="student.no-teacher-to-copy")
            )
        if block.model_name_or_path is not None:
            whole = block.model_copy(update={"num_hidden_layers": None})
            model = load_network(
                whole, self.config, self.task, "student", self.notes, **self.outputs
            )
            return self._cut(model)
        shape = None
        if block.config_file is not None:
            shape = load_config(block, "student", self.config.cache_dir)
        if start is not None and block.copy_from != "none":
            return self._pretrained(start, shape)
        if shape is None:
            raise UserError(_nothing_named())
        return self._random(shape, "nothing is named that it could start from")

    def _pretrained(self, start: Architecture, shape: PretrainedConfig | None) -> Built:
        """Its layers, all of them where the file says no number; its own classifier is left out."""
        loaded = load_classifier(
            start,
            role="pretrained",
            problem=self.task.labels.kind,
            cache_dir=self.config.cache_dir,
            seed=self.config.seed,
            **self.outputs,
        )
        model = loaded.model
        if shape is not None:
            found = check_same_shape(model.config, shape)
            problems = errors_of(found)
            if problems and self.block.copy_from is None:
                return self._random(shape, f"its shape is another ({problems[0].message})")
            if problems:
                hint = "Layers can only be copied between equal shapes; see copy_from."
                raise UserError([replace(problem, hint=hint) for problem in problems])
            self.notes += changed_by(found)
        self.notes.append(loaded.report.summary())
        return self._cut(with_new_head(loaded, self.config.seed), shape)

    def _cut(self, model: PreTrainedModel, shape: PretrainedConfig | None = None) -> Built:
        """The layers that the file asks for."""
        total = count_layers(model.config)
        depth = self.depth or (total if shape is None else count_layers(shape))
        if depth == total and self.block.copy_layers is None:
            return model, []
        chosen = initial_layers(total, depth, self.block.copy_layers or "first")
        self.start = "copied"
        return copy_layers(model, depth, chosen, config=shape), [
            f"the student starts as layers {chosen} (0-based) of {total}"
        ]

    def _random(self, shape: PretrainedConfig, why: str) -> Built:
        set_labels(shape, problem=self.task.labels.kind, **self.outputs)
        return new_classifier(shape, self.config.seed), [f"{STARTS_AT_RANDOM}: {why}"]


def _nothing_named() -> Problem:
    message = "nothing names the network that is trained: this method has no teacher that it could be made of"
    hint = (
        'Name weights: "student_architectures": {"model_name_or_path": …}, a pre-trained model: '
        '"pretrained_architectures": {"model_name_or_path": …}, or an architecture with a tokenizer.'
    )
    return Problem(STUDENT, message, hint, code="student.nothing-named")
