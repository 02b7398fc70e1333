"""Lengths of query and reply that fit a row and the teacher's position table."""

from __future__ import annotations

from typing import NamedTuple

from ....errors import Problem
from ...student_spec import RowReading
from .config import SPECIAL

USUAL_QUERY = 32


class Lengths(NamedTuple):
    """Tokens of a query and of a reply, special ones left out."""

    query: int
    reply: int


def fitting_lengths(
    reading: RowReading, positions: int | None, joint: bool
) -> tuple[Lengths, list[Problem]]:
    """Lengths of both texts that leave a row and the position table room, whatever the texts are.

    What the file does not say is 32 tokens of a query (half of a shorter row), and for the reply what a
    row has left.

    Args:
        reading: The run's.
        positions: Rows of the teacher's table; None without one.
        joint: Whether both texts stand in one table, as they do in the transformer form.
    """
    table = positions or 512
    alone = table - SPECIAL
    together = table - 2 * SPECIAL if joint else 2 * alone
    room = reading.max_seq_length - reading.tokenizer.num_special_tokens_to_add(pair=True)
    query = reading.max_query_length or max(min(USUAL_QUERY, room // 2), 1)
    reply = reading.max_reply_length or min(room - query, together - query, alone)
    if reply < 1 or query + reply > room:
        message = (
            f"max_query_length {query} and max_reply_length {reading.max_reply_length or 'left out'} "
            f"do not fit into max_seq_length {reading.max_seq_length}: {room} tokens are left for texts"
        )
        hint = f"Raise max_seq_length, or shorten them to {room} tokens together."
        return Lengths(query, 1), [
            Problem("max_query_length", message, hint, code="dc-bert.no-room-for-texts")
        ]
    if query + reply > together or max(query, reply) > alone:
        message = (
            f"max_query_length {query} and max_reply_length {reply}, each with {SPECIAL} special tokens, "
            f"take up {query + reply + 2 * SPECIAL} positions, and the teacher's position table serves "
            f"{table}"
        )
        return Lengths(query, reply), [
            Problem(
                "max_reply_length",
                message,
                "Shorten one of them.",
                code="dc-bert.beyond-the-position-table",
            )
        ]
    return Lengths(query, reply), []
