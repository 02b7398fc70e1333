"""The names under which files and folders are written before they are renamed."""

import re
import secrets
from pathlib import Path

_FRESH = re.compile(r"\.(.+)\.[0-9a-f]{12}\.new")


def fresh_name(path: Path) -> Path:
    """``.NAME.<random>.new`` beside a path."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")


def is_fresh_name(name: str, of: str | None = None) -> bool:
    """Whether a name is one that ``fresh_name`` gives, of the name ``of`` or of any."""
    match = _FRESH.fullmatch(name)
    return match is not None and of in (None, match[1])


def final_path(path: Path) -> Path:
    """Where a path will lie when all is renamed: what messages name."""
    parts = [match[1] if (match := _FRESH.fullmatch(part)) else part for part in path.parts]
    return Path(*parts) if parts else path
