"""Labels of a ``data`` block: the cells of its label column as class indices, sets, numbers or grades."""

import difflib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..figures import names_text
from .base import Labels
from .cells import Bad, cell_text
from .chat import ChatTask
from .label_cells import (
    SEPARATOR,
    applies,
    as_list,
    as_number,
    flag_of,
    label_parts,
    lone,
    vector_of,
)
from .label_names import index_in
from .reading import shorten
from .table_lines import check_encoding
from .tabular_found import ALL, INTEGER, NUMBER, found_in_rows, in_order, starts_with_vector
from .tabular_keys import DataKeys

__all__ = [
    "SEPARATOR",
    "LabelReader",
    "has_vectors",
    "label_parts",
    "labels_known",
    "labels_of",
    "labels_of_network",
    "listed_names",
]

_VECTORS = "All cells of a column have one form: names, their numbers, or a vector of 0 and 1."
_NO_LABEL = (
    'Of training rows: "skip_unlabeled": true at the top of the file leaves them out, and methods that '
    "listen to a teacher learn from them. Rows of dev, and those that `evaluate` reads, need one each; "
    "`predict` needs none."
)


class LabelReader:
    """Cells to labels.

    Args:
        labels: The label space.
        optional: Whether a row may lack its label.
        vectors: Whether a cell holds 0 or 1 for each label, in their order.
        numbered: Whether a cell may hold the number of a label, whose names someone listed in order.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        optional: bool,
        vectors: bool = False,
        numbered: bool = False,
    ) -> None:
        self.labels = labels
        self.optional = optional
        self.vectors = vectors
        exact = {name: number for number, name in enumerate(labels.names)}
        self._index = {as_number(name): number for name, number in exact.items()} | exact
        if numbered and not any(INTEGER.fullmatch(as_number(name)) for name in labels.names):
            self._index |= {str(n): exact[name] for n, name in enumerate(labels.numbered)}

    def _place(self, text: str) -> int | None:
        """The label that a text names; ``1.0`` and ``1`` are one."""
        return self._index.get(text, self._index.get(as_number(text)))

    def __call__(self, cell: Any) -> float | int | tuple[int, ...] | Bad | None:
        """The label of a cell, None where there is none and need not be."""
        if self.labels.kind == "multi_label":
            return self._set(cell)
        cell = lone(cell)
        text = (cell_text(cell) or "").strip()
        if not text:
            return self._nothing(cell)
        if self.labels.kind == "regression":
            value = float(text) if NUMBER.fullmatch(text) else math.nan
            return value if math.isfinite(value) else Bad(f"the label {shorten(text)}", "a number")
        found = self._place(text)
        if found is None and as_number(text) == "-1" and self.optional:
            return None
        return self._unknown(text) if found is None else found

    def _set(self, cell: Any) -> tuple[int, ...] | Bad | None:
        if cell is None:
            return None if self.optional else Bad("no label", self._wanted())
        if self.vectors:
            return self._vector(cell)
        found: set[int] = set()
        for text in label_parts(cell, self._index):
            place = self._place(text)
            if place is None:
                return self._unknown(text)
            if place in found:
                return Bad(f"the label {shorten(text)} twice", "each label once", _VECTORS)
            found.add(place)
        return tuple(sorted(found))

    def _vector(self, cell: Any) -> tuple[int, ...] | Bad | None:
        flags, places = vector_of(cell), len(self.labels.names)
        if flags is None and self.optional and not label_parts(cell):
            return None
        if flags is None or len(flags) != places:
            return Bad(
                f"the labels {shorten(str(cell))}", f"{places} places, 0 or 1 each", _VECTORS
            )
        return applies(flags)

    def of_columns(self, cells: Sequence[Any]) -> tuple[int, ...] | Bad | None:
        """The labels of a row whose columns stand for one label each: 0 or 1."""
        if self.optional and all(cell in (None, "") for cell in cells):
            return None
        flags = [flag_of(cell) for cell in cells]
        for name, cell, flag in zip(self.labels.names, cells, flags, strict=True):
            if flag is None:
                return Bad(f"{shorten(str(cell))} for the label {name!r}", "0 or 1")
        return applies([flag or 0 for flag in flags])

    def _nothing(self, cell: Any) -> Bad | None:
        """A cell without a label."""
        if self.optional and (cell is None or isinstance(cell, str | float)):
            return None
        items, hint = as_list(cell), _NO_LABEL
        found = "no label" if cell in (None, "") else f"the label {shorten(repr(cell))}"
        if items:
            found = f"a list of {len(items)} labels"
            hint = 'For any number of labels a row: "kind": "multi_label".'
        return Bad(found, self._wanted(), hint if items or cell in (None, "") else "")

    def _unknown(self, text: str) -> Bad:
        near = difflib.get_close_matches(text, self.labels.names, n=1)
        guess = f"Did you mean {near[0]!r}?" if near else ""
        return Bad(f"the label {shorten(text)}", self._wanted(), guess)

    def _wanted(self) -> str:
        if self.labels.kind == "regression":
            return "a number"
        names = names_text(self.labels.names)
        return f"labels of: {names}" if self.labels.kind == "multi_label" else f"one of: {names}"


def labels_of(keys: DataKeys) -> Labels:
    """The label space: what the block lists, else what stands in the training rows.

    Raises:
        UserError: neither tells, or the training rows hold too many different labels.
    """
    if keys.kind == "regression":
        return Labels("regression")
    kind = "multi_label" if keys.kind == "multi_label" else "classification"
    names = listed_names(keys)
    if keys.chosen is not None:
        return _chosen(names)
    if names is None and len(keys.label_columns) > 1:
        names = keys.label_columns
    if names is None:
        names = _names_in_rows(keys, 1 if kind == "multi_label" else 2)
    counted = names == tuple(str(number) for number in range(len(names)))
    settled = counted or keys.labels is not None
    return Labels(kind, names, settled=settled, key="data.labels")  # type: ignore[arg-type]


def labels_known(keys: DataKeys, names: Sequence[str], rows_are_there: bool) -> Labels:
    """The label space by the block or the training rows, else by the names of a network that is scored.

    Rows that the keys don't fit stand for none: the keys may be of the scored file, such as an encoding.
    """
    by_network = labels_of_network(keys, names)
    if by_network is not None and not rows_are_there:
        return by_network
    try:
        return labels_of(keys)
    except UserError:
        if by_network is None:
            raise
        return by_network


def labels_of_network(keys: DataKeys, names: Sequence[str]) -> Labels | None:
    """The label space by a network's names, where neither the block nor training rows tell it; else None.

    They stand in the order that rows would give them: a network's own may be another one. One name alone
    is that of one logit, which tells one of two classes.
    """
    if keys.kind == "regression" or keys.labels is not None or keys.chosen is not None:
        return None
    several = keys.kind == "multi_label"
    if len(keys.label_columns) > 1 or len(names) < (1 if several else 2):
        return None
    numbers = [index_in(name) for name in names]
    found = in_order(names if None in numbers else map(str, numbers))
    kind = "multi_label" if several else "classification"
    return Labels(kind, found, key="data.labels")  # type: ignore[arg-type]


def _chosen(names: tuple[str, ...] | None) -> Labels:
    """The label space of candidates of which one was chosen: that of ``chat``, or two names for it."""
    if names is None:
        return ChatTask.labels
    if len(names) != 2:
        message = f"names {len(names)} labels; of 'chosen' there are two"
        raise UserError(Problem("data.labels", message, _TWO, code="data.chosen-has-two-labels"))
    if any(map(INTEGER.fullmatch, names)) and names != ("0", "1"):
        message = f"names {', '.join(names)}; numbers of 'chosen' are 0, and 1 for the one chosen"
        raise UserError(
            Problem("data.labels", message, _TWO, code="data.chosen-labels-are-numbers")
        )
    return Labels("classification", names, positive=names[1], key="data.labels")


_TWO = 'First the candidates that were not chosen, then the one that was: ["no", "yes"].'


def _names_in_rows(keys: DataKeys, least: int) -> tuple[str, ...]:
    found = found_in_rows(keys)
    if found.width and found.names:
        message = f"is missing: the label cells are vectors of {found.width} places, 0 or 1 each"
        hint = 'Name the label of each place, in their order: "labels": ["service", "food", …].'
        raise UserError(Problem("data.labels", message, hint, code="data.vectors-need-labels"))
    if len(found.names) >= least:
        return found.names
    if found.odd:
        column = keys.label if keys.dialogues else keys.label_columns[0]
        message = f"column {column!r} holds {found.odd} where a label is expected"
        hint = "A label is a text, a number, or a list of one of them."
        if found.odd.startswith("a list"):
            hint = 'For any number of labels a row: "kind": "multi_label".'
        raise UserError(Problem("data.label", message, hint, code="data.no-label-there"))
    stands = f"only {found.names[0]!r} stands" if found.names else "no label stands"
    rows = f"under {keys.label!r} of the candidates" if keys.dialogues else "in the rows"
    message = f"names no classes, and {stands} {rows} to take them from"
    raise UserError(
        Problem(
            "data.labels",
            message,
            'For example: "labels": ["no", "yes"]',
            code="data.no-classes-found",
        )
    )


def has_vectors(keys: DataKeys, labels: Labels) -> bool:
    """Whether the cells of a multi-label column are vectors of 0 and 1, one place a label.

    Raises:
        UserError: they are, and have another number of places than there are labels.
    """
    if keys.kind != "multi_label" or len(keys.label_columns) > 1 or not starts_with_vector(keys):
        return False
    width = found_in_rows(keys, ALL).width
    if width and width != len(labels.names):
        message = (
            f"names {len(labels.names)} labels, and the label cells are vectors of {width} places"
        )
        raise UserError(
            Problem(
                "data.labels",
                message,
                "Name the label of each place.",
                code="data.labels-unlike-vectors",
            )
        )
    return bool(width)


def listed_names(keys: DataKeys) -> tuple[str, ...] | None:
    """The names that the block lists, itself or in a file; None if it lists none.

    Raises:
        UserError: the file can't be read, or holds none.
    """
    if isinstance(keys.labels, str):
        check_encoding(Path(keys.labels), keys.encoding)
        try:
            text = Path(keys.labels).read_text(encoding=keys.encoding)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                Problem(
                    "data.labels",
                    f"{keys.labels} can't be read: {reason}",
                    code="data.labels-file-unreadable",
                )
            ) from None
        lines = [line.strip() for line in text.removeprefix("\ufeff").split("\n")]
        return tuple(line for line in lines if line)
    return None if keys.labels is None else tuple(str(name).strip() for name in keys.labels)
