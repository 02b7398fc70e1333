"""A row of two texts parted into its sides, each with a [CLS] and a [SEP] of its own; and the same ids
made of a text alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from ....text.plain_ids import plain_ids
from ....text.turns import newest
from .config import DcBertConfig


class Side(NamedTuple):
    """Texts of one side: ids (B, L) of ``[CLS] text [SEP]``, padded on the right, and their mask (B, L)."""

    input_ids: Tensor
    attention_mask: Tensor


class Texts(NamedTuple):
    """A side made of texts, and how many of these were cut."""

    input_ids: Tensor
    attention_mask: Tensor
    cut: int


def part_rows(
    input_ids: Tensor,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    config: DcBertConfig,
) -> tuple[Side, Side]:
    """The query and the document of each row.

    Token types part the texts, 0 and 1; a row that has no type 1 is parted behind its first separator.
    Special tokens around the texts are taken away by their places, so that a separator inside a text
    (between the turns of a dialogue) stays.

    Args:
        input_ids: (B, L), padding on either side.
        attention_mask: (B, L); None: whatever is not the padding token.
        token_type_ids: (B, L), or None.
        config: Lengths and special tokens.
    """
    valid = input_ids != config.pad_token_id if attention_mask is None else attention_mask.bool()
    second = _second(input_ids, valid, token_type_ids, config)
    before = (config.cls_token_id, None if config.separators == 1 else config.sep_token_id)
    lengths = (config.max_query_length, config.max_reply_length)
    masks = (valid & ~second, second)
    query, document = (
        _alone(input_ids, inside, start, most, config)
        for inside, start, most in zip(masks, before, lengths, strict=True)
    )
    return query, document


def _second(ids: Tensor, valid: Tensor, types: Tensor | None, config: DcBertConfig) -> Tensor:
    """(B, L) whether a token belongs to the second text."""
    separators = (ids == config.sep_token_id) & valid
    behind = (separators.cumsum(-1) - separators.long() > 0) & valid
    if types is None:
        return behind
    marked = (types == 1) & valid
    typed = marked.any(-1, keepdim=True)
    return (typed & marked) | (~typed & behind)


def _alone(ids: Tensor, inside: Tensor, start: int | None, most: int, config: DcBertConfig) -> Side:
    """The tokens ``inside`` moved to the left, without the special ones at their ends, between new ones.

    Args:
        ids: (B, L).
        inside: (B, L) which are of this side.
        start: The special token that stands before the text; None where there is none.
        most: Tokens that are kept.
        config: Special tokens, and where longer texts are cut.
    """
    order = torch.argsort((~inside).int(), dim=1, stable=True)
    own, count = ids.gather(1, order), inside.sum(1)
    begin = torch.zeros_like(count)
    if start is not None:
        begin = ((own[:, 0] == start) & (count > 0)).long()
    last = own.gather(1, (count - 1).clamp(min=0)[:, None])[:, 0]
    end = count - ((last == config.sep_token_id) & (count > begin)).long()
    size = (end - begin).clamp(max=most)
    if config.truncation_side == "left":
        begin = end - size
    width = int(size.max())
    places = torch.arange(width, device=ids.device)
    text = own.gather(1, (begin[:, None] + places).clamp(max=ids.shape[1] - 1))
    found = torch.full(
        (len(ids), width + 2), config.pad_token_id, dtype=ids.dtype, device=ids.device
    )
    found[:, 0] = config.cls_token_id
    found[:, 1:-1] = torch.where(places < size[:, None], text, config.pad_token_id)
    found.scatter_(1, (size + 1)[:, None], config.sep_token_id)
    mask = torch.arange(width + 2, device=ids.device) < (size + 2)[:, None]
    return Side(found, mask.long())


def query_ids(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, config: DcBertConfig
) -> Texts:
    """Ids (B, L) of queries, mask (B, L) and the number cut: what ``part_rows`` gives of rows of them."""
    return _ids_of(texts, tokenizer, config.max_query_length, config)


def dialogue_ids(
    turns: Sequence[str], tokenizer: PreTrainedTokenizerBase, config: DcBertConfig
) -> Texts:
    """Ids (1, L) of one query of several turns, as rows have them: a separator between, oldest cut first."""
    if len(turns) == 1:
        return query_ids(turns, tokenizer, config)
    plain = plain_ids(tokenizer, turns)
    joined = [token for ids in plain for token in (*ids, config.sep_token_id)][:-1]
    kept = newest(joined, config.max_query_length, [config.sep_token_id])
    ids = torch.tensor([[config.cls_token_id, *kept, config.sep_token_id]])
    return Texts(ids, torch.ones_like(ids), int(len(kept) < len(joined)))


def document_ids(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, config: DcBertConfig
) -> Texts:
    """Ids (B, L) of replies, mask (B, L) and the number cut: what ``part_rows`` gives of rows of them."""
    return _ids_of(texts, tokenizer, config.max_reply_length, config)


def _ids_of(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, most: int, config: DcBertConfig
) -> Texts:
    if not texts:
        raise ValueError("no texts were given")
    plain = plain_ids(tokenizer, texts)
    left = config.truncation_side == "left"
    kept = [ids[max(0, len(ids) - most) :] if left else ids[:most] for ids in plain]
    width = max(map(len, kept)) + 2
    rows = [
        [
            config.cls_token_id,
            *ids,
            config.sep_token_id,
            *[config.pad_token_id] * (width - 2 - len(ids)),
        ]
        for ids in kept
    ]
    mask = [[1] * (len(ids) + 2) + [0] * (width - 2 - len(ids)) for ids in kept]
    cut = sum(len(ids) > most for ids in plain)
    return Texts(torch.tensor(rows), torch.tensor(mask), cut)
