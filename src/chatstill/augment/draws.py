"""Draws that are a function of their place: (seed, row, copy, position), never of what was drawn before."""

import struct
from hashlib import blake2b

FIRST, SECOND = 0, 1  # which text of a row
_PLACE, _PAIR = struct.Struct("<qqqqq"), struct.Struct("<QQ")
_UNIT = 2.0**-53


def drawn(seed: int, row: int, copy: int, side: int, position: int) -> tuple[float, float]:
    """Two independent uniform numbers from 0, below 1.

    Args:
        seed: Of all draws.
        row: Number of the original row, from 0.
        copy: Number of its copy, from 0.
        side: ``FIRST`` or ``SECOND`` text.
        position: Where the word begins in the text; below 0 what is drawn once for a text.
    """
    digest = blake2b(_PLACE.pack(seed, row, copy, side, position), digest_size=16).digest()
    first, second = _PAIR.unpack(digest)
    return (first >> 11) * _UNIT, (second >> 11) * _UNIT


def choice(uniform: float, number: int) -> int:
    """One of ``number`` places, each as likely as any other."""
    return min(int(uniform * number), number - 1)
