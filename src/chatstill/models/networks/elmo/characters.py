"""Words as rows of 50 characters, the bytes of their UTF-8, in the numbers that an ELMo's table has.

A row's flat ids are a tokenizer's (``text.byte_tokenizer``): the same numbers and 2 more, so that padding,
unknown and separator stand before them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....text.byte_tokenizer import END_ID, FIRST_ID, MOST_BYTES, SHIFT

PLACES = MOST_BYTES + 2
BOS, EOS, BEGIN, END, FILL = 257, 258, 259, 260, 261


def with_boundaries(characters: Tensor) -> Tensor:
    """(N, W + 2, 50): the word ``<S>`` before each row's words of (N, W, 50), ``</S>`` right behind them."""
    framed = torch.nn.functional.pad(characters, (0, 0, 1, 1))
    framed[:, 0] = _boundary(BOS, characters)
    lengths = characters.gt(0).any(-1).sum(1)
    framed[torch.arange(len(framed), device=framed.device), lengths + 1] = _boundary(
        EOS, characters
    )
    return framed


def _boundary(character: int, like: Tensor) -> Tensor:
    """(50,): begin, the boundary's character, end, filled up."""
    word = torch.full((PLACES,), FILL, dtype=like.dtype, device=like.device)
    word[:3] = torch.tensor([BEGIN, character, END], dtype=like.dtype, device=like.device)
    return word


def words_of(ids: Tensor, counts: Tensor) -> Tensor:
    """Flat ids as (N, W, 50) characters, W the most words of a row, 50 zeros where a row has ended.

    Args:
        ids: (N, L) of the tokenizer; each word's bytes, then its end.
        counts: (N, L) which places are the row's own. Special ids are left out wherever they stand.
    """
    real = counts & (ids >= FIRST_ID)
    ends = (real & (ids == END_ID)).long()
    word = ends.cumsum(1) - ends  # which word a place is in
    order = real.long().cumsum(1)
    at_end = torch.where(ends.bool(), order, 0).cummax(1).values
    before = torch.nn.functional.pad(at_end, (1, 0))[:, :-1]  # places up to the last word's end
    place = order - 1 - before
    # What does not fit goes without the word's end, which stands in the last place then.
    place = torch.where(ends.bool(), place.clamp(max=MOST_BYTES), place)
    fits = real & (place <= MOST_BYTES) & ((place < MOST_BYTES) | ends.bool())
    lengths = torch.where(real, word + 1, 0).amax(1)
    most = int(lengths.max()) if len(ids) else 0
    found = ids.new_full((len(ids), most, PLACES), FILL)
    found[..., 0] = BEGIN
    rows = torch.arange(len(ids), device=ids.device)[:, None].expand_as(ids)
    found[rows[fits], word[fits], place[fits] + 1] = ids[fits] - SHIFT
    ended = torch.arange(most, device=ids.device) >= lengths[:, None]
    return found.masked_fill(ended[..., None], 0)
