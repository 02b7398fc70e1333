"""The nearest words among word vectors, for words of several pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..disk.json_file import read_json
from ..disk.write import replacing, write_json
from ..errors import Problem, UserError
from ..text.vector_lines import VectorLines
from .words import others

MOST = 100_000  # words: the first of a file, the most frequent of a training text
BLOCK = 64  # words that are compared at a time
UNITS = 100_000  # of a rounded cosine
PLACE = "augmentation.word_vectors"


class Table(NamedTuple):
    """Words, and their vectors (V, D) of length 1."""

    words: list[str]
    matrix: np.ndarray


def read_glove(path: Path, progress: Callable[[int], None] | None = None) -> Table:
    """The first 100,000 words of a text file in GloVe's or word2vec's format.

    Raises:
        UserError: the file cannot be read, is cut off, or its lines have different widths.
    """
    words: dict[str, np.ndarray] = {}
    lines = VectorLines(path, PLACE, progress)
    for word, vector in islice(lines, MOST):
        if word is not None and word.isalpha() and word not in words:
            words[word] = vector
    if not words:
        message = f"{path} has no word of letters alone among its first {MOST:,} lines"
        raise UserError(Problem(PLACE, message, code="augment.no-words-in-the-vectors"))
    return Table(list(words), unit(np.stack([*words.values()])))


def unit(matrix: np.ndarray) -> np.ndarray:
    """Rows of length 1; zeros stay."""
    lengths = np.sqrt((matrix.astype(np.float64) ** 2).sum(1, keepdims=True))
    scaled: np.ndarray = (matrix / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def keep(table: Table, folder: Path) -> None:
    """Writes a table for other processes, to be mapped."""
    with replacing(folder / "vectors.npy", "wb") as stream:
        np.save(stream, table.matrix, allow_pickle=False)
    write_json(folder / "vectors.json", table.words)


def kept(folder: Path) -> Table | None:
    """A table that was kept; None without one."""
    if not (folder / "vectors.json").is_file():
        return None
    words = read_json(folder / "vectors.json")
    return Table(words, np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False))


class Neighbours:
    """The nearest words of a table by cosine; of equal ones the first in the table."""

    def __init__(self, table: Table) -> None:
        self._words = table.words
        self._at = {word: number for number, word in enumerate(table.words)}
        self._matrix = torch.from_numpy(np.array(table.matrix))
        self._known: dict[tuple[str, int], list[str]] = {}

    def of(self, words: Sequence[str], number: int) -> list[list[str]]:
        """The nearest words of each, without itself; none for a word that the table lacks.

        A word that is only there in lower case has that one's.
        """
        keys = [word if word in self._at else word.lower() for word in words]
        asked = list(
            dict.fromkeys(k for k in keys if k in self._at and (k, number) not in self._known)
        )
        for start in range(0, len(asked), BLOCK):
            block = asked[start : start + BLOCK]
            for word, found in zip(block, self._nearest(block, number), strict=True):
                self._known[word, number] = found
        return [self._known.get((key, number), []) for key in keys]

    def _nearest(self, words: list[str], number: int) -> list[list[str]]:
        places = [self._at[word] for word in words]
        places += [places[-1]] * (BLOCK - len(places))  # of one shape, as the scores of a model
        cosines = self._matrix[places] @ self._matrix.T
        size = len(self._words)
        units = torch.round(cosines.double() * UNITS).long()
        keys = units * size + (size - 1 - torch.arange(size))
        asked = min(3 * number + 2, size)  # casings and other scripts are dropped
        best = torch.topk(keys, asked, dim=1).indices[: len(words)]
        found = []
        for word, row in zip(words, best.tolist(), strict=True):
            found.append(others(word, (self._words[at] for at in row))[:number])
        return found
