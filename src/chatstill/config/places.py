"""Where a value of the configuration comes from, for messages and for the record of a run."""

import re
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """The place of one key.

    Attributes:
        origin: Short, for the record: ``my.json:12``, ``--set``, ``config/models_config/X.json``.
        where: For messages: ``my.json: line 12, column 5``, ``--set seed=x``.
        line: Line from 1, 0 where there is none.
        column: Column from 1, 0 where there is none.
    """

    origin: str
    where: str
    line: int = 0
    column: int = 0


Places = dict[KeyPath, Place]


def in_file_order(where: str) -> tuple[float, float]:
    """Sorting key of a place in words; what has no line comes last."""
    found = re.search(r": line (\d+)(?:, column (\d+))?$", where)
    return (int(found[1]), int(found[2] or 0)) if found else (float("inf"), 0)


def dotted(path: KeyPath) -> str:
    """``("theseus_scheduler", "grouping", 0)`` as ``theseus_scheduler.grouping[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
