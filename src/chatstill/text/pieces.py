"""Pieces of a tokenizer as what they are: which of them begin a word, how that is written, a row of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .plain_ids import plain_ids
from .vocabulary import num_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BYTES, BLANK, INSIDE = "Ġ", "▁", "##"  # of byte-level BPE, of SentencePiece, of WordPiece
PROBES = ("hello", "a", "的", "1")


def mark_of(pieces: Sequence[str]) -> str:
    """Which mark tells words in a vocabulary: the one that most of its pieces bear; empty where none does.

    The letter Ġ stands in vocabularies of WordPiece too, and ``##`` in those of byte-level BPE.
    """
    counts = Counter({BYTES: 0, BLANK: 0, INSIDE: 0})
    counts.update(mark for piece in pieces for mark in counts if piece.startswith(mark))
    mark, count = counts.most_common(1)[0]
    return mark if count else ""


def begin_words(pieces: Sequence[str]) -> list[bool]:
    """Whether a word begins with each piece, by its spelling; special tokens are not told apart."""
    mark = mark_of(pieces)
    inside = mark in ("", INSIDE)
    return [
        not (mark and piece.startswith(mark)) if inside else piece.startswith(mark)
        for piece in pieces
    ]


def spelled(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """By id, what a piece that begins a word is without its mark; empty for others and special tokens.

    A piece that ends within a character of byte-level BPE is written as nothing, and empty too.
    """
    pieces = pieces_of(tokenizer)
    mark, starts = mark_of(pieces), begin_words(pieces)
    special = set(tokenizer.all_special_ids)
    return [
        _plain(piece, mark) if start and number not in special else ""
        for number, (piece, start) in enumerate(zip(pieces, starts, strict=True))
    ]


def pieces_of(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The pieces by id; empty where an id has none."""
    known = {number: piece for piece, number in tokenizer.get_vocab().items()}
    return [known.get(number, "") for number in range(num_ids(tokenizer))]


def _plain(piece: str, mark: str) -> str:
    if mark == BLANK:
        return piece[len(BLANK) :]
    if mark != BYTES:
        return piece
    try:
        return bytes(_BYTE_OF[sign] for sign in piece[len(BYTES) :]).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return ""


def _bytes_by_sign() -> dict[str, int]:
    """Byte-level BPE writes a byte that prints in Latin-1 as itself, the others as 256, 257 … in order."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [number for number in range(256) if number not in prints]
    signs = [*map(chr, prints), *(chr(256 + number) for number in range(len(others)))]
    return dict(zip(signs, [*prints, *others], strict=True))


_BYTE_OF = _bytes_by_sign()


@dataclass(frozen=True)
class Around:
    """What stands before and behind a single text: ids, and types where the tokenizer gives any.

    Attributes:
        ids: Before, behind.
        types: Of those before, of the text, of those behind; None where there are none.
    """

    ids: tuple[list[int], list[int]]
    types: tuple[list[int], int, list[int]] | None

    def row(self, number: int) -> tuple[list[int], list[int] | None]:
        """Ids and types of a row of one piece."""
        before, behind = self.ids
        ids = [*before, number, *behind]
        if self.types is None:
            return ids, None
        before, own, behind = self.types
        return ids, [*before, own, *behind]


def around_one(tokenizer: PreTrainedTokenizerBase) -> Around | None:
    """Read off a text of its own, of known pieces if there is one; None where none is found in its row."""
    special, found = set(tokenizer.all_special_ids), None
    for text in PROBES:
        (plain,) = plain_ids(tokenizer, [text])
        whole = tokenizer(text, truncation=False, padding=False, verbose=False)
        ids, types = list(whole["input_ids"]), whole.get("token_type_ids")
        places = [at for at in range(len(ids)) if ids[at : at + len(plain)] == plain]
        if not plain or not places or (found and special.intersection(plain)):
            continue
        start, end = places[0], places[0] + len(plain)
        found = Around(
            (ids[:start], ids[end:]),
            None if types is None else (list(types[:start]), int(types[start]), list(types[end:])),
        )
        if not special.intersection(plain):
            return found
    return found
