"""Arrays that take long to make before training, such as a list of words: made once, found by what made them.

They lie beside the prepared rows. What is made before the run folder is taken is written once it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..disk.full import is_full
from .caches import note_user
from .fingerprint import fingerprint
from .store import ArrayWriter, locked, open_array, read_manifest

Arrays = Mapping[str, np.ndarray]
KIND = "kind"  # in the facts of a folder: tells it from prepared rows


class Kept:
    """What one run finds of such arrays, and what it has made of them itself.

    Args:
        folder: Where they are looked for; nothing is written there by ``find``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, tuple[dict[str, Any], Callable[[], Arrays]]] = {}

    def find(
        self, made_of: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """(facts, arrays) of what was kept, None where there is nothing or it is damaged.

        Args:
            made_of: All that decides the content, as plain values.
        """
        place = self.folder / _name(made_of)
        manifest = read_manifest(place)
        if manifest is None:
            return None
        arrays = {name: open_array(place, name, e) for name, e in manifest["files"].items()}
        return dict(manifest["facts"]), arrays

    def keep(
        self, made_of: Mapping[str, Any], facts: Mapping[str, Any], arrays: Callable[[], Arrays]
    ) -> None:
        """Remembers what ``write`` shall keep.

        Args:
            made_of: As ``find`` takes it.
            facts: Plain values beside the arrays.
            arrays: Gives them when they are written: flat, by name.
        """
        self._made[_name(made_of)] = dict(facts), arrays

    def write(self, folder: Path, user: Path) -> None:
        """Writes what is not there yet; a folder that cannot be written is left alone.

        Args:
            folder: That of the prepared rows.
            user: The run folder, noted beside each for whoever clears up.

        Raises:
            RunFailure: the disk is full.
        """
        for name, (facts, arrays) in self._made.items():
            place = folder / name
            note_user(place, user)
            try:
                with locked(place.with_name(f"{name}.lock"), reading=True):
                    if read_manifest(place) is None:
                        _write(place, facts, arrays())
            except OSError as error:
                if is_full(error):
                    raise
        self._made = {}


def _name(made_of: Mapping[str, Any]) -> str:
    return fingerprint(dict(made_of))[:32]


def _write(place: Path, facts: dict[str, Any], arrays: Arrays) -> None:
    with ArrayWriter(place, {name: values.dtype.type for name, values in arrays.items()}) as writer:
        for name, values in arrays.items():
            writer.append(name, values)
        writer.publish(facts)
