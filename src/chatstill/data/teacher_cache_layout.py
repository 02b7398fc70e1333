"""What a teacher cache keeps of each row, its name, and how rows are cut into shards and batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .fingerprint import fingerprint

FORMAT = 1
SHARD_ROWS = 16_384  # also what an interruption can cost at most
SHARD_BYTES = 64_000_000
BATCH_ROWS = 64  # more rows of small data sets would mean more padding
BATCH_TOKENS = 4_096


@dataclass(frozen=True)
class Part:
    """One array of the cache.

    Attributes:
        name: ``logits``, ``hidden_states.4`` …
        shape: Of one row, or of one token.
        dtype: ``float32`` or ``float16``.
        per_token: One entry for each valid token of a row, in their order; else one for each row.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    per_token: bool = False

    @property
    def entry_bytes(self) -> int:
        """Bytes of one row's, or one token's, entry."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Layout:
    """What is kept of each row."""

    parts: tuple[Part, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, whatever its length."""
        return sum(part.entry_bytes for part in self.parts if not part.per_token)

    @property
    def token_bytes(self) -> int:
        """Bytes of a token."""
        return sum(part.entry_bytes for part in self.parts if part.per_token)

    def total_bytes(self, num_rows: int, num_tokens: int) -> int:
        """Size of a cache of so many rows with so many valid tokens."""
        return self.row_bytes * num_rows + self.token_bytes * num_tokens

    def facts(self) -> list[dict[str, Any]]:
        """The parts as JSON has them."""
        return [{**asdict(part), "shape": list(part.shape)} for part in self.parts]


def cache_fingerprint(layout: Layout, sources: Mapping[str, Any]) -> str:
    """Names a cache by everything that decides its contents.

    Args:
        layout: The parts with their types.
        sources: The teacher's weights, the view (rows, tokenizer, lengths), the precision …
    """
    batches = [SHARD_ROWS, SHARD_BYTES, BATCH_ROWS, BATCH_TOKENS]
    return fingerprint(
        {"format": FORMAT, "batches": batches, "layout": layout.facts(), "sources": dict(sources)}
    )[:32]


def cut_into_shards(lengths: np.ndarray, layout: Layout) -> np.ndarray:
    """(S + 1,) where shards begin and end among rows that are sorted by length."""
    if not len(lengths):
        return np.zeros(1, np.int64)
    sizes = np.cumsum(layout.row_bytes + layout.token_bytes * lengths)
    bounds = [0]
    while bounds[-1] < len(lengths):
        before = sizes[bounds[-1] - 1] if bounds[-1] else 0
        end = int(np.searchsorted(sizes, before + SHARD_BYTES, side="right"))
        bounds.append(min(max(end, bounds[-1] + 1), bounds[-1] + SHARD_ROWS, len(lengths)))
    return np.array(bounds, np.int64)


def batches_of(lengths: np.ndarray) -> Iterator[slice]:
    """Batches of sorted rows, bounded in rows and in tokens with padding."""
    start = 0
    while start < len(lengths):
        end = min(start + BATCH_ROWS, len(lengths))
        sizes = lengths[start:end] * np.arange(1, end - start + 1)
        fits = int(np.searchsorted(sizes, BATCH_TOKENS, side="right"))
        end = start + max(1, fits)
        yield slice(start, end)
        start = end


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``[s, s + 1, … s + n - 1]`` of every start and length, one after another."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)
