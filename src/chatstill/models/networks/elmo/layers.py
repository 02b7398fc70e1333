"""What an ELMo computes of its words' vectors (Peters et al. 2018): two directions, and a mix of the layers.

The arithmetic is that of bilm-tf and AllenNLP. ``nn.LSTM`` cannot stand in for the cell: it does not clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..word_places import at_places, reversed_places
from .characters import with_boundaries
from .tokens import Sizes, TokenEncoder

State = tuple[Tensor, Tensor]


class ClippedLstm(nn.Module):
    """An LSTM with a projection, memory and state clipped.

    Per step, with z = x W + h R + b in the order i, j, f, o: c = sigmoid(f + 1) c + sigmoid(i) tanh(j),
    clipped; h = (sigmoid(o) tanh(c)) P, clipped. The products x W of all steps are one.

    Args:
        width: Of inputs and outputs, P.
        size: Of the memory, C.
        cell_clip: See ``Sizes``.
        proj_clip: See ``Sizes``.
    """

    def __init__(self, width: int, size: int, cell_clip: float, proj_clip: float) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 4 * size)
        self.recurrent = nn.Linear(width, 4 * size, bias=False)
        self.projection = nn.Linear(size, width, bias=False)
        self.cell_clip, self.proj_clip = cell_clip, proj_clip

    def forward(self, states: Tensor, start: State | None = None) -> tuple[Tensor, Tensor]:
        """Outputs h (N, T, P) and memories c (N, T, C) of inputs (N, T, P).

        Args:
            states: What is read.
            start: h (N, P) and c (N, C) before the first step; zeros where it is left out.
        """
        gates = self.inputs(states)
        if start is None:
            hidden = gates.new_zeros(len(states), states.shape[-1])
            memory = gates.new_zeros(len(states), gates.shape[-1] // 4)
        else:
            hidden, memory = start
        outputs, memories = [], []
        for read in gates.unbind(
            1
        ):  # its gradient is one tensor; that of a slice would be one each
            into, candidate, forget, out = (read + self.recurrent(hidden)).chunk(4, -1)
            memory = torch.sigmoid(forget + 1) * memory + torch.sigmoid(into) * torch.tanh(
                candidate
            )
            memory = _clipped(memory, self.cell_clip)
            hidden = self.projection(torch.sigmoid(out) * torch.tanh(memory))
            hidden = _clipped(hidden, self.proj_clip)
            outputs.append(hidden)
            memories.append(memory)
        return torch.stack(outputs, 1), torch.stack(memories, 1)


class BiLm(nn.Module):
    """A bidirectional language model's states of each word, layer by layer.

    Args:
        sizes: Of its parts.
        dropout: Of what each layer of LSTMs reads, in training.

    Attributes:
        carries: Whether a pass begins with the states that the last one ended with, row by row, as the
            originals do. Off by default: every pass begins from zero, and a row depends on no other. For
            evaluation alone.
    """

    def __init__(self, sizes: Sizes, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens = TokenEncoder(sizes)
        self.dropout = nn.Dropout(dropout)
        clips = (sizes.cell_clip, sizes.proj_clip)
        width, size = sizes.projection_size, sizes.cell_size
        self.ahead = nn.ModuleList(ClippedLstm(width, size, *clips) for _ in range(sizes.layers))
        self.back = nn.ModuleList(ClippedLstm(width, size, *clips) for _ in range(sizes.layers))
        self.residual = sizes.residual
        self.carries = False
        self._carried: dict[str, State] = {}

    def reset_states(self) -> None:
        """The next pass begins from zero, ``carries`` or not."""
        self._carried.clear()

    def forward(self, characters: Tensor) -> tuple[list[Tensor], Tensor]:
        """States of each layer, the tokens' first, (N, W + 2, 2 P), 0 where a row has ended; the mask.

        Args:
            characters: (N, W, 50), a row's words from place 0 on; 50 zeros are no word. A row of no words
                has its two boundaries.

        Returns:
            The layers, and (N, W + 2) bool: a row's words between its boundaries.
        """
        framed = with_boundaries(characters)
        mask = framed.gt(0).any(-1)
        return self.states(self.tokens(framed), mask), mask

    def states(self, tokens: Tensor, mask: Tensor) -> list[Tensor]:
        """The layers (N, T, 2 P) over vectors of tokens (N, T, P), boundaries among them or not.

        Args:
            tokens: A row's from place 0 on.
            mask: (N, T) bool, places that a row has.
        """
        lengths = mask.sum(1)
        places = reversed_places(lengths, mask.shape[1])
        layers = [torch.cat([tokens, tokens], -1)]
        ahead, back = tokens, at_places(tokens, places)
        for number, (one, other) in enumerate(zip(self.ahead, self.back, strict=True)):
            ahead = self._layer(f"ahead {number}", one, ahead, lengths)
            back = self._layer(f"back {number}", other, back, lengths)
            layers.append(torch.cat([ahead, at_places(back, places)], -1))
        return [layer.masked_fill(~mask[..., None], 0.0) for layer in layers]

    def _layer(self, name: str, lstm: nn.Module, states: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, P) of one direction of a layer; the recurrence reads no residual."""
        if not self.carries:
            outputs, _ = lstm(self.dropout(states))
        else:
            if self.training:
                raise ValueError("states are carried over batches in evaluation alone")
            outputs, memories = lstm(states, self._start(name, states, lstm))
            self._keep(name, outputs, memories, lengths)
        residual = self.residual and not name.endswith(" 0")
        found: Tensor = outputs + states if residual else outputs
        return found

    def _start(self, name: str, states: Tensor, lstm: nn.Module) -> State:
        """What a direction of a layer ended with in rows of these numbers; zeros for new ones."""
        assert isinstance(lstm, ClippedLstm)
        rows = len(states)
        sizes = (states.shape[-1], lstm.projection.in_features)
        known = self._carried.get(name)
        if known is None:
            known = (states.new_zeros(0, sizes[0]), states.new_zeros(0, sizes[1]))
        more = max(0, rows - len(known[0]))
        hidden, memory = (nn.functional.pad(each, (0, 0, 0, more)) for each in known)
        self._carried[name] = (hidden, memory)
        return hidden[:rows], memory[:rows]

    def _keep(self, name: str, outputs: Tensor, memories: Tensor, lengths: Tensor) -> None:
        """Keeps the states at the end of each row; rows beyond these keep theirs."""
        last = (lengths - 1)[:, None, None]
        ends = [
            each.gather(1, last.expand(-1, 1, each.shape[-1])).squeeze(1).detach()
            for each in (outputs, memories)
        ]
        before = self._carried[name]
        hidden, memory = (
            torch.cat([end, known[len(end) :]]) for end, known in zip(ends, before, strict=True)
        )
        self._carried[name] = (hidden, memory)


class ScalarMix(nn.Module):
    """gamma * sum of softmax(w)_l * layer l.

    Args:
        layers: How many.
        layer_norm: Layers are brought to mean 0 and variance 1 first, each by one mean and one variance
            over all numbers that count: ``batch``, those of all rows, as in AllenNLP, where a row depends
            on its neighbours; ``row``, those of the row; empty: they are not.
    """

    def __init__(self, layers: int, layer_norm: str = "") -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))
        self.layer_norm = layer_norm

    def forward(self, layers: Sequence[Tensor], mask: Tensor) -> Tensor:
        """(N, T, D) of layers (N, T, D), by mask (N, T) bool; nothing beyond the mask is read."""
        if self.layer_norm:
            layers = [normed(layer, mask, self.layer_norm == "batch") for layer in layers]
        shares = self.weights.softmax(0)
        mixed = torch.stack([share * layer for share, layer in zip(shares, layers, strict=True)])
        return self.gamma * mixed.sum(0)


TINY = 1e-13  # as in AllenNLP for 32 bits


def normed(layer: Tensor, mask: Tensor, together: bool) -> Tensor:
    """(N, T, D) with mean 0 and variance 1 over the numbers of the mask, of all rows together or of each."""
    layer = layer.float() if layer.dtype in (torch.float16, torch.bfloat16) else layer
    counts = mask[..., None].to(layer.dtype)
    over = (0, 1, 2) if together else (1, 2)
    number = (counts.sum(over, keepdim=True) * layer.shape[-1]).clamp(min=1)
    mean = (layer * counts).sum(over, keepdim=True) / number
    centred = (layer - mean) * counts
    variance = centred.square().sum(over, keepdim=True) / number
    return centred / (variance + TINY).sqrt()


def _clipped(states: Tensor, most: float) -> Tensor:
    return states.clamp(-most, most) if most else states
