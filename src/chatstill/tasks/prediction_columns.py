"""Columns and cells of predictions.tsv."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

TEXTS = ("text_a", "text_b")
SCORE = re.compile(r"score(_\d+)?")
PROBABILITY = re.compile(r"probability(_\d+)?")


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes:
        grouped: Whether there is one of groups.
        named: Whether there is one of what the data call the rows.
        probabilities: Columns of probabilities: 0 for a score, else 1, or one for each label.
        multi_label: Whether these are numbered.
        positive: Whether there is one of the class that counts.
        scores: Columns of scores.
        texts: Whether there are those of both texts.
    """

    grouped: bool
    named: bool = False
    probabilities: int = 0
    multi_label: bool = False
    positive: bool = False
    scores: int = 1
    texts: bool = False

    @property
    def names(self) -> list[str]:
        """The header line."""
        numbered = [f"probability_{number}" for number in range(self.probabilities)]
        return [
            "index",
            *(["id"] if self.named else []),
            *(["group"] if self.grouped else []),
            *("label", "prediction"),
            *(numbered if self.multi_label else ["probability"][: self.probabilities]),
            *(["positive_probability"] if self.positive else []),
            *(["score"] if self.scores == 1 else [f"score_{n}" for n in range(self.scores)]),
            *(TEXTS if self.texts else []),
        ]

    @classmethod
    def of(cls, header: Sequence[str]) -> "Columns | None":
        """What a header line says; None where it is none of a file of predictions."""
        chances = [name for name in header if PROBABILITY.fullmatch(name)]
        found = cls(
            "group" in header,
            "id" in header,
            len(chances),
            "probability_0" in chances,
            "positive_probability" in header,
            sum(SCORE.fullmatch(name) is not None for name in header),
            TEXTS[0] in header,
        )
        return found if found.scores and found.names == list(header) else None


def escaped(text: str) -> str:
    """A text in one field: TAB, line ends and backslash as ``\\t``, ``\\n``, ``\\r``, ``\\\\``."""
    for character, shown in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, shown)
    return text
