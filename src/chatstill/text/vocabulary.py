"""Vocabulary files, checks that a tokenizer and a model fit, and a tokenizer's fingerprint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem, UserError
from .python_settings import python_settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CASED_SHARE = 0.02


def read_vocabulary(path: Path) -> dict[str, int]:
    """Word pieces of a ``vocab.txt``: one a line, the id is the line number from 0.

    Of a piece that stands twice the last line holds, as in the original BERT.

    Raises:
        UserError: unreadable, not UTF-8, or without the pieces that a BERT tokenizer needs.
    """
    try:
        text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")  # offsets count the mark
    except OSError as error:
        raise UserError(
            Problem(str(path), f"cannot be read: {error.strerror}", code="vocabulary.unreadable")
        ) from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}"
        raise UserError(Problem(str(path), message, code="vocabulary.not-utf-8")) from error
    lines = text.replace("\r\n", "\n").split("\n")
    vocabulary = {piece: number for number, piece in enumerate(lines) if piece}
    missing = [piece for piece in REQUIRED if piece not in vocabulary]
    if missing:
        message = f"is no BERT vocabulary: {', '.join(missing)} missing in {len(vocabulary)} pieces"
        raise UserError(
            Problem(
                str(path),
                message,
                "one word piece a line, special ones included",
                code="vocabulary.pieces-missing",
            )
        )
    return vocabulary


def looks_cased(vocabulary: dict[str, int]) -> bool:
    """Whether a vocabulary holds pieces with capitals: all that a bare ``vocab.txt`` tells."""
    words = [piece for piece in vocabulary if not (piece.startswith("[") and piece.endswith("]"))]
    return sum(piece != piece.lower() for piece in words) > CASED_SHARE * len(words)


def highest_id(tokenizer: Tokenizer) -> int:
    """The highest id that a tokenizer can give."""
    return max(tokenizer.get_vocab().values(), default=-1)


def num_ids(tokenizer: Tokenizer) -> int:
    """All ids that a tokenizer gives are below it.

    More than it has pieces where a ``vocab.txt`` names one twice: the id of the first line is free then.
    """
    return max(len(tokenizer), highest_id(tokenizer) + 1)


def check_vocabulary(
    tokenizer: Tokenizer, vocab_size: int, place: str = "tokenizer"
) -> Problem | None:
    """Whether every id has a row in a model's embedding table of ``vocab_size`` rows.

    A larger table is common (padded to a multiple) and fine; one that is more than a tenth and a
    thousand rows larger is a warning, since the tokenizer is likely another model's.
    """
    needed = highest_id(tokenizer) + 1
    if needed > vocab_size:
        message = f"gives ids up to {needed - 1}, the embedding table has {vocab_size} rows"
        hint = "take the tokenizer that belongs to these weights (tokenizer_name_or_path)"
        return Problem(place, message, hint, code="vocabulary.beyond-the-table")
    if vocab_size > needed + 1000 and vocab_size > 1.1 * needed:
        message = f"has {needed} ids, the embedding table {vocab_size} rows"
        return Problem(
            place,
            message,
            "is it the tokenizer of these weights?",
            severity="warning",
            code="vocabulary.smaller-than-the-table",
        )
    return None


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """A hash of everything that decides which ids a text becomes; the same after save and load.

    Truncation and padding inside the backend are left out: they change with every call.
    """
    if (identity := getattr(tokenizer, "identity", None)) is not None:  # one of words
        text = json.dumps(identity(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()
    parts: dict[str, object] = {
        "special": {name: str(token) for name, token in tokenizer.special_tokens_map.items()},
        "padding_side": tokenizer.padding_side,
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
    }
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        state = json.loads(backend.to_str())
        state.pop("truncation", None)
        state.pop("padding", None)
        parts["backend"] = state
    else:
        parts["class"] = type(tokenizer).__name__
        parts["vocabulary"] = tokenizer.get_vocab()
        parts["options"] = python_settings(tokenizer)
        parts["all special"] = sorted(map(str, tokenizer.all_special_tokens))
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
