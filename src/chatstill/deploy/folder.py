"""Whose a folder is: an index is written only where nothing of others lies, and read where one is.

Nothing here needs torch: a wrong folder is told before it is loaded.
"""

from __future__ import annotations

from pathlib import Path

from ..disk.fresh import is_fresh_name
from ..errors import Problem, UserError

FILE = "index.json"
BUILDING = "building.json"
LOCK = ".lock"


def is_index(folder: Path) -> bool:
    """Whether a folder is an index, or one that is being built."""
    return (folder / FILE).is_file() or (folder / BUILDING).is_file()


def require_index(folder: Path, place: str) -> None:
    """Refuses a folder without a complete index.

    Raises:
        UserError: there is none.
    """
    if not (folder / FILE).is_file():
        raise UserError(absent(folder, place))


def absent(folder: Path, place: str) -> Problem:
    """What is said of a folder without a complete index."""
    if folder.is_file():
        message = f"{folder} is a file, expected the folder of an index"
        return Problem(place, message, code="index.is-a-file")
    if (folder / BUILDING).is_file():
        message = f"building the index {folder} was interrupted: nothing can be ranked yet"
        hint = "Start the same `chatstill index` again: it goes on."
        return Problem(place, message, hint, code="index.not-complete")
    what = "is no index" if folder.exists() else "is not there"
    hint = f"Build one: chatstill index MODEL REPLIES --out {folder}"
    return Problem(place, f"{folder} {what}", hint, code="index.none")


def require_ours(folder: Path) -> None:
    """Refuses a folder that holds something else, before a network is opened.

    Raises:
        UserError: it does, or is a file.
    """
    if not folder.exists() or is_index(folder):
        return
    if not folder.is_dir():
        message = f"{folder} is a file, expected a folder"
        raise UserError(Problem("--out", message, code="index.out-is-a-file"))
    # A process that was killed at once leaves the lock, and the marker under its fresh name.
    ours = [path for path in folder.iterdir() if path.name == LOCK]
    ours += [path for path in folder.iterdir() if is_fresh_name(path.name, BUILDING)]
    if len(ours) < len(list(folder.iterdir())):
        message = f"{folder} holds something that is no index; nothing was written"
        raise UserError(
            Problem("--out", message, "Name another folder.", code="index.folder-of-others")
        )
