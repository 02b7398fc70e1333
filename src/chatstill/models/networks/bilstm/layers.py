"""A BiLSTM over rows of different lengths without packed sequences, and what becomes of its states.

torch's ONNX exporters refuse packed sequences. The backward direction reads rows that are reversed to
their real length instead, so that padding comes after the words in both directions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..lstm_precision import run_lstm
from ..word_places import at_places, reversed_places


class BiLstmLayers(nn.Module):
    """What ``nn.LSTM(bidirectional=True)`` computes on packed sequences.

    Args:
        width: Of the inputs.
        size: Of the states of one direction.
        layers: How many.
        dropout: Between layers.
    """

    def __init__(self, width: int, size: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width, *[2 * size] * (layers - 1)]
        self.ahead = nn.ModuleList(nn.LSTM(each, size, batch_first=True) for each in widths)
        self.back = nn.ModuleList(nn.LSTM(each, size, batch_first=True) for each in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """States (N, L, 2 size) of the top layer, 0 from a row's length on.

        Args:
            states: (N, L, width), the words from place 0 on; what follows them is not read.
            lengths: (N,) words of each row; may be 0.
        """
        if may_look(states) and bool((lengths == states.shape[1]).all()):
            return self._read(states, lambda found: found.flip(1))
        places = reversed_places(lengths, states.shape[1])
        states = self._read(states, lambda found: at_places(found, places))
        real = torch.arange(states.shape[1], device=lengths.device) < lengths[:, None]
        return states.masked_fill(~real[..., None], 0.0)

    def _read(self, states: Tensor, turned: Callable[[Tensor], Tensor]) -> Tensor:
        """States (N, L, 2 size); ``turned`` reverses rows (N, L, D) to their lengths, and back."""
        for number, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            if number:
                states = self.dropout(states)
            forwards, _ = run_lstm(ahead, states)
            backwards, _ = run_lstm(back, turned(states))
            states = torch.cat([forwards, turned(backwards)], -1)
        return states


class LastState(nn.Module):
    """The state of each direction when it has read all words: at the last word, and at the first."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(N, 2 H) of (N, L, 2 H); 0 for a row without words."""
        size = states.shape[-1] // 2
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, size)
        ahead = states[..., :size].gather(1, last).squeeze(1)
        return torch.cat([ahead, states[:, 0, size:]], -1)


class MaxState(nn.Module):
    """The largest value of each number over the words."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(N, 2 H) of (N, L, 2 H); 0 for a row without words."""
        words = torch.arange(states.shape[1], device=lengths.device) < lengths[:, None]
        least = torch.finfo(states.dtype).min
        found = states.masked_fill(~words[..., None], least).amax(1)
        return found.masked_fill(lengths[:, None] == 0, 0.0)


class AttentionState(nn.Module):
    """Mean of the states, weighted by softmax(w · tanh(state)) over the words (Zhou et al. 2016, 3.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)  # a bias would change no weight

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(N, 2 H) of (N, L, 2 H); 0 for a row without words."""
        words = torch.arange(states.shape[1], device=lengths.device) < lengths[:, None]
        scores = self.score(torch.tanh(states)).squeeze(-1).float()
        scores = scores.masked_fill(~words, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).to(states.dtype)
        return (weights[..., None] * states).sum(1)  # states without words are 0


def pooled_by(kind: str, width: int) -> nn.Module:
    """``last``, ``max`` or ``attention`` over states of this width."""
    if kind == "attention":
        return AttentionState(width)
    return {"last": LastState, "max": MaxState}[kind]()


def may_look(tensor: Tensor) -> bool:
    """Whether values may decide what is computed: not in a traced pass; a GPU would be waited for."""
    return (
        tensor.device.type == "cpu"
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
    )


def words_first(ids: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Moves the words of each row to its beginning, in their order.

    Args:
        ids: (N, L).
        words: (N, L) whether a place holds a word.

    Returns:
        (N, L) ids, behind the words any of the row's, and (N,) the number of words.
    """
    longest = ids.shape[1]
    counted = words.long().cumsum(1)  # ONNX sums no truth values
    places = torch.where(words, counted - 1, torch.full_like(ids, longest))
    room = torch.cat([ids, ids[:, :1]], 1)  # what is no word goes to the place behind the last
    return room.scatter(1, places, ids)[:, :longest], counted[:, -1]
