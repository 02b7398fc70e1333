"""How often each piece stands in the blocks of a corpus: counted once and kept beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .blocks import Blocks
from .kept import KIND, Kept

CHUNK = 1 << 22  # tokens that are counted at a time


def piece_counts(
    blocks: Blocks, vocabulary: int, folder: Path, user: Path | None = None
) -> np.ndarray:
    """(V,) int64 counts over all tokens, special ones among them.

    Args:
        blocks: Prepared; what was counted is found again by their content.
        vocabulary: Ids are below it.
        folder: Where prepared data lie.
        user: The run folder, for which they are kept; None keeps nothing.
    """
    kept = Kept(folder)
    made_of = {KIND: "piece counts", "blocks": blocks.fingerprint, "vocabulary": vocabulary}
    found = kept.find(made_of)
    if found is not None:
        return np.asarray(found[1]["counts"])
    counts = count_pieces(blocks.ids, vocabulary)
    if user is not None:
        kept.keep(made_of, {KIND: "counts"}, lambda: {"counts": counts})
        kept.write(folder, user)
    return counts


def count_pieces(ids: np.ndarray, vocabulary: int) -> np.ndarray:
    """(V,) int64 counts of ids (n,), memory-mapped or not, a stretch at a time."""
    counts = np.zeros(vocabulary, np.int64)
    for start in range(0, len(ids), CHUNK):
        counts += np.bincount(ids[start : start + CHUNK], minlength=vocabulary)
    return counts
