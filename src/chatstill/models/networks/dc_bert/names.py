"""The kinds of interaction, by name: three are built in, others are classes of a user's file.

No torch is loaded here: a user's file is run only where its class is wanted (``own``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ....registry.names import plain

TRANSFORMER, LINEAR, LSTM = "transformer", "linear", "lstm"
BUILT_IN = (TRANSFORMER, LINEAR, LSTM)
FILE = Path("models") / "dc_bert.py"  # in the working directory, as in a clone
KEY = "last_layer_model_type"
BOTH_WAYS: Final = "both_ways"  # the interaction layers change the states of both texts
ONE_WAY: Final = "one_way"  # of the query alone

_plugins: list[str] = []


def built_in(name: str) -> str | None:
    """The built-in kind that a name means; case, hyphens and underscores don't count."""
    return next((kind for kind in BUILT_IN if plain(kind) == plain(name)), None)


def use_plugins(plugins: Sequence[str]) -> None:
    """Looks for classes in these files too, before ``models/dc_bert.py``."""
    _plugins[:] = list(plugins)


def files(plugins: Sequence[str] | None = None) -> list[str]:
    """Where a class is looked for, in this order."""
    named = list(_plugins if plugins is None else plugins)
    return [*named, *([str(FILE)] if FILE.is_file() else [])]
