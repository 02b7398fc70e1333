"""Tokenising the rows of a split into flat arrays on disk, in chunks, from wherever it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ..tasks.base import Example
from .encoded import Encoded, Encoder
from .store import ArrayWriter

CHUNK_ROWS = 2048
COMMIT_ROWS = 100_000  # an interrupted preparation loses no more than these
CHUNK_CHARACTERS = 1 << 21
ARRAYS: dict[str, type[np.generic]] = {
    "ids": np.int32,
    "types": np.uint8,
    "offsets": np.int64,
    "labels": np.float64,
    "groups": np.int32,
    "group_names": np.uint8,
    "bad_rows": np.uint8,
}


@dataclass
class _Counts:
    """Where a preparation stands."""

    rows: int = 0
    cut: int = 0
    tokens: int = 0
    labelled: int = 0


def build_view(
    examples: Iterable[Example],
    encode: Encoder,
    target: Path,
    name: str,
    label_width: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Writes the arrays of a view into ``target``; the caller holds its lock.

    Args:
        examples: All rows, from the first; those that an interrupted preparation has written are read
            again, but not tokenised.
        name: The view's fingerprint.
        label_width: C of multi-label rows; 0 for one number a row.
        progress: Called with the number of rows done after each chunk.
    """
    groups = _GroupNumbers()
    columns = {column.name: np.dtype(column.dtype).type for column in encode.columns}
    kinds = {**ARRAYS, **columns, "labels": np.float32 if label_width else np.float64}
    with ArrayWriter(target, kinds) as writer:
        counts = _Counts(**(writer.state or {}))
        committed = counts.rows
        if writer.state is None:
            writer.append("offsets", np.zeros(1))
        rows = _skip(iter(examples), counts.rows, groups)
        for chunk, encoded in _one_ahead(encode, chunked(rows)):
            labels = _labels(chunk, label_width)
            numbers, names = groups.number([row.group for row in chunk])
            writer.append("ids", encoded.ids)
            writer.append("types", encoded.types)
            for key, values in encoded.columns.items():
                writer.append(key, values)
            writer.append("offsets", counts.tokens + np.cumsum(encoded.lengths, dtype=np.int64))
            writer.append("labels", labels)
            writer.append("groups", numbers)
            writer.append("group_names", np.frombuffer(names, np.uint8))
            counts.rows += len(chunk)
            counts.tokens += len(encoded.ids)
            counts.cut += int(encoded.cut.sum())
            counts.labelled += sum(row.label is not None for row in chunk)
            if counts.rows - committed >= COMMIT_ROWS:
                writer.commit(asdict(counts))
                committed = counts.rows
            if progress is not None:
                progress(counts.rows)
        bad = "".join(json.dumps(line) + "\n" for line in getattr(examples, "bad", ()))
        writer.append("bad_rows", np.frombuffer(bad.encode("ascii"), np.uint8))
        writer.publish(
            {
                "fingerprint": name,
                "num_rows_cut": counts.cut,
                "num_groups": len(groups),
                "has_labels": counts.labelled == counts.rows,
                "num_labelled": counts.labelled,
                "label_width": label_width,
                "padding_side": encode.padding_side,
                "pad_token_type_id": encode.pad_token_type_id,
                "columns": {column.name: column.padding for column in encode.columns},
            }
        )


def _labels(chunk: list[Example], width: int) -> np.ndarray:
    """(rows,) numbers, or (rows, width) of 0 and 1; nan for a row without a label."""
    if not width:
        return np.array([np.nan if row.label is None else row.label for row in chunk])
    labels = np.zeros((len(chunk), width), np.float32)
    for number, row in enumerate(chunk):
        if row.label is None:
            labels[number] = np.nan
        else:
            assert isinstance(row.label, tuple)
            labels[number, list(row.label)] = 1
    return labels


def _skip(rows: Iterator[Example], count: int, groups: _GroupNumbers) -> Iterator[Example]:
    """The rows after the first ``count``, whose groups keep their numbers."""
    for start in range(0, count, CHUNK_ROWS):
        some = islice(rows, min(CHUNK_ROWS, count - start))
        groups.number([row.group for row in some])
    return rows


def _one_ahead(
    encode: Encoder, chunks: Iterator[list[Example]]
) -> Iterator[tuple[list[Example], Encoded]]:
    """Each chunk with its ids; the next one is read and tokenised meanwhile, on other cores."""

    def ids_of(chunk: list[Example]) -> Encoded:
        texts = [row.text_a for row in chunk], [row.text_b for row in chunk]
        return encode(*texts, [row.context for row in chunk])

    with ThreadPoolExecutor(1, "chatstill-tokenizer") as pool:
        waiting: tuple[list[Example], Future[Encoded]] | None = None
        for chunk in chunks:
            before, waiting = waiting, (chunk, pool.submit(ids_of, chunk))
            if before is not None:
                yield before[0], before[1].result()
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def chunked(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Rows in chunks that are bounded in number and in characters."""
    chunk: list[Example] = []
    size = 0
    for row in examples:
        chunk.append(row)
        size += len(row.text_a) + len(row.text_b or "") + sum(map(len, row.context))
        if len(chunk) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _GroupNumbers:
    """Numbers for group names in order of appearance; keeps hashes, the names go to disk."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, names: list[str | None]) -> tuple[np.ndarray, bytes]:
        """(numbers, the new names as lines of JSON)."""
        numbers = np.full(len(names), -1, np.int32)
        lines = []
        for row, name in enumerate(names):
            if name is None:
                continue
            key = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers)
                lines.append(json.dumps(name) + "\n")
            numbers[row] = self._numbers[key]
        return numbers, "".join(lines).encode("ascii")
