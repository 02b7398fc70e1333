"""The examples that a user's own class gives, checked one by one."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..figures import names_text
from .base import Example, Labels, Split
from .reading import malformed, read_rows, shorten, show


class Reader:
    """Turns objects or dicts with guid, text_a, text_b and label into examples.

    Args:
        labels: The task's label space.
        place: Where the method stands that gives them.
        split: Part of the examples' ids.
        optional: Whether an example may lack its label.
        values: Counts the labels.
    """

    def __init__(
        self, labels: Labels, place: str, split: Split, optional: bool, values: Counter[str]
    ) -> None:
        self.labels, self.place, self.split = labels, place, split
        self.optional, self.values = optional, values
        self.numbers = {name: number for number, name in enumerate(labels.names)}
        self.num_rows = 0
        self._digest = hashlib.sha256()

    def example(self, raw: Any) -> Example:
        """One example.

        Raises:
            UserError: with its number and guid: a text or a label that can't be taken.
        """
        number = self.num_rows
        text_a, text_b = _field(raw, "text_a"), _field(raw, "text_b")
        if not isinstance(text_a, str):
            raise self._fault(raw, f"text_a is {_shown(text_a)}, expected text.")
        if text_b is not None and not isinstance(text_b, str):
            raise self._fault(raw, f"text_b is {_shown(text_b)}, expected text or None.")
        label = self._label(raw)
        key = repr((text_a, text_b, label)).encode("utf-8", "surrogatepass")
        self._digest.update(len(key).to_bytes(8, "big") + key)
        self.num_rows += 1
        guid = _field(raw, "guid")
        name = None if guid is None else str(guid)
        return Example(f"{self.split}-{number}", number + 1, text_a, text_b, label, name=name)

    def finished(self) -> str:
        """The digest of all examples.

        Raises:
            UserError: there was none.
        """
        if not self.num_rows:
            raise UserError(
                Problem(self.place, "there are no examples.", code="plugin.no-examples")
            )
        return self._digest.hexdigest()

    def _label(self, raw: Any) -> int | float | None:
        found = _field(raw, "label")
        if found is None or (isinstance(found, float) and math.isnan(found)) or found == "":
            if self.optional:
                return None
            raise self._fault(raw, "there is no label.")
        if self.labels.kind == "regression":
            try:
                score = float(found)
            except (TypeError, ValueError):
                score = math.nan
            if not math.isfinite(score):
                raise self._fault(raw, f"the label is {_shown(found)}, expected a number.")
            return score
        whole = isinstance(found, (bool, float)) and float(found).is_integer()
        word = str(found) if str(found) in self.numbers or not whole else str(int(found))
        if word not in self.numbers:
            known = names_text(self.labels.names, 12)
            message = f"the label {_shown(found)} is not among get_labels: {known}."
            raise self._fault(raw, message)
        self.values[word] += 1
        return self.numbers[word]

    def _fault(self, raw: Any, message: str) -> UserError:
        guid = _field(raw, "guid")
        named = f", guid {_shown(guid)}" if guid is not None else ""
        return UserError(
            Problem(
                self.place,
                f"example {self.num_rows} (from 0{named}): {message}",
                code="plugin.faulty-example",
            )
        )


def plain_rows(path: Path, split: Split) -> Iterator[Example]:
    """Rows to be predicted: ``text_a``, or ``text_a TAB text_b``, in every line.

    Raises:
        UserError: while reading, at a row with another number of fields.
    """
    width = number = 0
    for line, fields in read_rows(path):
        width = width or len(fields)
        if len(fields) != width or width > 2:
            expected = "one text, or two with a TAB between them, as in every row"
            raise malformed(path, line, show(fields), expected)
        yield Example(f"{split}-{number}", line, fields[0], fields[1] if width == 2 else None)
        number += 1
    if not number:
        raise UserError(Problem(str(path), "the file holds no rows", code="data.no-rows"))


def _field(raw: Any, name: str) -> Any:
    return raw.get(name) if isinstance(raw, Mapping) else getattr(raw, name, None)


def _shown(value: Any) -> str:
    return shorten(value) if isinstance(value, str) else shorten(repr(value)).strip("'\"")
