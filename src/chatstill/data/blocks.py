"""A corpus as blocks of tokens: tokenised once, memory-mapped, packed inside documents.

A block is a row of at most ``max_seq_length`` tokens, special ones included; the last one of a document is
as short as it comes. Any block is reached at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..disk.full import is_full
from ..disk.large_array import differences
from ..errors import Problem, UserError
from ..tasks.corpus import Lines
from .caches import note_user
from .fingerprint import fingerprint
from .store import ArrayWriter, locked, open_array, read_manifest

FORMAT = 1
COMMIT_BYTES = 32 << 20  # of text: an interrupted preparation loses no more
SMALL_IDS = 1 << 16  # vocabularies up to this size need two bytes a token


class BlockEncoder(Protocol):
    """Lines to ids (``readers.word_pieces.RowEncoder``)."""

    padding_side: str

    @property
    def around(self) -> tuple[list[int], list[int]]: ...

    @property
    def joint(self) -> str: ...

    def ids_of(self, texts: list[str]) -> list[list[int]]: ...

    def identity(self) -> dict[str, Any]: ...


class Blocks:
    """Prepared blocks; the number of a block is its stable id.

    Attributes:
        offsets: (N + 1,) int64, where blocks begin in ``ids``.
        ids: (total,) uint16 or int32, memory-mapped; special tokens stand in it.
        lengths: (N,) int32 tokens of each block.
        folder: Where the arrays lie; None: in memory.
        documents: That they were made of.
        teacher: None: both networks read the same ids.
    """

    teacher: None = None

    def __init__(
        self,
        ids: np.ndarray,
        offsets: np.ndarray,
        facts: Mapping[str, Any],
        folder: Path | None = None,
    ) -> None:
        self.ids, self.offsets, self.folder = ids, offsets, folder
        self.fingerprint: str = facts["fingerprint"]
        self.padding_side: str = facts["padding_side"]
        self.documents: int = facts["documents"]
        self.lengths = differences(self.offsets, folder)

    @classmethod
    def opened(cls, folder: Path, manifest: dict[str, Any]) -> Blocks:
        """Those that were prepared in a folder."""
        files = manifest["files"]
        ids, offsets = (
            open_array(folder, name, files[name]).view(np.ndarray) for name in ("ids", "offsets")
        )
        return cls(ids, offsets, manifest["facts"], folder)

    @classmethod
    def in_memory(cls, blocks: Sequence[Sequence[int]], padding_side: str) -> Blocks:
        """A few, for a look at them; their documents are not counted."""
        lengths = np.fromiter(map(len, blocks), np.int64, len(blocks))
        ids = np.fromiter(chain.from_iterable(blocks), np.int64, int(lengths.sum()))
        facts = {"fingerprint": "", "padding_side": padding_side, "documents": 0}
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]), facts)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def num_tokens(self) -> int:
        """Of all blocks, special tokens among them."""
        return len(self.ids)

    def batch_of(
        self, rows: np.ndarray, *, pad_token_id: int, with_token_types: bool
    ) -> dict[str, torch.Tensor]:
        """A padded batch.

        Args:
            rows: (B,) numbers of blocks.
            pad_token_id: Fills up shorter blocks.
            with_token_types: Whether the network reads token types; all are 0.

        Returns:
            ``input_ids``, ``attention_mask`` and, if asked, ``token_type_ids`` (B, L) int64; ``index`` (B,).
        """
        rows = np.asarray(rows, np.int64)
        lengths = self.lengths[rows][:, None]  # (B, 1)
        column = np.arange(int(lengths.max(initial=0)))  # (L,)
        if self.padding_side == "left":
            column = column - (len(column) - lengths)
        mask = (column >= 0) & (column < lengths)  # (B, L)
        ids = self.ids.take(self.offsets[rows][:, None] + column, mode="clip").astype(np.int64)
        ids[~mask] = pad_token_id
        batch = {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }
        if with_token_types:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        batch["index"] = torch.from_numpy(rows.copy())
        return batch


class Packer:
    """Cuts the tokens of documents into blocks.

    Args:
        room: Tokens of a block without special ones.
        rest: Of a document that is under way.
    """

    def __init__(self, room: int, rest: Sequence[int] = ()) -> None:
        self.room, self.rest = room, list(rest)

    def add(self, ids: Sequence[int]) -> Iterator[list[int]]:
        """Tokens of the next line; gives the blocks that are full."""
        self.rest += ids
        whole = len(self.rest) - len(self.rest) % self.room
        for start in range(0, whole, self.room):
            yield self.rest[start : start + self.room]
        self.rest = self.rest[whole:]

    def end(self) -> Iterator[list[int]]:
        """The document is over."""
        if self.rest:
            yield self.rest
            self.rest = []


@dataclass
class _State:
    """Where a preparation stands: place of the next line, and what was made of those before."""

    at: int
    tokens: int = 0
    documents: int = 0
    inside: bool = False
    rest: list[int] = field(default_factory=list)


def packed(
    lines: Iterator[tuple[int, list[str]]], encode: BlockEncoder, length: int, state: _State
) -> Iterator[list[list[int]]]:
    """Blocks with their special tokens, lot by lot; ``state`` is that behind the lot."""
    before, behind = encode.around
    packer = Packer(length - len(before) - len(behind), state.rest)
    for at, some in lines:
        inside = [state.inside, *map(bool, some)]  # whether a document is under way before a line
        texts = [
            encode.joint + line if on else line
            for on, line in zip(inside, some, strict=False)
            if line
        ]
        ids = iter(encode.ids_of(texts))
        found: list[list[int]] = []
        for line in some:
            state.documents += bool(line) and not state.inside
            state.inside = bool(line)
            found += packer.add(next(ids)) if line else packer.end()
        state.at, state.rest = at, packer.rest
        yield [[*before, *block, *behind] for block in found]
    yield [[*before, *block, *behind] for block in packer.end()]
    state.rest = []


def blocks_of(
    lines: Lines, encode: BlockEncoder, length: int
) -> Iterator[tuple[int, list[list[int]]]]:
    """Its blocks lot by lot, each lot with the bytes of the lines before its end; nothing is kept."""
    state = _State(lines.start)
    for blocks in packed(lines.read(lines.start), encode, length, state):
        yield lines.done(state.at), blocks


def prepare_blocks(
    lines: Lines,
    encode: BlockEncoder,
    folder: Path,
    *,
    length: int,
    vocabulary: int,
    source: str,
    progress: Callable[[int], None] | None = None,
    user: Path | None = None,
) -> Blocks:
    """Tokenises lines once into ``folder/<fingerprint>``, or opens what is there already.

    Processes that ask for the same blocks share one preparation; one that was interrupted goes on.

    Args:
        lines: What is tokenised.
        encode: Makes ids of them.
        folder: Where prepared data lie.
        length: Tokens of a block, special ones included.
        vocabulary: Ids are below it.
        source: What tells the texts from others, by content.
        progress: Called with the bytes of text done.
        user: The run folder, noted beside the blocks for whoever clears up.

    Raises:
        UserError: a folder that cannot be written, or text that is none.
        RunFailure: the disk is full.
    """
    parts = {"format": FORMAT, "kind": "blocks", "source": source, "length": length}
    parts |= {**lines.extent(), "wide": vocabulary > SMALL_IDS}
    if encode.joint:
        parts["joint"] = encode.joint
    name = fingerprint(parts | encode.identity())[:32]
    target = Path(folder) / name
    if user is not None:
        note_user(target, user)
    try:
        with locked(target.with_name(f"{name}.lock"), reading=True):
            manifest = read_manifest(target)
            if manifest is None:
                kind = np.int32 if vocabulary > SMALL_IDS else np.uint16
                _build(lines, encode, target, name, length, kind, progress)
                manifest = read_manifest(target)
            assert manifest is not None, "blocks that were just written cannot be read"
            return Blocks.opened(target, manifest)
    except OSError as error:
        if is_full(error) or not str(error.filename).startswith(str(folder)):
            raise
        message = f"a prepared corpus cannot be written here: {error.strerror}"
        hint = "Set cache_dir to another folder."
        raise UserError(
            Problem(str(folder), message, hint, code="corpus.blocks-not-writable")
        ) from error


def _build(
    lines: Lines,
    encode: BlockEncoder,
    target: Path,
    name: str,
    length: int,
    kind: type[np.generic],
    progress: Callable[[int], None] | None,
) -> None:
    with ArrayWriter(target, {"ids": kind, "offsets": np.int64}) as writer:
        state = _State(**(writer.state or {"at": lines.start}))
        if writer.state is None:
            writer.append("offsets", np.zeros(1))
        committed = lines.done(state.at)
        for blocks in packed(lines.read(state.at), encode, length, state):
            lengths = np.fromiter(map(len, blocks), np.int64, len(blocks))
            total = int(lengths.sum())
            writer.append("ids", np.fromiter(chain.from_iterable(blocks), np.int64, total))
            writer.append("offsets", state.tokens + np.cumsum(lengths))
            state.tokens += total
            done = lines.done(state.at)
            if done - committed >= COMMIT_BYTES:
                writer.commit(asdict(state))
                committed = done
            if progress is not None:
                progress(done)
        writer.publish(
            {
                "fingerprint": name,
                "padding_side": encode.padding_side,
                "documents": state.documents,
            }
        )
