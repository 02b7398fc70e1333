"""Names of an index: which of a file's replies are new to it, and which names are meant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import Problem, UserError
from ..figures import counted
from ..tasks.reading import shorten
from .index import Index
from .reply_file import Reply

MOST_NAMED = 10


def new_replies(index: Index, replies: Sequence[Reply]) -> list[Reply]:
    """Those that the index does not have.

    Raises:
        UserError: ids that are there with another reply.
    """
    known = index.number_of
    if not index.manifest.named:
        alive = index.alive
        there = {text for row, text in enumerate(index.texts()) if alive[row]}
        return [reply for reply in replies if reply.text not in there]
    new, others = [], []
    for reply in replies:
        number = known.get(str(reply.id))
        if number is None:
            new.append(reply)
        elif index.text(int(index.row_of_name[number])) != reply.text:
            others.append(str(reply.id))
    if others:
        what = counted(len(others), "id stands", "ids stand")
        message = f"{what} for another reply in the index: {_listed(others)}"
        hint = "Remove them first (--remove FILE), or give the new replies other ids."
        raise UserError(Problem("--add", message, hint, code="index.id-there-already"))
    return new


def difference(index: Index, replies: Sequence[Reply], *, built_of_them: bool) -> str:
    """How an index differs from that of a file's replies alone, for people.

    Args:
        index: It keeps replies by id, or by text, as the file does.
        replies: Of the file.
        built_of_them: Whether the index was built of this file, so what it lacks was removed.
    """
    known = index.number_of.items()
    texts = {name: index.text(int(index.row_of_name[number])) for name, number in known}
    named = index.manifest.named
    there = set(texts.items()) if named else {(None, text) for text in texts.values()}
    here = {(reply.id if named else None, reply.text) for reply in replies}
    lacks, more = len(here - there), len(there - here)
    said = []
    if lacks:
        one, several = ("is not", "are not") if not built_of_them else ("was", "were")
        what = "removed from it" if built_of_them else "in it"
        verb = one if lacks == 1 else several
        said.append(f"{lacks:,} of the file's {len(here):,} replies {verb} {what}")
    if more:
        verb = "is" if more == 1 else "are"
        said.append(f"{more:,} of its {len(there):,} replies {verb} not the file's")
    return "; ".join(said) or "it holds the same, in another order or changed since it was built"


def numbers_of(index: Index, names: Sequence[str]) -> np.ndarray:
    """Numbers of ids, or of replies where these have no ids.

    Raises:
        UserError: some are not there.
    """
    known = index.number_of
    if not index.manifest.named:
        rows = {index.text(int(index.row_of_name[number])): number for number in known.values()}
        known = rows
    absent = [name for name in names if name not in known]
    if absent:
        one, more = ("id is", "ids are") if index.manifest.named else ("reply is", "replies are")
        what = counted(len(absent), one, more)
        message = f"{what} not in the index: {_listed(absent)}; nothing was removed"
        hint = (
            ""
            if index.manifest.named
            else "This index has no ids of yours: name replies by their texts."
        )
        raise UserError(Problem("--remove", message, hint, code="index.not-there"))
    return np.array([known[name] for name in names], np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shorten(name) for name in names[:MOST_NAMED])
    return shown + (", …" if len(names) > MOST_NAMED else "")
