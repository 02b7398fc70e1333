"""The parts of a run on a corpus, put together from its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...config.schema import RunConfig
from ...config.task import task_of
from ...data.blocks import BlockEncoder
from ...data.masking import Masking
from ...errors import Problem, UserError, errors_of
from ...methods.base import Method, RunValues
from ...tasks.base import Task
from ...tasks.corpus_survey import Corpus
from ...text.vocabulary import num_ids
from ...train.launch import world_size
from ...train.runfolder import WORDS
from ..fingerprint import hub_contents
from ..settling import Settled, problems_of, settle_kept
from ..usual_values import MANY_ROWS, Start, far_values, usual_values, width_of, with_usual
from .masking import masking_of, task_of_network
from .networks import PRETRAINED, Networks, taught, trained_alone
from .reading import block_encoder, reading_problems
from .teacher import reads_head
from .texts import corpus_from, repeats
from .words import WordReading, made_of_words

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass
class CorpusJob:
    """Everything that a run on a corpus needs, before anything is trained.

    Attributes:
        config: The configuration, settled.
        verb: ``distill``.
        task: Its figures.
        corpus: Where the text stands.
        tokenizer: Of the network.
        encoder: Makes ids of lines.
        words: How a network of whole words reads; None of one that reads pieces.
        masking: How tokens are masked; None where none is.
        method: Holds the networks.
        notes: Lines for the plan about how it was made.
        problems: What the user should know.
        usual: By key that the file leaves out, the value that was taken and why.
        late: Of the run's fingerprint, the words that are read: known once its text was.
        idle: Keys of the file that belong to other methods and have no effect.
        start: What the trained network starts from.
        teacher_is_trained: False where a network of the same shape stands in for one to come.
    """

    config: RunConfig
    verb: str
    task: Task
    corpus: Corpus
    tokenizer: PreTrainedTokenizerBase
    encoder: BlockEncoder
    masking: Masking | None
    method: Method
    words: WordReading | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    usual: Settled = field(default_factory=dict)
    late: dict[str, Any] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    start: Start = "whole"
    teacher_is_trained: bool = True

    @property
    def pad_token_id(self) -> int:
        """Fills up shorter blocks."""
        assert isinstance(self.tokenizer.pad_token_id, int)
        return self.tokenizer.pad_token_id

    @property
    def num_ids(self) -> int:
        """All ids of blocks are below it."""
        return num_ids(self.tokenizer) if self.words is None else self.words.num_ids

    @property
    def unit(self) -> str:
        """What blocks are counted in."""
        return "tokens" if self.words is None else "words"


def open_job(config: RunConfig, verb: str, method_class: type[Method]) -> CorpusJob:
    """Loads what the configuration names and checks that it fits together.

    Raises:
        UserError: everything found, of the network and of the corpus.
    """
    knobs = config.method if config.method is not None else method_class.Config()
    problems: list[Problem] = []
    corpus: Corpus | None = None
    try:
        corpus = corpus_from(config)
        problems += [*corpus.warnings, *repeats(corpus)]
    except UserError as error:
        problems += error.problems
    if corpus is None and method_class.reads_words:  # of which its network is made
        raise UserError(problems)
    try:
        found, words = _networks(config, method_class, knobs, corpus)
    except UserError as error:
        raise UserError([*problems, *error.problems]) from None
    tokenizer, student, teacher = found.tokenizer, found.student, found.teacher
    if teacher is not None:
        problems += reading_problems(teacher, tokenizer, config, role="teacher")
    # A student made of the teacher would say the same once more.
    if words is None and not errors_of(problems):
        role = "network" if teacher is None else "student"
        problems += reading_problems(student, tokenizer, config, role=role)
    if corpus is None or errors_of(problems):
        raise UserError(problems)
    config, usual, far = _settle(config, student, found.start)
    masking, doubts = masking_of(knobs, tokenizer)
    problems += doubts
    run = RunValues(config.epochs, config.rate, config.max_steps, config.seed, masking=masking)
    method = method_class(knobs, student, teacher, objective="cross_entropy", run=run)
    problems += [*problems_of(config, method), *far, *_untaught(method, found.untaught)]
    config, kept = settle_kept(config, method)
    encoder = block_encoder(tokenizer, config) if words is None else words.encoder
    return CorpusJob(
        config,
        verb,
        task_of_network(task_of(config), student),
        corpus,
        tokenizer,
        encoder,
        masking,
        method,
        words,
        found.notes,
        list(dict.fromkeys(problems)),
        usual | kept,
        late=hub_contents(config) | ({} if words is None else {WORDS: words.digest}),
        start=found.start,
    )


def _networks(
    config: RunConfig, method_class: type[Method], knobs: Any, corpus: Corpus | None
) -> tuple[Networks, WordReading | None]:
    """What is trained and what teaches it; how it reads, of a network of whole words.

    Raises:
        UserError: either cannot be made.
    """
    if corpus is not None and method_class.reads_words:
        return made_of_words(config, method_class, knobs, corpus)
    if method_class.needs_teacher:
        return taught(config, method_class, knobs), None
    head_alone = getattr(knobs, "train", "all") == "head"
    return trained_alone(config, head_alone=head_alone), None


def _untaught(method: Method, why: str) -> list[Problem]:
    """A term that reads a head of the teacher that was never trained."""
    if not why or not reads_head(method):
        return []
    message = f"a term reads the teacher's masked-LM head, and {why}"
    hint = (
        'Train the head first: "model_type": "MaskedLM" with "masked_lm": {"train": "head"}, and name that '
        "run's student folder here; or take the terms of the vocabulary out (weight 0)."
    )
    return [Problem(PRETRAINED, message, hint, code="corpus.teacher-without-head")]


def _settle(
    config: RunConfig, model: PreTrainedModel, start: Start
) -> tuple[RunConfig, Settled, list[Problem]]:
    """Learning rate and warm-up, where the file leaves them out; the epochs are the method file's."""
    batch = config.per_gpu_train_batch_size * config.gradient_accumulation_steps * world_size()
    usual = usual_values(width_of(model.config), start, MANY_ROWS, batch)
    far = [found for found in far_values(config, usual) if found.place == "learning_rate"]
    config, taken = with_usual(config, usual)
    return config, taken, far
