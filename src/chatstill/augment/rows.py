"""What is known of the training rows before any is changed: their number, their sentences, their size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Problem
from ..tasks.base import Example, Task
from .digests import Digests, digest, plain
from .forms import Form
from .record import held_out
from .words import has_han, replaceable
from .work import Work

SAY_EVERY = 1000


def texts_of(example: Example) -> list[str]:
    """The one or two texts of a row that vary; turns before the first stay."""
    return [example.text_a] if example.text_b is None else [example.text_a, example.text_b]


@dataclass
class Survey:
    """Of the training rows.

    Attributes:
        rows: How many.
        pairs: Whether they have two texts.
        bytes: Of their texts.
        unlabelled: Rows without a label.
        chinese: Whether a text holds Chinese.
        warnings: What reading told.
    """

    rows: int = 0
    pairs: bool = False
    bytes: int = 0
    unlabelled: int = 0
    chinese: bool = False
    warnings: list[Problem] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """Of a row."""
        return 2 if self.pairs else 1


def survey(form: Form) -> Survey:
    """Reads all rows once.

    Raises:
        UserError: see ``Task.read``.
    """
    found = Survey()
    for row in form.rows():
        found.rows += 1
        found.unlabelled += row.example.label is None
        texts = texts_of(row.example)
        found.pairs = found.pairs or len(texts) == 2
        found.bytes += sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        found.chinese = found.chinese or any(map(has_han, texts))
    found.warnings = list(form.warnings)
    return found


def collect_sentences(form: Form, work: Work, known: Digests) -> None:
    """The distinct sentences of all rows, in the order in which they come first."""
    for row in form.rows():
        for text in texts_of(row.example):
            key = digest(text)
            if known.find(key) is None:
                known.add(key, work.add(text))
    work.end_sentences()


def word_counts(form: Form) -> Counter[str]:
    """How often each word that may be replaced stands in the rows, in lower case."""
    counts: Counter[str] = Counter()
    for row in form.rows():
        for text in texts_of(row.example):
            counts.update(word.text.lower() for word in replaceable(text, None))
    return counts


class HeldOut:
    """The sentences of dev and test, by digest."""

    def __init__(self, task: Task, data_dir: Path, path: Path) -> None:
        self._task, self._data_dir = task, data_dir
        number = sum(1 for _ in self._sentences())
        self._known = Digests(path, number)
        for sentence in self._sentences():
            self._known.add(digest(plain(sentence)))

    def _sentences(self) -> Iterator[str]:
        for split, path in held_out(self._task, self._data_dir).values():
            for example in self._task.read(path, split, False):
                yield from texts_of(example)

    def has(self, text: str) -> bool:
        """Whether a text is one of theirs, case and blanks aside."""
        return self._known.find(digest(plain(text))) is not None


Progress = Callable[[int], None]
