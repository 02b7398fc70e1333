"""Whose a folder is: an index is written only where nothing of others lies."""

from __future__ import annotations

from pathlib import Path

from ..disk.fresh import is_fresh_name
from ..errors import Problem, UserError
from .manifest import BUILDING, LOCK, is_index, read_manifest


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


def existing(folder: Path) -> Path:
    """The folder of an index that is complete.

    Raises:
        UserError: there is none.
    """
    read_manifest(folder, "--out")
    return folder


def require_same(folder: Path, build: str) -> None:
    """Refuses to build where another complete index is.

    Raises:
        UserError: the index there is not this build.
    """
    names = read_manifest(folder, "--out").names
    if len(names) == 1 and names[0].file == f"names-{build}.safetensors":
        return
    message = f"{folder} is an index already, of other replies, another form or another network"
    hint = "--add FILE adds to it, --fresh builds it anew."
    raise UserError(Problem("--out", message, hint, code="index.there-already"))
