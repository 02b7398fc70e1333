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
