"""Vectors of words that were computed before: a frequent word is not computed in each batch again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

AT_A_TIME = (
    32  # words; products of one shape give a word the same digits, whatever stands beside it
)
MOST_BYTES = 64 << 20  # of vectors that are kept
MOST_WORDS = 32_768
Compute = Callable[[Tensor], Tensor]


class KnownWords:
    """Keeps vectors of words while the weights that make them stand still.

    The words that come first are kept, up to ``MOST_WORDS`` of them and ``MOST_BYTES``: frequent ones are
    among them. Copies begin empty.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def __reduce__(self) -> tuple[Any, ...]:
        return KnownWords, ()

    def __len__(self) -> int:
        return len(self._places)

    def forget(self) -> None:
        """Gives the memory back."""
        self._made_by: list[Tensor] = []
        self._places: dict[bytes, int] = {}
        self._vectors = torch.empty(0, 0)

    @torch.no_grad()
    def vectors(self, words: Tensor, weights: Iterable[Tensor], compute: Compute) -> Tensor:
        """(N, P) of words (N, 50), on the CPU in 32 bits.

        Args:
            words: Characters.
            weights: What ``compute`` reads: after a change of any nothing that was kept is used. They are
                compared with a copy, number by number: not every optimizer leaves another trace.
            compute: (n, P) of (n, 50), each row by itself.
        """
        read = list(weights)
        keys = (
            words.to(torch.int16)
            .contiguous()
            .numpy()
            .view(f"V{2 * words.shape[1]}")
            .ravel()
            .tolist()
        )
        with self._lock:
            if not _alike(read, self._made_by):
                self.forget()
                self._made_by = [weight.detach().clone() for weight in read]
            new = self._first_of_new(keys)
            if not new:
                return self._vectors[[self._places[key] for key in keys]]
            fresh = in_lots(words[list(new.values())], compute)
            found = fresh
            if len(new) < len(keys):
                order = {key: number for number, key in enumerate(new)}
                found = fresh.new_empty(len(keys), fresh.shape[1])
                at = [number for number, key in enumerate(keys) if key in order]
                found[at] = fresh[[order[keys[number]] for number in at]]
                if old := [number for number, key in enumerate(keys) if key not in order]:
                    found[old] = self._vectors[[self._places[keys[number]] for number in old]]
            self._keep(list(new), fresh)
            return found

    def _first_of_new(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Where each word that is not kept stands first: long words may share their characters."""
        new: dict[bytes, int] = {}
        for number, key in enumerate(keys):
            if key not in self._places:
                new.setdefault(key, number)
        return new

    def _keep(self, keys: list[bytes], vectors: Tensor) -> None:
        if not self._places:  # memory that is not written to is not taken up
            most = min(MOST_WORDS, MOST_BYTES // (4 * vectors.shape[1]))
            self._vectors = vectors.new_empty(most, vectors.shape[1])
        begin = len(self._places)
        number = min(len(keys), len(self._vectors) - begin)
        self._vectors[begin : begin + number] = vectors[:number]
        self._places.update(zip(keys[:number], range(begin, begin + number), strict=True))


def _alike(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    same = len(some) == len(others)
    return same and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def in_lots(words: Tensor, compute: Compute) -> Tensor:
    """(N, P) of (N, 50): ``AT_A_TIME`` rows at a time, the last lot filled up."""
    missing = -len(words) % AT_A_TIME
    filled = torch.nn.functional.pad(words, (0, 0, 0, missing))
    parts = [compute(lot) for lot in filled.split(AT_A_TIME)]
    return torch.cat(parts)[: len(words)] if parts else compute(words)
