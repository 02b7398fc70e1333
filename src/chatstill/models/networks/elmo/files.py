"""The two files of a released ELMo: where they lie. No torch is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ....errors import Said

OPTIONS, WEIGHTS = "options.json", "weights.hdf5"  # what the names end in
SHOWN = 8


class Files(NamedTuple):
    """The two files."""

    options: Path
    weights: Path


def find_files(folders: Sequence[Path]) -> Files | Said:
    """Those of the first folder that has files of both kinds, or what lies in the folders instead.

    Two of one kind in that folder are a fault: which of them is meant, nobody can tell.
    """
    for folder in folders:
        kinds = [_ending(folder, end) for end in (OPTIONS, WEIGHTS)]
        if all(kinds):
            if any(len(kind) > 1 for kind in kinds):
                return _said([folder], "Keep one file of each kind in it.")
            return Files(kinds[0][0], kinds[1][0])
    return _said(folders)


NAME_IT = 'Name their folder: "student_architectures": {"model_name_or_path": "…"}.'


def _said(folders: Sequence[Path], hint: str = NAME_IT) -> Said:
    held = "; ".join(f"{_shown(folder)} holds {_held(folder)}" for folder in folders)
    message = f"an ELMo is one *{OPTIONS} and one *{WEIGHTS} in one folder, and {held}."
    return Said(message, hint, code="elmo.files-not-found")


def _held(folder: Path) -> str:
    """What lies in a folder, files of the two kinds first."""
    ours = [file.name for end in (OPTIONS, WEIGHTS) for file in _ending(folder, end)]
    try:
        others = sorted(entry.name for entry in folder.iterdir() if entry.name not in ours)
    except (OSError, ValueError) as error:
        return f"nothing that can be read ({getattr(error, 'strerror', None) or error})"
    names = [*ours, *others]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "nothing"


def _ending(folder: Path, end: str) -> list[Path]:
    try:
        return sorted(
            file for file in folder.iterdir() if file.name.endswith(end) and file.is_file()
        )
    except (OSError, ValueError):
        return []


def _shown(folder: Path) -> str:
    return str(folder) if folder != Path() else "the working directory"
