"""A user's own interaction: a class of ``models/dc_bert.py`` or of a plugin, found by its name."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import NamedTuple

from torch import nn

from ....errors import Problem, UserError
from ....registry.names import nearest, plain
from ....registry.plugins import load_plugin
from .names import BUILT_IN, FILE, KEY, files

log = logging.getLogger("chatstill")


class OwnInteraction(NamedTuple):
    """A class and the file that holds it."""

    interaction: type[nn.Module]
    file: str

    @property
    def code(self) -> str:
        """sha256 of the file."""
        return hashlib.sha256(Path(self.file).read_bytes()).hexdigest()


def own_interaction(name: str, place: str = KEY) -> OwnInteraction:
    """The class of a name; case, hyphens and underscores don't count.

    Args:
        name: That is none of the built-in kinds.
        place: For the message.

    Raises:
        UserError: no file has such a class, or a file fails when it is run.
    """
    known: dict[str, OwnInteraction] = {}
    for file in reversed(files()):
        module = load_plugin(file)
        for value in vars(module).values():
            ours = isinstance(value, type) and value.__module__ == module.__name__
            if ours and issubclass(value, nn.Module):
                known[value.__name__] = OwnInteraction(value, file)
    for found, own in known.items():
        if plain(found) == plain(name):
            return own
    raise UserError(_absent(name, list(known), place))


def warn_if_changed(own: OwnInteraction, code: str) -> None:
    """A file that is another one than that of training may compute something else."""
    if code and code != own.code:
        log.warning(
            "%s is not as it was when this network was trained: its scores may be others", own.file
        )


def _absent(name: str, known: list[str], place: str) -> Problem:
    searched = files() or [f"{FILE} (which is not there)"]
    message = f"there is no interaction '{name}': built in are {', '.join(BUILT_IN)}; "
    message += f"a class of that name was looked for in {', '.join(searched)}"
    near = nearest(name, [*BUILT_IN, *known])
    hint = f"Did you mean '{near}'? " if near else ""
    hint += f'Write the class in {FILE}, or name its file: "plugins": ["…"] or --plugin.'
    return Problem(place, message, hint, code="dc-bert.no-such-interaction")
