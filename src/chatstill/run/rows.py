"""The rows of a run: where each split lies, whether its rows must have labels, and their views."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.splits import label_width
from ..data.views import View, prepare_view
from ..models.student_spec import RowReading
from ..tasks.base import Example, Rows, Split, Task
from ..tasks.files import locate
from ..tasks.transfer import labelled_rows
from ..text.preprocess import preprocess_version, preprocessed
from .fingerprint import rows_fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..config.schema import RunConfig
    from ..data.encoded import Encoder
    from ..methods.base import Method, MethodConfig

TEXTS = "texts 1 "  # of a fingerprint; the number changes with how they are taken
MOST_KEPT = 8_000_000  # characters of a split: several times as many bytes of memory


@dataclass
class RunRows:
    """The rows of a run, read from their files once where they are few enough to be kept.

    Attributes:
        config: The run's keys.
        task: Its task.
        train_labelled: Whether every training row must have a label.
        skips: Whether those that have none are left out.
        reads_texts: Whether a phase reads the texts of all rows, with a label or without.
    """

    config: RunConfig
    task: Task
    train_labelled: bool
    skips: bool = False
    reads_texts: bool = False
    _kept: dict[Split, tuple[list[Example], Rows]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, config: RunConfig, task: Task, method: type[Method], knobs: MethodConfig | None
    ) -> RunRows:
        """The rows that a method learns from under its knobs; without them, under its usual ones."""
        knobs = method.Config() if knobs is None else knobs
        skips = config.skip_unlabeled or method.skips_unlabelled(knobs)
        texts = "texts" in method.data_of(knobs)
        return cls(config, task, skips or method.all_labelled(knobs), skips, texts)

    def path(self, split: Split) -> Path:
        """The file of a split, or of the one that stands in for it."""
        return locate(self.task, split, Path(self.config.data_dir)).path

    def labelled(self, split: Split) -> bool:
        """Whether every row of a split must have a label."""
        return self.train_labelled if split == "train" else split != "test"

    def as_written(self, split: Split) -> Rows:
        """The rows as they stand in the file, streamed."""
        if split in self._kept:
            examples, rows = self._kept[split]
            return _like(iter(examples), rows)
        path = self.path(split)
        if split == "train" and self.skips:
            what = " of what learns from labels; their texts are read" if self.reads_texts else ""
            rows = labelled_rows(self.task, path, split, what)
        else:
            rows = self.task.read(path, split, self.labelled(split))
        return Rows(self._kept_while_read(split, rows), rows.label_values, rows.warnings, rows.bad)

    def read(self, split: Split) -> Rows:
        """The rows as they are prepared."""
        return preprocessed(self.as_written(split), self.config.preprocess)

    def source(self, split: Split) -> str:
        """Fingerprint of the rows of a split as they are prepared."""
        source = rows_fingerprint(self.task, self.path(split), split, self.labelled(split))
        skips = "-skips" if split == "train" and self.skips else ""
        return source + skips + preprocess_version(self.config.preprocess)

    def counted(self, split: Split) -> Rows:
        """The rows that words are counted in: all that some phase reads."""
        return self._all_rows(split) if self.reads_texts else self.read(split)

    def counted_source(self, split: Split) -> str:
        """Fingerprint of them."""
        return self._all_source(split) if self.reads_texts else self.source(split)

    def texts(self, split: Split) -> Rows:
        """Each distinct text of a split as a row by itself, in the order in which they come first.

        Of ``train`` those of the transfer set are among them. Their hashes are kept, 16 bytes each.
        """
        rows = self._all_rows(split)
        return Rows(_texts_of(rows, split), rows.label_values, rows.warnings, rows.bad)

    def texts_source(self, split: Split) -> str:
        """Fingerprint of them."""
        return TEXTS + self._all_source(split)

    def _all_source(self, split: Split) -> str:
        labelled = split != "train"
        source = rows_fingerprint(self.task, self.path(split), split, labelled)
        return source + preprocess_version(self.config.preprocess)

    def _all_rows(self, split: Split) -> Rows:
        """As they are prepared, of ``train`` with the transfer set."""
        if split != "train" or not self.train_labelled:
            return self.read(split)
        rows = self.task.read(self.path(split), split, False)
        return preprocessed(rows, self.config.preprocess)

    def reading(self, tokenizer: PreTrainedTokenizerBase) -> RowReading:
        """How they are read with a tokenizer, for a student that takes part in it."""
        config = self.config
        return RowReading(
            tokenizer,
            config.max_seq_length,
            config.max_query_length,
            config.max_reply_length,
            config.truncation_side,
            pairs=lambda: any(row.text_b is not None for row in self.as_written("train")),
            replies=self._replies,
        )

    def _replies(self, most: int) -> list[str]:
        found: dict[str, None] = {}
        for row in islice(self.read("train"), 100 * most):
            if row.text_b is not None:
                found[row.text_b] = None
            if len(found) == most:
                break
        return list(found)

    def view(
        self,
        split: Split,
        encoders: Sequence[Encoder],
        folder: Path,
        progress: Callable[[int], None] | None = None,
        user: Path | None = None,
        *,
        texts: bool = False,
    ) -> View:
        """The tokenised rows of a split, prepared once under ``folder`` for the run in ``user``.

        Args:
            split: Which.
            encoders: The student's, and the teacher's if that is another one.
            folder: Where views lie.
            progress: Called with the number of rows so far.
            user: The run folder.
            texts: Each distinct text of it as a row by itself.
        """
        prepare = partial(
            prepare_view,
            folder=folder,
            source_fingerprint=self.texts_source(split) if texts else self.source(split),
            label_width=label_width(self.task),
            progress=progress,
            user=user,
        )
        read = self.texts if texts else self.read
        view, *teachers = [prepare(read(split), encode) for encode in encoders]
        if teachers:
            (view.teacher,) = teachers
        return view

    def _kept_while_read(self, split: Split, rows: Rows) -> Iterator[Example]:
        kept: list[Example] | None = []
        size = 0
        for example in rows:
            size += sum(map(len, (*example.context, example.text_a, example.text_b or "")))
            if size > MOST_KEPT:
                kept = None
            if kept is not None:
                kept.append(example)
            yield example
        if kept is not None:
            self._kept[split] = kept, _like(iter(()), rows)


def _texts_of(rows: Rows, split: Split) -> Iterator[Example]:
    """Rows of one text each, numbered anew; blank texts are left out."""
    seen: set[bytes] = set()
    for row in rows:
        for text in (*row.context, row.text_a, row.text_b or ""):
            key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if text.strip() and key not in seen:
                seen.add(key)
                yield Example(f"{split}-{len(seen) - 1}", row.line, text)


def _like(examples: Iterator[Example], rows: Rows) -> Rows:
    """Other rows, and the notes of those."""
    return Rows(examples, rows.label_values.copy(), list(rows.warnings), list(rows.bad))
