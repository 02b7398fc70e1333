"""Can a network read what its tokenizer gives: ids, lengths, sound weights, and one row tried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from ..errors import Problem, errors_of
from ..text.vocabulary import check_vocabulary
from .finite import weights_problem
from .layers import num_embeddings
from .lengths import check_lengths
from .padding import fit_padding
from .structure import structural_copy

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..config.schema import RunConfig


def reading_problems(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: RunConfig,
    *,
    role: str,
    beside: Mapping[str, PreTrainedModel] | None = None,
) -> list[Problem]:
    """Everything that keeps a network from reading rows, and warnings; sets its padding.

    Args:
        model: On the CPU.
        tokenizer: That makes its ids.
        config: The lengths that rows are cut to.
        role: ``teacher``, ``model`` …, for messages.
        beside: By role, networks that were asked before and read with the same tokenizer.
    """
    problems = check_lengths(
        config.max_seq_length,
        model.config,
        model,
        role=role,
        num_special=tokenizer.num_special_tokens_to_add(pair=True),
        max_query_length=config.max_query_length,
        max_reply_length=config.max_reply_length,
    )
    rows = num_embeddings(model)
    if rows is not None:
        problems += filter(None, [check_vocabulary(tokenizer, rows)])
    problems += filter(None, [weights_problem(model, role)])
    if not errors_of(problems):
        problems += filter(None, [try_a_row(model, tokenizer, role)])
    if not errors_of(problems):
        problems += filter(None, [fit_padding(model, tokenizer, role, beside)])
    return problems


@torch.no_grad()
def try_a_row(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, role: str
) -> Problem | None:
    """One short pair of texts through the network: a configuration can be valid and fit nothing.

    The network is left as it is; no generator is touched.
    """
    try:
        ids = torch.tensor([tokenizer("a", "b")["input_ids"]])
        trial = structural_copy(model).train(False)  # BigBird, for one, changes with a short row
        logits = trial(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        shape = tuple(logits.shape)
    except Exception as error:  # whatever a network raises that its configuration does not fit
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = f"the {role} cannot read a row ({type(error).__name__}: {reason})"
        hint = "Its config.json or its tokenizer's files do not fit its weights."
        return Problem(role, message, hint, code="network.cannot-read-a-row")
    if shape != (1, model.config.num_labels):
        message = f"the {role} gives {shape} numbers for a row, its config says num_labels "
        return Problem(
            role, f"{message}{model.config.num_labels}", code="network.other-output-count"
        )
    return None
