"""The verb ``cache``: lists prepared data and removes what no run needs any more."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import Problem, UserError
from .terminal import write

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FOLDER]…", help="Run folders, cache_dir, or any above them; default: here."
    ),
]
Remove = Annotated[bool, typer.Option("--remove", help="Remove those that no run needs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before removing.")]


def cache(folders: Folders = None, remove: Remove = False, yes: Yes = False) -> None:
    """List caches of prepared data: size, last use, and which run still needs them."""
    from ..run import unused_caches as clearing

    found = clearing.list_caches(folders or [Path()])
    for line in clearing.as_lines(found):
        write(line)
    free = [one for one in found if one.free]
    write(f"{clearing.total(found)}; no longer needed: {clearing.total(free)}")
    if not free:
        return
    if not remove:
        write("`chatstill cache … --remove` removes what is no longer needed.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(
                Problem(
                    "--remove",
                    "asks before it removes, and there is no terminal",
                    "Add --yes to remove without being asked.",
                    code="caches.no-terminal-to-ask",
                )
            )
        if not typer.confirm(f"Remove {clearing.total(free)}?"):
            write("nothing was removed.")
            return
    gone, left = clearing.remove(found)
    write(f"removed: {clearing.total(gone)}")
    for line in clearing.as_lines(left):
        write(f"in use, left: {line.strip()}")
