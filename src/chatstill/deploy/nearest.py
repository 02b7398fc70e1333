"""Candidates by their vectors: the first stage, with usearch's graph of neighbours.

A neighbour is near by the product of the vectors, as ``two_tower`` trains them. The graph is one of angles,
and a large product of unequally long vectors is no small angle; so each vector gets a further number that
makes all equally long, √(R² − |x|²), and a query a 0 (Bachrach et al., RecSys 2014): then the order by angle
is the order by product. Sentence vectors are near by angle alone: all of them are made one long first. Up
to ``EXACT`` replies all are compared, and nothing is lost.
"""

from __future__ import annotations

from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..disk.write import replacing
from ..errors import Problem, UserError
from .held import VECTOR
from .index import Batch, Index
from .manifest import Nearest
from .tensor_file import REBUILD

EXTRA = 'python -m pip install "chatstill[index]"'
LOWEST_RECALL = 0.95
EXACT = 20_000  # replies
SEARCHED = 4  # times as many nodes of the graph are looked at as candidates are asked for


def _library() -> Any:
    try:
        from usearch.index import Index as Graph
    except ImportError as error:
        message = "the first stage needs the package usearch, which is not installed"
        raise UserError(
            Problem(
                "--first-stage", message, f"Install it: {EXTRA}", code="index.usearch-not-installed"
            )
        ) from error
    return Graph


def require_library() -> None:
    """Refuses a first stage where its library is missing, before anything is computed.

    Raises:
        UserError: usearch is not installed.
    """
    _library()


def write_graph(index: Index, path: Path, before: Nearest | None = None) -> tuple[int, float]:
    """Writes the graph of all replies that can be ranked, by row number; the file's size, and R.

    Args:
        index: As it will be.
        path: The file.
        before: The graph of the same rows before others were added or removed: it is changed, not made anew.
    """
    width = next(one.width for one in index.manifest.columns if one.name == VECTOR)
    if before is None:
        graph = _library()(ndim=width + 1, metric="cos", dtype="f16")
    else:
        graph = _open(index.folder, before, view=False)
        gone = np.flatnonzero(~index.alive).astype(np.uint64)
        if len(gone := gone[graph.contains(gone)] if len(gone) else gone):
            graph.remove(gone)
    radius = _longest(index) if before is None else before.radius
    for batch in index.batches():
        rows = (batch.rows + index.first[batch.shard]).astype(np.uint64)
        new = ~np.atleast_1d(graph.contains(rows))
        if new.any():
            vectors = _vectors(index, Batch(batch.shard, batch.rows[new]))
            graph.add(rows[new], _equally_long(vectors.numpy(), radius))
    data = bytes(graph.save())
    with replacing(path, "wb") as stream:
        stream.write(data)
    return len(data), radius


class Neighbours:
    """The graph of an index, memory-mapped when the index was opened: a writer may have removed its file.

    Raises:
        UserError: the index has none, or its file is not as it was written.
    """

    def __init__(self, index: Index) -> None:
        entry = index.manifest.nearest
        if entry is None:
            message = f"{index.folder} was built without neighbours, so it has no first stage"
            hint = "Build it with --first-stage N, or rank without one."
            raise UserError(Problem("--first-stage", message, hint, code="rank.no-neighbours"))
        self._graph, self._index = _open(index.folder, entry, index.graph), index
        self._all = len(index) <= EXACT

    def rows(self, vector: np.ndarray, count: int) -> np.ndarray:
        """Row numbers of the ``count`` nearest replies of a query's vector (H,), ascending.

        Of a query that is zero (no word is known) all are equally near: the first ones.
        """
        if not vector.any():
            return np.flatnonzero(self._index.alive)[:count]
        asked = np.append(vector, 0).astype(np.float32)
        self._graph.expansion_search = max(64, SEARCHED * count)
        found = self._graph.search(asked, min(count, len(self._graph)), exact=self._all)
        return np.sort(found.keys.astype(np.int64))


def _longest(index: Index) -> float:
    """R: the length of the longest vector."""
    if index.manifest.by_angle:
        return 1.0
    lengths = (float(_vectors(index, batch).norm(dim=-1).max()) for batch in index.batches())
    return max(lengths, default=0.0)


def _vectors(index: Index, batch: Batch) -> torch.Tensor:
    """(B, H) by which replies are near; by angle each is one long, or 0."""
    column = next(one for one in index.manifest.columns if one.name == VECTOR)
    kept = index.shards[batch.shard].kept([column], batch.rows, torch.device("cpu"))
    found = kept.values(VECTOR)
    return functional.normalize(found, dim=-1) if index.manifest.by_angle else found


def _equally_long(vectors: np.ndarray, radius: float) -> np.ndarray:
    """(N, H + 1) of vectors (N, H): and what each lacks to the length ``radius``."""
    lacking = np.maximum(radius**2 - (vectors**2).sum(-1), 0)
    return np.column_stack([vectors, np.sqrt(lacking)]).astype(np.float32)


def _open(folder: Path, entry: Nearest, mapped: mmap | None = None, *, view: bool = True) -> Any:
    path = folder / entry.file
    try:
        size = path.stat().st_size if mapped is None else len(mapped)
        if size != entry.size:
            message = f"has {size:,} bytes, the index was written with {entry.size:,}"
            raise UserError(
                Problem(str(path), message, REBUILD, code="index.neighbours-of-another-size")
            )
        source = str(path) if mapped is None else memoryview(mapped)
        graph = _library().restore(source, view=view)
        if graph is None:
            raise ValueError("no graph")
        return graph
    except (OSError, ValueError, RuntimeError) as error:
        message = f"cannot be read ({error})"
        raise UserError(
            Problem(str(path), message, REBUILD, code="index.neighbours-unreadable")
        ) from None
