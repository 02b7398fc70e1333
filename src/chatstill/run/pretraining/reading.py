"""Whether a network can read the blocks of a corpus, and whether its tokenizer knows the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...data.blocks import Blocks
from ...data.encoded import Lengths
from ...errors import Problem, errors_of
from ...figures import percent
from ...models.finite import weights_problem
from ...models.layers import num_embeddings
from ...models.lengths import check_lengths
from ...models.masked_lm import head_problem, is_decoder
from ...readers.word_pieces import RowEncoder
from ...text.casing import casing_report
from ...text.vocabulary import check_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...config.schema import RunConfig
    from ...tasks.corpus import Lines

MANY_UNKNOWN, ALL_UNKNOWN = 0.05, 0.99  # shares of tokens: told, and refused
SAMPLE = 64  # lines that are read for the casing


def block_encoder(tokenizer: PreTrainedTokenizerBase, config: RunConfig) -> RowEncoder:
    """Makes the ids of blocks, which are padded on the right: each begins at the first position."""
    encoder = RowEncoder(tokenizer, Lengths(config.max_seq_length))
    encoder.padding_side = "right"
    return encoder


def reading_problems(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: RunConfig,
    *,
    role: str = "network",
) -> list[Problem]:
    """Everything that keeps a network from reading masked tokens of blocks, and warnings."""
    special = tokenizer.num_special_tokens_to_add(pair=False)
    problems = check_lengths(config.max_seq_length, model.config, model, role=role)
    if config.max_seq_length <= special:
        message = f"{config.max_seq_length} leaves no room for text beside {special} special tokens"
        problems.append(Problem("max_seq_length", message, code="corpus.no-room"))
    rows = num_embeddings(model)
    if rows is not None:
        problems += filter(None, [check_vocabulary(tokenizer, rows)])
    problems += filter(None, [weights_problem(model, role)])
    if not isinstance(tokenizer.mask_token_id, int) and not is_decoder(model):
        message = "the tokenizer has no mask token, and tokens are to be masked"
        hint = "Name the tokenizer of a masked language model: tokenizer_name_or_path."
        problems.append(Problem("tokenizer", message, hint, code="corpus.no-mask-token"))
    elif not errors_of(problems):
        problems += filter(None, [head_problem(model, tokenizer)])
    return problems


def unknown_share(tokenizer: PreTrainedTokenizerBase, blocks: Blocks) -> float | None:
    """The share of a text's tokens that are the unknown one; None without such a token, or without text."""
    unknown, special = tokenizer.unk_token_id, set(tokenizer.all_special_ids)
    ends = (tokenizer.bos_token_id, tokenizer.eos_token_id)  # GPT-2 has one token for all three
    if not isinstance(unknown, int) or unknown in ends or not len(blocks):
        return None
    ids = np.asarray(blocks.ids)
    text = np.count_nonzero(~np.isin(ids, sorted(special - {unknown})))
    return float(np.count_nonzero(ids == unknown) / text) if text else None


def text_problems(
    tokenizer: PreTrainedTokenizerBase, config: RunConfig, place: str, blocks: Blocks, lines: Lines
) -> Iterator[Problem]:
    """What tells that a tokenizer is not this text's: unknown tokens are never predicted.

    Args:
        tokenizer: Its.
        config: ``do_lower_case`` among it.
        place: Where the text stands.
        blocks: Some of it.
        lines: The text.
    """
    share = unknown_share(tokenizer, blocks)
    if share is not None and share >= MANY_UNKNOWN:
        message = (
            f"{percent(share)} of the tokens are {tokenizer.unk_token}, which is never predicted: figures "
            "are of the other tokens alone"
        )
        hint = "Is it the tokenizer for this language, and do_lower_case right?"
        all_of_it = share > ALL_UNKNOWN
        severity: Literal["error", "warning"] = "error" if all_of_it else "warning"
        yield Problem(place, message, hint, severity, code="corpus.tokens-unknown")
    _, first = next(lines.read(lines.start), (0, list[str]()))
    texts = [line for line in first if line.strip()][:SAMPLE]
    if (casing := casing_report(tokenizer, config.do_lower_case, texts)) is not None:
        yield casing
