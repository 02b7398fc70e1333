"""The parts of a run on a corpus, put together from its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...config.schema import Architecture, RunConfig
from ...config.task import task_of
from ...data.encoded import Lengths
from ...data.masking import Masking
from ...errors import Problem, UserError, errors_of
from ...methods.base import Method, RunValues
from ...models.finite import weights_problem
from ...models.layers import num_embeddings
from ...models.lengths import check_lengths
from ...models.load import load_config
from ...models.masked_lm import head_missing, head_problem, load_masked_lm
from ...readers.word_pieces import RowEncoder
from ...tasks.base import Task
from ...tasks.corpus_survey import Corpus
from ...text.vocabulary import check_vocabulary
from ...train.launch import world_size
from ..job import tokenizer_of
from ..settling import Settled, problems_of, settle_kept
from ..usual_values import MANY_ROWS, Start, far_values, usual_values, width_of, with_usual
from .masking import masking_of
from .texts import corpus_from

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLACE = "pretrained_architectures"


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
        masking: How tokens are masked.
        method: Holds the network.
        notes: Lines for the plan about how it was made.
        problems: What the user should know.
        usual: By key that the file leaves out, the value that was taken and why.
        late: Nothing: all of the run's fingerprint is known before its text is read.
        idle: Keys of the file that belong to other methods and have no effect.
    """

    config: RunConfig
    verb: str
    task: Task
    corpus: Corpus
    tokenizer: PreTrainedTokenizerBase
    encoder: RowEncoder
    masking: Masking
    method: Method
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    usual: Settled = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    @property
    def pad_token_id(self) -> int:
        """Fills up shorter blocks."""
        assert isinstance(self.tokenizer.pad_token_id, int)
        return self.tokenizer.pad_token_id


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
        problems += corpus.warnings
    except UserError as error:
        problems += error.problems
    try:
        block = _block(config)
        load_config(block, "pretrained", config.cache_dir)  # said before its tokenizer, if missing
        tokenizer = tokenizer_of(config, block)
        loaded = load_masked_lm(
            block, role="pretrained", cache_dir=config.cache_dir, seed=config.seed
        )
    except UserError as error:
        raise UserError([*problems, *error.problems]) from None
    model, notes = loaded.model, [loaded.report.summary()]
    problems += reading_problems(model, tokenizer, config)
    if corpus is None or errors_of(problems):
        raise UserError(problems)
    at_random = not loaded.report.source
    if head_missing(loaded):
        notes.append("the weights have no whole masked-LM head: what is new of it starts at random")
    start: Start = "random" if at_random or getattr(knobs, "train", "all") == "head" else "whole"
    config, usual, far = _settle(config, model, start)
    masking, found = masking_of(knobs, tokenizer)
    problems += found
    run = RunValues(config.epochs, config.rate, config.max_steps, config.seed, masking=masking)
    method = method_class(knobs, model, None, objective="cross_entropy", run=run)
    problems += [*problems_of(config, method), *far]
    config, kept = settle_kept(config, method)
    encoder = RowEncoder(tokenizer, Lengths(config.max_seq_length))
    return CorpusJob(
        config,
        verb,
        task_of(config),
        corpus,
        tokenizer,
        encoder,
        masking,
        method,
        notes,
        list(dict.fromkeys(problems)),
        usual | kept,
    )


def reading_problems(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: RunConfig
) -> list[Problem]:
    """Everything that keeps a network from learning masked tokens of blocks, and warnings."""
    special = tokenizer.num_special_tokens_to_add(pair=False)
    problems = check_lengths(config.max_seq_length, model.config, model, role="network")
    if config.max_seq_length <= special:
        message = f"{config.max_seq_length} leaves no room for text beside {special} special tokens"
        problems.append(Problem("max_seq_length", message, code="corpus.no-room"))
    rows = num_embeddings(model)
    if rows is not None:
        problems += filter(None, [check_vocabulary(tokenizer, rows)])
    problems += filter(None, [weights_problem(model, "network")])
    if not isinstance(tokenizer.mask_token_id, int):
        message = "the tokenizer has no mask token, and tokens are to be masked"
        hint = "Name the tokenizer of a masked language model: tokenizer_name_or_path."
        problems.append(Problem("tokenizer", message, hint, code="corpus.no-mask-token"))
    elif not errors_of(problems):
        problems += filter(None, [head_problem(model, tokenizer)])
    return problems


def _block(config: RunConfig) -> Architecture:
    block = config.pretrained_architectures
    if block is None:
        hint = (
            'Name weights: "pretrained_architectures": {"model_name_or_path": …}, or an architecture and a '
            'tokenizer for random ones: {"config_file": …, "tokenizer_name_or_path": …}.'
        )
        message = "is missing: it names the network that is trained"
        raise UserError(Problem(PLACE, message, hint, code="corpus.no-network"))
    return block


def _settle(
    config: RunConfig, model: PreTrainedModel, start: Start
) -> tuple[RunConfig, Settled, list[Problem]]:
    """Learning rate and warm-up, where the file leaves them out; the epochs are the method file's."""
    batch = config.per_gpu_train_batch_size * config.gradient_accumulation_steps * world_size()
    usual = usual_values(width_of(model.config), start, MANY_ROWS, batch)
    far = [found for found in far_values(config, usual) if found.place == "learning_rate"]
    config, taken = with_usual(config, usual)
    return config, taken, far
