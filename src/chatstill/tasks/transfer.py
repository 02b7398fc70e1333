"""Rows without labels that follow the training rows: a transfer set."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .base import Example


def followed(
    examples: Iterator[Example], more: Iterable[tuple[str, Iterator[Example]]]
) -> Iterator[Example]:
    """Training rows, then further ones; labels that these hold are passed over.

    Args:
        examples: The training rows, numbered from 0.
        more: Name of a file, and its rows.
    """
    number = 0
    for example in examples:
        number += 1
        yield example
    for name, rows in more:
        for row in rows:
            group = None if row.group is None else f"{name}-{row.group}"
            yield replace(row, id=f"train-{number}", label=None, group=group)
            number += 1
