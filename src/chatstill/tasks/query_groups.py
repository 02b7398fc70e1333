"""Groups of rows with one query, where no field names them: neighbours, or equal queries anywhere."""

from pathlib import Path
from typing import Literal

from ..errors import Problem

GroupsBy = Literal["neighbours", "query"]


class QueryGroups:
    """Names the group of each row of one file, in file order.

    Args:
        by: ``neighbours``: rows of equal query that follow each other; ``query``: equal queries,
            wherever they stand.
        looks: Whether queries that come back later are counted, for rows that are ranked.
    """

    def __init__(self, by: GroupsBy, *, looks: bool) -> None:
        self._by, self._looks = by, looks or by == "query"
        self._last: str | None = None
        self._first: dict[int, int] = {}  # hash of a query -> its first block
        self._blocks = -1
        self._again: set[int] = set()
        self._name = ""

    def of(self, query: str) -> str:
        """The group of the next row."""
        if query == self._last:
            return self._name
        self._last = query
        self._blocks += 1
        number = self._blocks
        if self._looks:
            key = hash(query)
            first = self._first.setdefault(key, number)
            if first != number:
                self._again.add(key)
                number = first if self._by == "query" else number
        self._name = f"q{number}"
        return self._name

    def warning(self, path: Path) -> list[Problem]:
        """What a user should know of a file that was read: queries that stand in several places."""
        if not self._again or self._by == "query":
            return []
        several = (
            "1 query stands" if len(self._again) == 1 else f"{len(self._again):,} queries stand"
        )
        message = (
            f"{several} in several places: {len(self._first):,} queries in {self._blocks + 1:,} blocks of "
            "rows, and each block is ranked as a group of its own"
        )
        hint = (
            'To rank equal queries together: "groups": "query". To name the groups: a fourth field, '
            "or the rows sorted by query."
        )
        return [
            Problem(
                str(path), message, hint, severity="warning", code="data.group-in-several-places"
            )
        ]
