"""The files of a word tokenizer: its list of words, and a user dictionary."""

from __future__ import annotations

from pathlib import Path

from ..disk.json_file import fault_of, read_json
from ..errors import Problem, UserError

PAD, UNK, SEP = "[PAD]", "[UNK]", "[SEP]"
SPECIAL = (PAD, UNK, SEP)
WORDS_FILE, DICTIONARY_FILE = "words.json", "user_dictionary.txt"


def read_words(file: str | None) -> list[str]:
    """The list of a tokenizer's words; empty where the file holds no list."""
    if file is None:
        raise UserError(
            Problem(
                WORDS_FILE,
                "is missing: it holds the words of the tokenizer",
                code="words.file-missing",
            )
        )
    try:
        words = read_json(Path(file))
    except (OSError, ValueError) as error:
        raise UserError(Problem(file, fault_of(error), code="words.file-unreadable")) from None
    return words if isinstance(words, list) else []


def check_words(words: list[str], place: str) -> None:
    """Refuses what is no list of different words, special ones first."""
    sound = all(isinstance(word, str) for word in words)
    if not sound or tuple(words[: len(SPECIAL)]) != SPECIAL or len(set(words)) != len(words):
        message = f"is no list of different words that begins with {', '.join(SPECIAL)}"
        raise UserError(Problem(place, message, code="words.list-faulty"))


def read_dictionary(path: Path) -> str:
    """The content of a user dictionary."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(
            Problem(str(path), f"cannot be read: {reason}", code="words.dictionary-unreadable")
        ) from error
