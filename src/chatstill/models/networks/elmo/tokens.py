"""The vectors of an ELMo's words, made of their characters alone (Jozefowicz et al. 2016)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .characters import PLACES
from .known_words import KnownWords


class Sizes(NamedTuple):
    """What of ``options.json`` the arithmetic needs.

    Attributes:
        char_size: Of a character's vector, d.
        filters: (width, number) of each convolution; F is the sum of the numbers.
        highways: How many.
        activation: ``relu`` or ``tanh``, of the convolutions.
        token_projection: Whether a projection from F to P follows; without it F is P.
        projection_size: P, of a token's vector and of the states of one direction.
        cell_size: C, of an LSTM's memory.
        layers: Of each direction.
        cell_clip, proj_clip: Largest size of a number of the memory and of the state; 0 clips nothing.
        residual: Whether each layer but the first adds its input to its output.
    """

    char_size: int
    filters: tuple[tuple[int, int], ...]
    highways: int
    activation: str
    token_projection: bool
    projection_size: int
    cell_size: int
    layers: int
    cell_clip: float
    proj_clip: float
    residual: bool

    @classmethod
    def of(cls, config: Any, *, token_projection: bool) -> Sizes:
        """Those that a network's configuration names."""
        return cls(
            config.char_size,
            tuple((width, number) for width, number in config.filters),
            config.highways,
            config.activation,
            token_projection,
            config.projection_size,
            config.cell_size,
            config.lstm_layers,
            config.cell_clip,
            config.proj_clip,
            config.residual,
        )

    @property
    def filter_size(self) -> int:
        """F."""
        return sum(number for _, number in self.filters)


class Highway(nn.Module):
    """g * relu(T x) + (1 - g) * x with g = sigmoid(C x): the carry gate multiplies what is transformed."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.carry = nn.Linear(size, size)
        self.transform = nn.Linear(size, size)

    def forward(self, states: Tensor) -> Tensor:
        """(N, F) of (N, F)."""
        gate = torch.sigmoid(self.carry(states))
        return gate * torch.relu(self.transform(states)) + (1 - gate) * states


class TokenEncoder(nn.Module):
    """A vector of each word, of its characters alone.

    Attributes:
        characters: (261, d); row r is character r + 1. Character 0, of no word, is zero and has no row.
        known: Words that were computed before; used where no gradient is asked for, on CPUs.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.activation, self.known = sizes.activation, KnownWords()
        self.characters = nn.Parameter(torch.zeros(261, sizes.char_size))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes.char_size, number, width) for width, number in sizes.filters
        )
        self.highways = nn.ModuleList(Highway(sizes.filter_size) for _ in range(sizes.highways))
        self.projection = (
            nn.Linear(sizes.filter_size, sizes.projection_size) if sizes.token_projection else None
        )

    def forward(self, characters: Tensor) -> Tensor:
        """(…, P) of characters (…, 50), each different word computed once."""
        words, places = characters.reshape(-1, PLACES).unique(dim=0, return_inverse=True)
        # A look-up, whose gradients are summed in a fixed order on a GPU too, as those of an index are not.
        found = nn.functional.embedding(places, self.of_words(words))
        return found.view(*characters.shape[:-1], found.shape[-1])

    def of_words(self, words: Tensor) -> Tensor:
        """(N, P) of different words (N, 50)."""
        if torch.is_grad_enabled():  # the weights are about to change
            self.known.forget()
        elif self._is_plain():
            return self.known.vectors(words, self.parameters(), self._computed)
        return self._computed(words)

    def _is_plain(self) -> bool:
        """Whether it computes in 32 bits on a CPU, and what it gives may be kept for later."""
        one = self.characters
        plain = one.device.type == "cpu" and one.dtype == torch.float32
        other = torch.is_autocast_enabled("cpu") or torch.is_inference_mode_enabled()
        return plain and not other

    def _computed(self, words: Tensor) -> Tensor:
        table = nn.functional.pad(self.characters, (0, 0, 1, 0))
        letters = nn.functional.embedding(words, table).transpose(1, 2)  # (N, d, 50)
        highest = torch.cat([each(letters).amax(-1) for each in self.convolutions], -1)
        states = torch.relu(highest) if self.activation == "relu" else torch.tanh(highest)
        for highway in self.highways:
            states = highway(states)
        return states if self.projection is None else self.projection(states)
