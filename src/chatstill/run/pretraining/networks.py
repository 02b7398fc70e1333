"""The networks of a run on a corpus: the one that is trained, and what teaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ...config.schema import Architecture, RunConfig, StudentArchitecture
from ...errors import Problem, UserError, errors_of
from ...features.layer_map import initial_layers
from ...models.distilbert import as_distilbert
from ...models.layers import copy_layers, count_layers, of_depth
from ...models.load import load_config
from ...models.masked_lm import head_missing, load_masked_lm, new_masked_lm
from ...models.shape import changed_by, check_same_shape
from ...models.student_spec import (
    STUDENT,
    StudentSpec,
    no_layer_left,
    type_of_the_teacher,
)
from ...registry.model_types import built_in, plain
from ...text.vocabulary import tokenizer_fingerprint
from ..job import tokenizer_of
from ..usual_values import Start

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ...methods.base import Method, MethodConfig
    from ...models.load import LoadedModel

PRETRAINED = "pretrained_architectures"
NEW_HEAD = "the weights have no whole masked-LM head: what is new of it starts at random"


class Networks(NamedTuple):
    """What a run on a corpus is made of.

    Attributes:
        student: The network that is trained.
        teacher: None where none teaches.
        tokenizer: Both networks read its ids.
        notes: Lines for the plan about how they were made.
        start: What the trained one starts from.
        untaught: Why the teacher's masked-LM head says nothing; empty where it was trained.
    """

    student: PreTrainedModel
    teacher: PreTrainedModel | None
    tokenizer: PreTrainedTokenizerBase
    notes: list[str]
    start: Start
    untaught: str = ""


def trained_alone(config: RunConfig, *, head_alone: bool) -> Networks:
    """The network of ``pretrained_architectures``, trained itself.

    Args:
        config: The run's.
        head_alone: Whether its body stays as it is.

    Raises:
        UserError: it cannot be loaded.
    """
    hint = (
        'Name weights: "pretrained_architectures": {"model_name_or_path": …}, or an architecture and a '
        'tokenizer for random ones: {"config_file": …, "tokenizer_name_or_path": …}.'
    )
    block = _block(config, "is missing: it names the network that is trained", hint)
    tokenizer, loaded = _read(config, block)
    notes = [loaded.report.summary()]
    if head_missing(loaded):
        notes.append(NEW_HEAD)
    at_random = not loaded.report.source
    start: Start = "random" if at_random or head_alone else "whole"
    return Networks(loaded.model, None, tokenizer, notes, start)


def taught(config: RunConfig, method_class: type[Method], knobs: MethodConfig) -> Networks:
    """A student of the network of ``pretrained_architectures``.

    Raises:
        UserError: either cannot be made.
    """
    hint = 'Name its weights: "pretrained_architectures": {"model_name_or_path": …}.'
    block = _block(config, "is missing: it names the pre-trained network that teaches", hint)
    tokenizer, loaded = _read(config, block, teaches=True)
    notes = [loaded.report.summary()]
    untaught = ""
    if not loaded.report.source:
        untaught = "its weights are random: config_file alone was given"
    elif head_missing(loaded):
        untaught = f"its weights lack {', '.join(loaded.report.missing[:3])}"
    made = _Student(config, loaded.model, method_class, knobs, tokenizer, with_head=not untaught)
    student, lines = method_class.build_student(knobs, loaded.model, made.spec())
    return Networks(
        student, loaded.model, tokenizer, [*notes, *made.notes, *lines], made.start, untaught
    )


def network_to_keep(method: Method) -> Any:
    """The network that is written: without a head that nobody trained, which would pass for one that was."""
    kept: Any = method.kept()
    return kept if method.trains_outputs else kept.base_model


def _block(config: RunConfig, message: str, hint: str) -> Architecture:
    block = config.pretrained_architectures
    if block is None:
        raise UserError(Problem(PRETRAINED, message, hint, code="corpus.no-network"))
    return block


def _read(
    config: RunConfig, block: Architecture, *, teaches: bool = False
) -> tuple[PreTrainedTokenizerBase, LoadedModel]:
    load_config(block, "pretrained", config.cache_dir)  # said before its tokenizer, if missing
    tokenizer = tokenizer_of(config, block)
    return tokenizer, load_masked_lm(
        block,
        role="pretrained",
        cache_dir=config.cache_dir,
        seed=config.seed,
        decoders=teaches,
        teaches=teaches,
    )


class _Student:
    """A student as ``student_architectures`` describes it: weights of its own, layers of the teacher, random.

    Attributes:
        notes: Lines about what was loaded.
        start: What it starts from.
    """

    def __init__(
        self,
        config: RunConfig,
        teacher: PreTrainedModel,
        method_class: type[Method],
        knobs: MethodConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        with_head: bool,
    ) -> None:
        self.copied = "embeddings and masked-LM head too" if with_head else "embeddings too"
        self.config, self.teacher, self.tokenizer = config, teacher, tokenizer
        self.block = config.student_architectures or StudentArchitecture()
        self.notes: list[str] = []
        self.start: Start = "copied"
        self.shape: PretrainedConfig | None = None
        if self.block.config_file and not self.block.model_name_or_path:
            self.shape = load_config(self.block, "student", config.cache_dir)
        total = count_layers(teacher.config)
        named = self.block.copy_layers
        layers = count_layers(self.shape) if self.shape is not None else 0
        layers = layers or self.block.num_hidden_layers or 0
        layers = layers or (len(named) if isinstance(named, tuple) else 0)
        self.layers = layers or method_class.default_depth(knobs, total)

    def spec(self) -> StudentSpec:
        """What the method builds the student from."""
        block = self.block
        return StudentSpec(
            self.layers,
            block.model_name_or_path,
            self._load,
            self._build,
            block.copy_from,
            block.copy_layers,
            seed=self.config.seed,
        )

    def _load(self) -> PreTrainedModel:
        block, config = self.block, self.config
        if block.tokenizer_name_or_path or block.model_name_or_path:
            theirs = tokenizer_of(config, block)
            if tokenizer_fingerprint(theirs) != tokenizer_fingerprint(self.tokenizer):
                message = (
                    "its tokenizer is not the teacher's, and both networks read the same tokens"
                )
                hint = "Take a student with the teacher's tokenizer, or leave its folder out."
                raise UserError(Problem(STUDENT, message, hint, code="corpus.another-tokenizer"))
        loaded = load_masked_lm(
            block, role="student", cache_dir=config.cache_dir, seed=config.seed, decoders=True
        )
        self.notes.append(loaded.report.summary())
        if head_missing(loaded):
            self.notes.append(NEW_HEAD)
        return loaded.model

    def _build(self) -> tuple[PreTrainedModel, list[str]]:
        block, teacher = self.block, self.teacher
        if block.model_name_or_path:
            said = block.copy_from or block.copy_layers
            own = "no layers are copied: the student has weights of its own"
            return self._load(), [own] * bool(said)
        if self.layers < 1:
            raise UserError(no_layer_left(count_layers(teacher.config)))
        if (why := self._why_random()) is not None:
            student, lines = self._random(why)
            return self._of_type(student, lines, as_told=self.shape is not None)
        if self.shape is not None:
            found = check_same_shape(teacher.config, self.shape)
            if wrong := errors_of(found):
                raise UserError(wrong)
            self.notes += changed_by(found)
        total = count_layers(teacher.config)
        indices = initial_layers(total, self.layers, block.copy_layers or "first")
        student = copy_layers(teacher, self.layers, indices, config=self.shape)
        lines = [f"the student starts as the teacher's layers {indices} (0-based); {self.copied}"]
        return self._of_type(student, lines)

    def _of_type(
        self, student: PreTrainedModel, lines: list[str], *, as_told: bool = False
    ) -> tuple[PreTrainedModel, list[str]]:
        """The student as the type that its block names, built like the teacher; or as its own file tells."""
        kind, theirs = self.block.model_type, self.teacher.config.model_type
        if as_told or kind is None or built_in(kind) or plain(kind) == plain(theirs):
            return student, lines
        if plain(kind) == "distilbert":
            as_one = "it is a DistilBERT: the embedding of token type 0 is added to the positions"
            return as_distilbert(student), [*lines, as_one]
        raise UserError(type_of_the_teacher(kind, theirs))

    def _why_random(self) -> str | None:
        """Why no layers are copied; None where they are."""
        if self.block.copy_from == "none":
            return "as asked"
        if self.block.copy_from is not None or self.shape is None:
            return None
        if self.layers > count_layers(self.teacher.config):
            return "it has more layers than the teacher"
        other = errors_of(check_same_shape(self.teacher.config, self.shape))
        return f"its shape is not the teacher's ({other[0].message})" if other else None

    def _random(self, why: str) -> tuple[PreTrainedModel, list[str]]:
        shape = self.shape if self.shape is not None else of_depth(self.teacher.config, self.layers)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.config.seed)
            student = new_masked_lm(shape, f"{STUDENT}.config_file", decoders=True)
        self.start = "random"
        return student, [f"the student starts at random: {why}"]
