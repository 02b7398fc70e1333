"""What lies in cache folders: prepared rows, stored teachers and states, who used them, and their removal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk.json_file import known_object
from ..disk.write import open_own, remove
from ..errors import UserError
from .store import MANIFEST, locked

USERS = ".users"
STAGING = ".staging"
DESCRIPTION = "cache.json"
DESCRIBED = ("teacher", "states")
NOT_SEARCHED = frozenset(("checkpoints", "tensorboard", "student", "teacher_model", "node_modules"))


@dataclass(frozen=True)
class Cache:
    """One cache.

    Attributes:
        path: Its folder.
        kind: ``rows``, ``teacher``, ``states`` (of a student's part that is not trained) or ``words`` (of a
            student, and their vectors).
        complete: False for a preparation that was interrupted, or is under way.
        size: Bytes.
        used: Time of the last use, in seconds since the epoch.
        users: Run folders that used it, as they noted themselves.
    """

    path: Path
    kind: str
    complete: bool
    size: int
    used: float
    users: tuple[Path, ...]


def note_user(cache: Path, run: Path) -> None:
    """Writes beside a cache which run uses it, now; a folder that cannot be written is left alone."""
    path = _users_file(cache)
    line = f"{run.resolve()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with os.fdopen(number, "r+", encoding="utf-8", errors="surrogateescape") as file:
            if line not in file.readlines():
                file.write(line)
            os.utime(number)
    except (OSError, UserError):
        return


def find_caches(folder: Path) -> list[Cache]:
    """All caches at and below a folder, the largest first; links and hidden folders are passed over."""
    found = [cache for path in _folders(folder) if (cache := _as_cache(path)) is not None]
    by_name = {_name(cache.path): cache for cache in found if cache.kind == "rows"}
    whole = [_with_rows_users(c, by_name) if c.kind == "teacher" else c for c in found]
    return sorted(whole, key=lambda cache: -cache.size)


def remove_cache(cache: Cache) -> bool:
    """Removes a cache; False where a process is preparing it. Its lock file stays, as all locks do.

    Raises:
        OSError: it cannot be removed.
    """
    if cache.kind in DESCRIBED:
        remove(cache.path)
        _users_file(cache.path).unlink(missing_ok=True)
        return True
    with locked(cache.path.with_name(f"{_name(cache.path)}.lock"), wait=False) as mine:
        if not mine:
            return False
        remove(cache.path)
        if not cache.path.with_name(_name(cache.path)).exists():
            _users_file(cache.path).unlink(missing_ok=True)
    return True


def _folders(folder: Path) -> Iterator[Path]:
    """The folder and those below it that may be caches; nothing inside a cache."""
    for place, names, _ in os.walk(folder):
        path = Path(place)
        if _as_cache_kind(path) is not None:
            names.clear()
            yield path
            continue
        names[:] = sorted(
            name for name in names if not name.startswith(".") and name not in NOT_SEARCHED
        )


def _as_cache_kind(path: Path) -> str | None:
    """By its files and its name: nothing else is ever listed, let alone removed."""
    if len(_name(path)) < 32 or set(_name(path)) - set("0123456789abcdef"):
        return None
    if path.name.endswith(STAGING):
        return "rows"
    if (path / DESCRIPTION).is_file():
        return "states" if "texts" in _sources(path) else "teacher"
    return "rows" if (path / MANIFEST).is_file() else None


def _as_cache(path: Path) -> Cache | None:
    kind = _as_cache_kind(path)
    if kind is None:
        return None
    size, used = 0, 0.0
    try:
        for file in path.rglob("*"):
            facts = file.stat()
            if file.is_file():
                size += facts.st_size
        mark = path / DESCRIPTION if kind in DESCRIBED else path
        used = max(mark.stat().st_mtime, _changed(_users_file(path)))
    except OSError:  # it goes while it is looked at
        return None
    if kind == "rows" and _facts(path).get("kind") == "words":
        kind = "words"
    return Cache(path, kind, not path.name.endswith(STAGING), size, used, _users(path))


def _facts(path: Path) -> dict[str, Any]:
    """What the manifest of prepared arrays says of them."""
    body = known_object(path / MANIFEST).get("body")
    facts = body.get("facts") if isinstance(body, dict) else None
    return facts if isinstance(facts, dict) else {}


def _with_rows_users(cache: Cache, rows: dict[str, Cache]) -> Cache:
    """A stored teacher is used by the runs on its rows."""
    known = rows.get(str(_rows_of(cache.path)))
    if known is None:
        return cache
    users = tuple(dict.fromkeys((*cache.users, *known.users)))
    return Cache(cache.path, cache.kind, cache.complete, cache.size, cache.used, users)


def _rows_of(cache: Path) -> Any:
    """The rows whose teacher a cache stores, as ``cache.json`` names them."""
    return _sources(cache).get("rows")


def _sources(cache: Path) -> dict[str, Any]:
    """What decides the content of stored outputs, as ``cache.json`` names it."""
    sources = known_object(cache / DESCRIPTION).get("sources")
    return sources if isinstance(sources, dict) else {}


def _name(path: Path) -> str:
    return path.name.removesuffix(STAGING)


def _users_file(cache: Path) -> Path:
    return cache.with_name(f"{_name(cache)}{USERS}")


def _users(cache: Path) -> tuple[Path, ...]:
    try:
        lines = _users_file(cache).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return ()
    return tuple(Path(line) for line in lines if line)


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
