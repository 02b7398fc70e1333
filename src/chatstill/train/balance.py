"""Notices a loss whose terms are of very different size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TIMES = 100.0
_PREFIX, _SUFFIX = "term/", "_weighted"


class Balance:
    """Says once of each pair of terms, per phase, that one outweighs the other."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str, str]] = set()

    def look(self, record: Mapping[str, Any]) -> str | None:
        """A sentence if, weights included, a term of this log record is 100 times another."""
        sizes = {
            key[len(_PREFIX) : -len(_SUFFIX)]: abs(float(value))
            for key, value in record.items()
            if key.startswith(_PREFIX) and key.endswith(_SUFFIX) and value
        }
        if len(sizes) < 2:
            return None
        large, small = max(sizes, key=lambda n: sizes[n]), min(sizes, key=lambda n: sizes[n])
        ratio, known = sizes[large] / sizes[small], (str(record.get("phase")), large, small)
        if not ratio > TIMES or known in self._said:
            return None
        self._said.add(known)
        return (
            f"the term '{large}' outweighs '{small}' {ratio:,.0f} times ({sizes[large]:.3g} against "
            f"{sizes[small]:.3g}, weights included): '{small}' hardly trains anything"
        )
