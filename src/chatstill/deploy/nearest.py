"""Candidates by their [CLS] vectors: the first stage, with usearch's graph of neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..disk.write import replacing
from ..errors import Problem, UserError
from .held import VECTOR, Column
from .index import Index
from .manifest import Nearest
from .tensor_file import REBUILD

EXTRA = 'python -m pip install "chatstill[index]"'
LOWEST_RECALL = 0.95
SEARCHED = 2  # times as many as are asked for are looked at, so that the last of them are found


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


def write_graph(index: Index, path: Path, before: Nearest | None = None) -> int:
    """Writes the graph of all replies that can be ranked, by row number; gives the file's size.

    A neighbour is near by the product of the vectors, as ``two_tower`` trains them.

    Args:
        index: As it will be.
        path: The file.
        before: The graph of the same rows before others were added or removed: it is changed, not made anew.
    """
    width = next(one.width for one in index.manifest.columns if one.name == VECTOR)
    if before is None:
        graph = _library()(ndim=width, metric="ip", dtype="f16")
    else:
        graph = _open(index.folder, before, view=False)
        gone = np.flatnonzero(~index.alive).astype(np.uint64)
        if len(gone := gone[graph.contains(gone)] if len(gone) else gone):
            graph.remove(gone)
    for batch in index.batches():
        rows = (batch.rows + index.first[batch.shard]).astype(np.uint64)
        new = ~np.atleast_1d(graph.contains(rows))
        if new.any():
            column = Column(VECTOR, width, False)
            kept = index.shards[batch.shard].kept([column], batch.rows[new], torch.device("cpu"))
            graph.add(rows[new], kept.values(VECTOR).numpy())
    data = bytes(graph.save())
    with replacing(path, "wb") as stream:
        stream.write(data)
    return len(data)


class Neighbours:
    """The graph of an index, memory-mapped.

    Raises:
        UserError: the index has none, or its file is not as it was written.
    """

    def __init__(self, index: Index) -> None:
        entry = index.manifest.nearest
        if entry is None:
            message = f"{index.folder} was built without neighbours, so it has no first stage"
            hint = "Build it with --first-stage N, or rank without one."
            raise UserError(Problem("--first-stage", message, hint, code="rank.no-neighbours"))
        self._graph = _open(index.folder, entry)

    def rows(self, vector: np.ndarray, count: int) -> np.ndarray:
        """Row numbers of the ``count`` nearest replies of a query's vector (H,), ascending."""
        found = self._graph.search(
            vector.astype(np.float32), min(count * SEARCHED, len(self._graph))
        )
        return np.sort(found.keys.astype(np.int64)[:count])


def _open(folder: Path, entry: Nearest, *, view: bool = True) -> Any:
    path = folder / entry.file
    try:
        size = path.stat().st_size
        if size != entry.size:
            message = f"has {size:,} bytes, the index was written with {entry.size:,}"
            raise UserError(
                Problem(str(path), message, REBUILD, code="index.neighbours-of-another-size")
            )
        graph = _library().restore(str(path), view=view)
        if graph is None:
            raise ValueError("no graph")
        return graph
    except (OSError, ValueError, RuntimeError) as error:
        message = f"cannot be read ({error})"
        raise UserError(
            Problem(str(path), message, REBUILD, code="index.neighbours-unreadable")
        ) from None
