"""Networks that the package ships: one folder each, found by its name. ``base`` is the contract.

No torch is loaded here.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from ...registry.names import plain
from .base import Network


@cache
def networks() -> dict[str, type[Network]]:
    """All of them by ``model_type``."""
    found: dict[str, type[Network]] = {}
    for file in sorted(Path(__file__).parent.glob("*/__init__.py")):
        module = importlib.import_module(f"{__name__}.{file.parent.name}")
        defined = [value for value in vars(module).values() if _is_network(value, module.__name__)]
        assert len(defined) == 1, f"{file} holds {len(defined)} networks, expected one"
        found[defined[0].model_type] = defined[0]
    return found


def network(name: str | None) -> type[Network] | None:
    """The one of a name; case, hyphens and underscores don't count. None if it is none of them."""
    if not name:
        return None
    return next((one for key, one in networks().items() if plain(key) == plain(name)), None)


def starting_beside(kind: str) -> str | None:
    """The one that starts from files which lie beside a ``config.json`` of this type; None without one."""
    return next((name for name, one in networks().items() if kind in one.beside_files), None)


def _is_network(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, Network) and value.__module__ == module
