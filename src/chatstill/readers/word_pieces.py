"""Rows of texts to ids, each side cut to its own length first, then the pair to the whole length.

A tokenizer puts special tokens around one text or a pair. Its layout is learnt once from the
tokenizer itself (so it is right for BERT, RoBERTa with its double separator, decoders and XLNet
alike), texts are encoded in batches without special tokens, cut, and put together here. Letting the
backend cut instead costs memory beyond bounds: it keeps every combination of the pieces cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.encoded import Column, Encoded, Lengths
from ..errors import Problem, UserError
from ..text.longest_first import longest_first
from ..text.plain_ids import plain_ids
from ..text.tokenizers import tokenizer_fingerprint
from ..text.turns import newest
from .layout import Layout, learn_layout, with_sides

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from .columns import TokenColumn

    Tokenizer = PreTrainedTokenizerBase


class RowEncoder:
    """Encodes rows of one or two texts with a tokenizer and lengths.

    Args:
        tokenizer: Whose special tokens stand around the texts.
        lengths: How rows are cut.
        mark_sides: Token types part the texts of a pair where the tokenizer itself gives none.
        computed: What else is prepared of each token.

    Raises:
        UserError: ``max_seq_length`` leaves no room for a token of each text, or the tokenizer does
            not put texts together in a fixed way.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        lengths: Lengths,
        *,
        mark_sides: bool = False,
        computed: Sequence[TokenColumn] = (),
    ) -> None:
        self.tokenizer = tokenizer
        self.lengths = lengths
        self.mark_sides = mark_sides
        self.computed = tuple(computed)
        # Several ids a word: rows are lists of words then, which lengths count and cuts leave whole.
        self._words_of_all: Any = getattr(tokenizer, "words_of_all", None)
        self.columns: Sequence[Column] = [one.column for one in computed]
        self._single: Layout | None = None
        self._pair: Layout | None = None
        self.padding_side: str = tokenizer.padding_side
        self.pad_token_type_id = int(getattr(tokenizer, "pad_token_type_id", 0) or 0)
        fillers = (tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id)
        self._filler: int = next((one for one in fillers if one is not None), 0)

    def __call__(
        self,
        texts_a: Sequence[str],
        texts_b: Sequence[str | None],
        contexts: Sequence[tuple[str, ...]] = (),
    ) -> Encoded:
        """Encode rows; the second text is None where there is only one (an empty one is a text).

        The turns of ``contexts`` stand before the first text, oldest first, with the separator
        between them; together they are the first text, and their oldest tokens are cut first.
        """
        rows_a = self._plain(list(texts_a))
        with_context = np.zeros(len(rows_a), np.bool_)
        if any(contexts):
            with_context = np.array([bool(turns) for turns in contexts])
            self._put_before(rows_a, contexts)
        present = [text for text in texts_b if text is not None]
        rows_b = iter(self._plain(present)) if present else iter(())
        ids: list[int] = []
        types: list[int] = []
        lengths = np.empty(len(rows_a), np.int32)
        cut = np.zeros(len(rows_a), np.bool_)
        for row, (row_a, text_b) in enumerate(zip(rows_a, texts_b, strict=True)):
            row_b = [] if text_b is None else next(rows_b)
            layout = self._layout(pair=text_b is not None)
            room = self.lengths.max_seq_length - layout.size
            part_a, part_b = self._cut(row_a, row_b, room, oldest_first=bool(with_context[row]))
            cut[row] = len(part_a) + len(part_b) < len(row_a) + len(row_b)
            part_a, part_b = self._flat(part_a), self._flat(part_b)
            if layout.size + len(part_a) + len(part_b) == 0:
                part_a = [self._filler]  # no network can read a row of nothing
            before, between, after = layout.ids
            start = len(ids)
            ids += [*before, *part_a, *between, *part_b, *after]
            before, between, after = layout.types
            types += before + [layout.type_a] * len(part_a)
            types += between + [layout.type_b] * len(part_b) + after
            lengths[row] = len(ids) - start
        numbers, columns = self._arrays(np.array(ids, np.int64))
        return Encoded(numbers, np.array(types, np.uint8), lengths, cut, columns)

    def _arrays(self, ids: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Ids of all rows one after another (total,) as they are kept, and what is computed of them."""
        numbers = ids.astype(np.int32)
        return numbers, {one.column.name: one.of(numbers) for one in self.computed}

    def identity(self) -> dict[str, Any]:
        """Tokenizer by content, lengths, and versions of the libraries."""
        import tokenizers
        import transformers

        more: dict[str, Any] = {"sides": "pairs marked"} if self.mark_sides else {}
        if self.computed:
            more["columns"] = {one.column.name: one.identity() for one in self.computed}
        return more | {
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
            "lengths": asdict(self.lengths),
            "versions": [tokenizers.__version__, transformers.__version__],
        }

    def _plain(self, texts: list[str]) -> list[list[Any]]:
        """Ids of texts without special tokens, uncut; equal texts (queries) are tokenised once.

        Words of ids, where a word is several.
        """
        different = list(dict.fromkeys(texts))
        made = self._words_of_all or self.ids_of
        found = dict(zip(different, made(different), strict=True))
        return [found[text] for text in texts]

    def _flat(self, part: list[Any]) -> list[int]:
        """The ids of what ``_plain`` gave."""
        return part if self._words_of_all is None else [number for word in part for number in word]

    @property
    def around(self) -> tuple[list[int], list[int]]:
        """The special tokens before and behind a single text."""
        layout = self._layout(pair=False)
        return layout.ids[0], [*layout.ids[1], *layout.ids[2]]

    @property
    def joint(self) -> str:
        """Before a line that goes on with a text: the blank that byte-level BPE reads as part of a word."""
        both, first, second, marked = self.ids_of(["a b", "a", "b", " b"])
        return " " if first + second != both == first + marked else ""

    def ids_of(self, texts: list[str]) -> list[list[int]]:
        """Ids of texts without special tokens, uncut."""
        if (ids_of_all := getattr(self.tokenizer, "ids_of_all", None)) is not None:  # words
            found: list[list[int]] = ids_of_all(texts)
            return found
        backend = plain_backend(self.tokenizer)
        if backend is not None:  # without offsets, masks and copies: a third less time
            backend.no_truncation()
            backend.no_padding()
            backend.encode_special_tokens = bool(self.tokenizer.split_special_tokens)
            return [one.ids for one in backend.encode_batch_fast(texts, add_special_tokens=False)]
        return plain_ids(self.tokenizer, texts)

    def _put_before(self, rows: list[list[Any]], contexts: Sequence[tuple[str, ...]]) -> None:
        """Puts the turns of each context before its row, in place."""
        turns = iter(self._plain([turn for context in contexts for turn in context]))
        separator = self._separator()
        for number, context in enumerate(contexts):
            before = [token for _ in context for token in (*next(turns), *separator)]
            rows[number] = before + rows[number]

    def _separator(self) -> list[Any]:
        """What stands between turns: the separator, else the end token, else a line end."""
        for token in (self.tokenizer.sep_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return [int(token) if self._words_of_all is None else (int(token),)]
        return self._plain(["\n"])[0]

    def _cut(
        self, row_a: list[Any], row_b: list[Any], room: int, oldest_first: bool
    ) -> tuple[list[Any], list[Any]]:
        """Cut each text to its length, then the longer one first until both fit into ``room``."""
        num_a, num_b = len(row_a), len(row_b)
        if self.lengths.max_query_length is not None:
            num_a = min(num_a, self.lengths.max_query_length)
        if self.lengths.max_reply_length is not None:
            num_b = min(num_b, self.lengths.max_reply_length)
        if num_a + num_b > room:
            num_a, num_b = longest_first(num_a, num_b, room)
        left = self.lengths.truncation_side == "left"
        part_a = row_a[len(row_a) - num_a :] if left else row_a[:num_a]
        if oldest_first and num_a < len(row_a):
            part_a = newest(row_a, num_a, self._separator())
        return part_a, row_b[len(row_b) - num_b :] if left else row_b[:num_b]

    def _layout(self, *, pair: bool) -> Layout:
        known = self._pair if pair else self._single
        if known is not None:
            return known
        layout = learn_layout(self.tokenizer, self.ids_of, pair=pair)
        # A single text has one side: its separator keeps the type that a teacher was trained with.
        if (
            pair
            and self.mark_sides
            and not any([*layout.types[1], *layout.types[2], layout.type_b])
        ):
            layout = with_sides(layout)
        if self.lengths.max_seq_length < layout.size + 1 + pair:
            longest = self.lengths.max_seq_length
            special = f"{layout.size} special tokens are added to each row"
            message = f"{longest} leaves no room for the texts: {special}"
            problem = Problem(
                "max_seq_length", message, "raise it", code="lengths.no-room-for-texts"
            )
            raise UserError(problem)
        if pair:
            self._pair = layout
        else:
            self._single = layout
        return layout


def plain_backend(tokenizer: Tokenizer) -> Any:
    """The Rust tokenizer where transformers' own encoding adds nothing to it, else None."""
    from transformers import PreTrainedTokenizerFast

    method = getattr(type(tokenizer), "_encode_plus", None)
    if method is not getattr(PreTrainedTokenizerFast, "_encode_plus", False):
        return None
    return tokenizer.backend_tokenizer
