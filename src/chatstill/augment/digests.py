"""A table of digests in a file: what was seen before is found again without growing memory."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np

ENTRY = np.dtype([("key", "<u8"), ("more", "<u8"), ("value", "<i8")])
LEAST = 1 << 10


def digest(*texts: str) -> bytes:
    """16 bytes of some texts in their order."""
    parts = (text.encode("utf-8", "surrogatepass") for text in texts)
    return blake2b(b"".join(len(p).to_bytes(8, "big") + p for p in parts), digest_size=16).digest()


def plain(text: str) -> str:
    """A sentence as it is compared with those of dev and test: case and blanks do not count."""
    return " ".join(text.casefold().split())


def bytes_for(entries: int) -> int:
    """The size of a table's file."""
    return _places(entries) * ENTRY.itemsize


def _places(entries: int) -> int:
    return max(LEAST, 1 << (2 * max(entries, 1) - 1).bit_length())


class Digests:
    """Digests with a number each; the file is mapped, so that the system keeps in memory what it can.

    Args:
        path: A file in a folder of ours; made anew.
        entries: The most digests.
    """

    def __init__(self, path: Path, entries: int) -> None:
        self._most, self._held = entries, 0
        path.unlink(missing_ok=True)
        self._table = np.memmap(path, ENTRY, mode="w+", shape=(_places(entries),))
        self._keys, self._more = self._table["key"], self._table["more"]
        self._values = self._table["value"]
        self._mask = len(self._table) - 1

    def __len__(self) -> int:
        return self._held

    def find(self, key: bytes) -> int | None:
        """The number of a digest; None where it is new."""
        at, known = self._place(key)
        return int(self._values[at]) if known else None

    def add(self, key: bytes, value: int = 0) -> int | None:
        """Keeps a new digest; of a known one its number is given."""
        at, known = self._place(key)
        if known:
            return int(self._values[at])
        assert self._held < self._most, "more digests than were announced"
        self._keys[at], self._more[at] = _numbers(key)
        self._values[at] = value
        self._held += 1
        return None

    def _place(self, key: bytes) -> tuple[int, bool]:
        first, second = _numbers(key)
        at = first & self._mask
        while True:
            held = int(self._keys[at])
            if held == first and int(self._more[at]) == second:
                return at, True
            if not held:
                return at, False
            at = (at + 1) & self._mask


def _numbers(key: bytes) -> tuple[int, int]:
    """Two numbers; the first is never 0, which marks a free place."""
    return int.from_bytes(key[:8], "little") or 1, int.from_bytes(key[8:], "little")
