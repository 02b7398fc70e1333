"""Views: the ids that one network reads of each row, tokenised once and memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..disk.full import is_full
from ..disk.large_array import differences
from ..errors import Problem, UserError
from ..tasks.base import Example
from .caches import note_user
from .encoded import Encoder, Lengths
from .fingerprint import fingerprint
from .preparing import build_view
from .store import CHUNK, locked, open_array, read_manifest

__all__ = ["Lengths", "Rows", "View", "occurring", "prepare_view"]

FORMAT = 2


class Rows(NamedTuple):
    """Some rows of a view one after another: ``ids``, ``types`` (total,), ``lengths`` (rows,)."""

    ids: np.ndarray
    types: np.ndarray
    lengths: np.ndarray


class View:
    """Prepared rows; the row number is the stable id. Texts are not kept.

    Attributes:
        folder: Where the arrays lie.
        offsets: (N + 1,) int64, where rows begin in ``ids`` and ``types``.
        ids: (total,) int32, memory-mapped.
        types: (total,) uint8 token types, memory-mapped.
        columns: By name (total,) further values of each token, memory-mapped, and that of padding.
        lengths: (N,) int32 tokens of each row.
        labels: (N,) float64, nan for a row without; of multi-label rows (N, C) float32, 0 or 1.
        groups: (N,) int32 numbers into ``group_names``, -1 for a row without; None if no row has
            one.
        padding_side: ``right`` or ``left``, the tokenizer's.
        pad_token_type_id: The token type of padding.
        has_labels: Whether every row has a label.
        num_labelled: Rows with a label.
        num_rows_cut: Rows that lost tokens to the lengths.
        teacher: The same rows as a teacher with a tokenizer of its own reads them.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        facts, files = manifest["facts"], manifest["files"]
        arrays = {name: open_array(folder, name, entry) for name, entry in files.items()}
        self.folder = folder
        self.fingerprint: str = facts["fingerprint"]
        self.padding_side: str = facts["padding_side"]
        self.pad_token_type_id: int = facts["pad_token_type_id"]
        self.has_labels: bool = facts["has_labels"]
        self.num_labelled: int = facts["num_labelled"]
        self.num_rows_cut: int = facts["num_rows_cut"]
        self.teacher: View | None = None
        # Plain arrays over the maps: indexing a np.memmap costs several times as much.
        self.ids = arrays["ids"].view(np.ndarray)
        self.types = arrays["types"].view(np.ndarray)
        self.offsets = arrays["offsets"].view(np.ndarray)
        labels = arrays["labels"].view(np.ndarray)
        self.labels = labels.reshape(-1, facts["label_width"]) if facts["label_width"] else labels
        self.groups = arrays["groups"].view(np.ndarray) if facts["num_groups"] else None
        self.columns = {
            name: (arrays[name].view(np.ndarray), padding)
            for name, padding in facts.get("columns", {}).items()
        }
        self.lengths = differences(self.offsets, folder)
        self._group_names = arrays["group_names"]
        self._bad_rows = arrays["bad_rows"]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def as_teacher_reads(self) -> View:
        """The teacher's view of the rows: this one, where both networks share a tokenizer."""
        return self if self.teacher is None else self.teacher

    @property
    def cut_share(self) -> float:
        """The share of rows that lost tokens; 0 without rows."""
        return self.num_rows_cut / len(self) if len(self) else 0.0

    @property
    def group_names(self) -> list[str]:
        """Names of the groups by number; read from disk at each call."""
        return [json.loads(line) for line in self._group_names.tobytes().splitlines()]

    @property
    def bad_rows(self) -> list[str]:
        """Malformed rows of the source that were left out, each with place and reason."""
        return [json.loads(line) for line in self._bad_rows.tobytes().splitlines()]

    def tokens(self) -> np.ndarray:
        """The ids that occur, ascending; reads all rows once."""
        return occurring(self.ids)

    def rows(self, indices: np.ndarray) -> Rows:
        """The unpadded ids and token types of some rows, in the order asked."""
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        ends = np.cumsum(lengths, dtype=np.int64)
        shift = self.offsets[indices] - (ends - lengths)
        at = np.repeat(shift, lengths) + np.arange(ends[-1] if len(ends) else 0)
        return Rows(self.ids[at], self.types[at], lengths)


def occurring(ids: np.ndarray) -> np.ndarray:
    """The different ids of an array (total,), ascending; it is read once, piece by piece."""
    seen = np.zeros(0, bool)
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        longer = int(some.max()) + 1 - len(seen)
        seen = np.pad(seen, (0, max(longer, 0)))
        seen[some] = True
    return np.flatnonzero(seen)


def prepare_view(
    examples: Iterable[Example],
    encode: Encoder,
    folder: Path,
    *,
    source_fingerprint: str,
    label_width: int = 0,
    progress: Callable[[int], None] | None = None,
    user: Path | None = None,
) -> View:
    """Tokenise rows once into ``folder/<fingerprint>``, or open what is there already.

    Rows are read and written in chunks, so neither texts nor ids are ever held as a whole.
    Processes that ask for the same view at once share one preparation; one that was interrupted goes
    on, a damaged one is rebuilt. ``examples`` is not touched where the view exists.

    Args:
        encode: How the network's reader makes ids of a row.
        source_fingerprint: Of the source file and of how it is read.
        label_width: C of multi-label rows; 0 for one number a row.
        progress: Called with the number of rows done after each chunk.
        user: The run folder, noted beside the view for whoever clears up.

    Raises:
        UserError: whatever reading the examples raises, lengths without room for a text, or a
            folder that cannot be written.
        RunFailure: the disk is full.
    """
    name = view_fingerprint(encode, source_fingerprint)
    target = Path(folder) / name
    lock = target.with_name(f"{name}.lock")
    if user is not None:
        note_user(target, user)
    try:
        with locked(lock, reading=True):
            manifest = read_manifest(target)
            if manifest is None:
                build_view(examples, encode, target, name, label_width, progress)
                manifest = read_manifest(target)
            assert manifest is not None, "a view that was just written cannot be read"
            return View(target, manifest)
    except OSError as error:
        if is_full(error) or not str(error.filename).startswith(str(folder)):
            raise  # reading the rows failed, not keeping them
        manifest = read_manifest(target)
        if manifest is not None:  # complete, in a folder where even a lock cannot be written
            return View(target, manifest)
        message = f"prepared rows cannot be written here: {error.strerror}"
        raise UserError(
            Problem(
                str(folder),
                message,
                "set cache_dir to another folder",
                code="cache.rows-not-writable",
            )
        ) from error


def view_fingerprint(encode: Encoder, source_fingerprint: str) -> str:
    """What decides a view's content; versions of the tokenizer libraries are part of it."""
    parts = {"format": FORMAT, "source": source_fingerprint, **encode.identity()}
    return fingerprint(parts)[:32]
