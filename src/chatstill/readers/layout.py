"""Where a tokenizer puts its special tokens around one text or a pair, learnt from the tokenizer itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Problem, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

PROBES = (("hello", "good day"), ("a", "b c"), ("的", "我 是"), ("1", "2 3"))


@dataclass(frozen=True)
class Layout:
    """What stands before, between and after the texts (ids and types), and the texts' types."""

    ids: tuple[list[int], list[int], list[int]]
    types: tuple[list[int], list[int], list[int]]
    type_a: int
    type_b: int

    @property
    def size(self) -> int:
        return sum(len(part) for part in self.ids)


def learn_layout(
    tokenizer: Tokenizer, plain: Callable[[list[str]], list[list[int]]], *, pair: bool
) -> Layout:
    """Read off where a tokenizer puts the texts on one pair of probes, test it on the others."""
    layout = None
    for text_a, text_b in PROBES:
        whole = tokenizer(
            [text_a],
            [text_b] if pair else None,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=True,
            verbose=False,
        )
        ids, types = whole["input_ids"][0], whole["token_type_ids"][0]
        ids_a, ids_b = plain([text_a])[0], plain([text_b])[0] if pair else []
        if not ids_a or (pair and not ids_b):
            continue
        found = _match(ids, types, ids_a, ids_b)
        if found is None or (layout is not None and found != layout):
            layout = None
            break
        layout = found
    if layout is None:
        message = f"{type(tokenizer).__name__} does not join texts in a fixed way"
        raise UserError(
            Problem(
                "tokenizer", message, "take another tokenizer", code="tokenizer.joins-differently"
            )
        )
    return layout


def with_sides(layout: Layout) -> Layout:
    """Types 0 up to the separator of the first text, 1 after it, where the tokenizer gives none."""
    between, after = layout.ids[1], layout.ids[2]
    first = between[:1]
    types = (
        [0] * len(layout.ids[0]),
        [0] * len(first) + [1] * (len(between) - 1),
        [1] * len(after),
    )
    return Layout(layout.ids, types, 0, 1)


def separator_of(tokenizer: Tokenizer, plain: Callable[[list[str]], list[list[int]]]) -> int | None:
    """The token that ends the first text of a pair; None where none does.

    It is special, so no word, and neither unknown words nor the begin of a row have its id.

    Raises:
        UserError: the tokenizer does not put texts together in a fixed way.
    """
    layout = learn_layout(tokenizer, plain, pair=True)
    before, between, _ = layout.ids
    words = {tokenizer.unk_token_id, *before}
    if not between or between[0] in words or between[0] not in tokenizer.all_special_ids:
        return None
    return between[0]


def _match(ids: list[int], types: list[int], ids_a: list[int], ids_b: list[int]) -> Layout | None:
    """The first text at its first place, the second at its last place after it."""
    starts = [at for at in range(len(ids)) if ids[at : at + len(ids_a)] == ids_a]
    if not starts:
        return None
    start_a, end_a = starts[0], starts[0] + len(ids_a)
    if not ids_b:
        parts = (slice(0, start_a), slice(end_a, end_a), slice(end_a, None))
        type_b = types[start_a]
    else:
        places = [at for at in range(end_a, len(ids)) if ids[at : at + len(ids_b)] == ids_b]
        if not places:
            return None
        start_b, end_b = places[-1], places[-1] + len(ids_b)
        parts = (slice(0, start_a), slice(end_a, start_b), slice(end_b, None))
        type_b = types[start_b]
    before, between, after = parts
    return Layout(
        ids=(ids[before], ids[between], ids[after]),
        types=(types[before], types[between], types[after]),
        type_a=types[start_a],
        type_b=type_b,
    )
