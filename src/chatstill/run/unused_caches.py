"""Which caches there are, whether a run still needs them, and removing those that none does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.caches import Cache, find_caches, remove_cache
from ..disk.run_files import resolved_values
from ..errors import Problem, UserError
from ..figures import byte_size
from ..train.runfolder import RunFolder

KINDS = {
    "rows": "prepared rows",
    "teacher": "teacher's outputs",
    "states": "states of a student",
    "words": "words of a student",
}


@dataclass(frozen=True)
class Listed:
    """A cache and its use.

    Attributes:
        cache: The cache.
        needed_by: Runs that are not finished and used it.
        known: Whether any run is known to have used it.
    """

    cache: Cache
    needed_by: tuple[Path, ...]
    known: bool

    @property
    def free(self) -> bool:
        """Whether it may go: its runs are finished or gone. One of unknown use stays."""
        return self.known and not self.needed_by


def list_caches(folders: Sequence[Path]) -> list[Listed]:
    """The caches in and below some folders, the largest first.

    Raises:
        UserError: a folder does not exist.
    """
    absent = [folder for folder in folders if not folder.is_dir()]
    if absent:
        raise UserError(
            [
                Problem(
                    str(folder),
                    "a file, not a folder" if folder.exists() else "no such folder",
                    "Name run folders, a cache_dir, or a folder above them.",
                    code="caches.no-such-folder",
                )
                for folder in absent
            ]
        )
    moved = _unfinished_by_place(folders)
    found: dict[Path, Cache] = {}
    for folder in folders:
        found.update((cache.path.resolve(), cache) for cache in find_caches(folder))
    listed = [_listed(cache, moved) for cache in found.values()]
    return sorted(listed, key=lambda one: -one.cache.size)


def _unfinished_by_place(folders: Sequence[Path]) -> dict[Path, Path]:
    """Unfinished runs at and directly below some folders, by the ``cache_dir`` of each."""
    found = {}
    for folder in folders:
        for run in (folder, *(place.parent for place in folder.glob("*/run.json"))):
            place = resolved_values(run).get("cache_dir")
            if isinstance(place, str) and _unfinished(run):
                found[Path(place).resolve()] = run
    return found


def _listed(cache: Cache, moved: Mapping[Path, Path]) -> Listed:
    """Its use; a run that noted itself and is gone may be one of those that lie elsewhere now."""
    home = cache.path.resolve().parent
    around = [
        place for place in (home.parent, home.parent.parent) if (place / "run.json").is_file()
    ]
    users = dict.fromkeys((*cache.users, *around))
    if not all(user.exists() for user in users):
        users |= dict.fromkeys(moved[one] for one in (home, home.parent) if one in moved)
    return Listed(cache, tuple(user for user in users if _unfinished(user)), bool(users))


def _unfinished(run: Path) -> bool:
    """Whether a run, or the chain that it is a link of, will go on here."""
    for folder in (run, run.parent):
        record = RunFolder(folder).record()
        if record is not None and record.get("state") != "finished":
            return True
    return False


def remove(listed: Sequence[Listed]) -> tuple[list[Listed], list[Listed]]:
    """Removes caches that no run needs: (removed, left because a process is at them)."""
    gone: list[Listed] = []
    left: list[Listed] = []
    for one in listed:
        if not one.free:
            continue
        (gone if remove_cache(one.cache) else left).append(one)
    return gone, left


def as_lines(listed: Sequence[Listed], now: float | None = None) -> list[str]:
    """A line for each cache: size, last use, what it is, where, and who needs it."""
    now = time.time() if now is None else now
    rows = []
    for one in listed:
        kind = KINDS[one.cache.kind] + ("" if one.cache.complete else ", unfinished")
        if one.needed_by:
            use = "needed by " + ", ".join(map(_shown, one.needed_by))
        else:
            use = "no longer needed" if one.known else "of unknown use"
        size, age = byte_size(one.cache.size), _age(now - one.cache.used)
        rows.append((size, age, kind, _shown(one.cache.path), use))
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(4)]
    lines = []
    for size, age, kind, place, use in rows:
        line = f"{size:>{widths[0]}}  {age:>{widths[1]}}  {kind:<{widths[2]}}"
        lines.append(f"{line}  {place:<{widths[3]}}  {use}")
    return lines


def total(listed: Sequence[Listed]) -> str:
    """How many caches and how large together."""
    number = len(listed)
    size = byte_size(sum(one.cache.size for one in listed))
    return f"{number} cache{'s' if number != 1 else ''}, {size}"


def _shown(path: Path) -> str:
    here = Path.cwd()
    whole = path.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def _age(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"
