"""Names of files and folders that are not there: which was meant, and whether it is one of the hub."""

import difflib
from pathlib import Path

from ..errors import Problem
from .places import KeyPath, dotted
from .source import Source
from .weights import kind_of, looks_like_hub_name, weights_fault, with_weights


def means_hub(name: str) -> bool:
    """Whether a name that is no folder here may be one of the hub: not where its first part is one."""
    if not looks_like_hub_name(name) or _mistyped(name) is not None:
        return False
    return not ("/" in name and kind_of(Path(Path(name).parts[0])))


def _mistyped(name: str) -> Path | None:
    """The folder ``x/b`` or ``x/c`` where ``a/b`` is not there, but ``x`` is like ``a``.

    Such a name looks like one of the hub; a folder here that differs by a slip tells that it is none.
    """
    parts = Path(name).parts
    if len(parts) != 2 or kind_of(Path(parts[0])):
        return None
    for folder in difflib.get_close_matches(parts[0], _folders(Path()), n=3, cutoff=0.75):
        inside = _folders(Path(folder))
        near = difflib.get_close_matches(parts[1], inside, n=1, cutoff=0.75)
        if near:
            return Path(folder) / near[0]
    return None


def _folders(place: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir())
    except OSError:
        return []


def near_file(name: str) -> str:
    """The nearest name in the folder where the path ends to exist, or where paths count from."""
    meant = _mistyped(name)
    if meant is not None:
        return f"Did you mean {with_weights(meant)}?"
    path = Path(name)
    parent = next((p for p in path.parents if kind_of(p) == "folder"), Path())
    if path.parent == parent and parent.is_dir():
        try:
            names = [entry.name for entry in parent.iterdir()]
        except OSError:
            names = []
        near = difflib.get_close_matches(path.name, names, n=1)
        if near:
            return f"Did you mean {with_weights(parent / near[0])}?"
    if path.is_absolute():
        return f"The path exists up to {parent}."
    return f"Paths count from the working directory, {Path.cwd()}."


def absent(name: str, source: Source, path: KeyPath) -> Problem:
    """A path that is not there: a mistake, or a name of the hub."""
    prefix = Path(name + ".index")
    if kind_of(prefix) and (fault := weights_fault(prefix)) is not None:
        message = f"'{dotted(path)}': {name} is a TensorFlow checkpoint."
        return source.told(path, fault._replace(message=message))
    if means_hub(name):
        message = f"'{dotted(path)}': no folder {name} here, so it is taken as a name on the hub."
        return source.problem(
            path, message, near_file(name), warning=True, code="hub.taken-as-a-name"
        )
    return source.problem(
        path,
        f"'{dotted(path)}': there is no file or folder {name}.",
        near_file(name),
        code="weights.missing",
    )
