"""Settings of a tokenizer written in Python, by content: for its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.json_file import parse_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

# Where it was loaded from, what its inputs are called, what is told of special tokens elsewhere: a tokenizer
# that is saved and loaded has other ones of these, and gives the same ids.
NOT_OF_IDS = frozenset(
    {
        *("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"),
        *("auto_map", "chat_template", "files_loaded", "is_local", "local_files_only"),
        *("model_input_names", "model_max_length", "name_or_path", "padding_side"),
        *("processor_class", "split_special_tokens", "tokenizer_class", "tokenizer_file"),
        *("special_tokens_map_file", "tokenizer_config_file", "truncation_side"),
    }
)


def python_settings(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that it was made with and JSON can hold; of a file its content, never where it lies."""
    named = set(tokenizer.SPECIAL_TOKENS_ATTRIBUTES)
    settings = {
        key: value
        for key, value in tokenizer.init_kwargs.items()
        if key not in NOT_OF_IDS and key not in named
    }
    found: dict[str, Any] = _plain(settings)
    return found


def _plain(value: Any) -> Any:
    """A value as JSON holds it; None where it cannot."""
    from tokenizers import AddedToken

    if isinstance(value, AddedToken):
        return value.content
    if isinstance(value, Mapping):
        plain = {str(key): _under(str(key), inner) for key, inner in value.items()}
        return {key: inner for key, inner in plain.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=repr)
    return value if isinstance(value, bool | int | float | str) else None


def _under(key: str, value: Any) -> Any:
    """The value of a key; of one that names a file the content's hash, None where none lies there."""
    if not isinstance(value, str | Path) or not ("path" in key or "file" in key):
        return _plain(value)
    try:
        content = Path(value).read_bytes()
    except (OSError, ValueError):
        return None
    return hashlib.sha256(_as_saved(content)).hexdigest()


def _as_saved(content: bytes) -> bytes:
    """Text without what is read and written otherwise: a version, ends of lines, the blanks of JSON."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    try:
        text = json.dumps(parse_json(text), sort_keys=True)
    except ValueError:
        lines = [line.rstrip("\r") for line in text.split("\n")]
        text = "\n".join(line for line in lines if line and not line.startswith("#version"))
    return text.encode("utf-8", "surrogatepass")
