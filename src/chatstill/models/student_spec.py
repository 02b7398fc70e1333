"""What the configuration says of a student, and how its rows are read. No torch is loaded here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STUDENT = "student_architectures"


@dataclass(frozen=True)
class RowReading:
    """How the rows of a run are read, for a student that takes part in it.

    Attributes:
        tokenizer: The teacher's.
        max_seq_length: Tokens of a row, special ones included.
        max_query_length: Of the first text, special tokens left out; None where the file says nothing.
        max_reply_length: Of the second text, likewise.
        truncation_side: Where longer texts are cut.
        pairs: Whether any training row has a second text; reads the rows.
        replies: Up to so many different second texts of the first training rows; reads them.
    """

    tokenizer: PreTrainedTokenizerBase
    max_seq_length: int
    max_query_length: int | None
    max_reply_length: int | None
    truncation_side: Literal["left", "right"]
    pairs: Callable[[], bool]
    replies: Callable[[int], list[str]] = lambda most: []


@dataclass(frozen=True)
class StudentSpec:
    """What the configuration says of the student.

    Attributes:
        num_layers: Its depth.
        path: ``student_architectures.model_name_or_path``, if given.
        load: Builds and loads what ``student_architectures`` names.
        build: The student with its start as the configuration says (a folder, copied layers, random),
            and lines about it for the plan; None leaves ``load``.
        copy_from: Whose layers it is to start as; None where the file says nothing.
        copy_layers: Which of them, from 0, or a word for them; None where the file says nothing.
        reading: How rows are read; None outside a run.
        seed: Of what is random in it.
    """

    num_layers: int
    path: str | None
    load: Callable[[], PreTrainedModel]
    build: Callable[[], tuple[PreTrainedModel, list[str]]] | None = None
    copy_from: str | None = None
    copy_layers: str | tuple[int, ...] | None = None
    reading: RowReading | None = None
    seed: int = 42


def type_of_the_teacher(given: str, theirs: str) -> Problem:
    """A student made of the teacher's layers is of the teacher's kind."""
    message = f"'{given}', but the student is made of the teacher's layers: '{theirs}'"
    hint = f"Write '{theirs}', leave it out, or name the student's own config_file."
    return Problem(f"{STUDENT}.model_type", message, hint, code="student.type-of-the-teacher")


def no_layer_left(total: int) -> Problem:
    """A teacher of so few layers that half of them is none."""
    message, hint = (
        f"half of {total} layers leaves no student",
        "Name the student's own config_file.",
    )
    return Problem(STUDENT, message, hint, code="student.no-layer-left")
