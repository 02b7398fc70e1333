"""The rows of a run's phases by their kind (``Phase.data``), prepared: the task's, its texts, or a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.blocks import Blocks, prepare_blocks
from ..data.fingerprint import file_sha256
from ..data.splits import list_bad_rows, rows_folder
from ..data.views import View
from ..errors import Problem, UserError
from ..figures import byte_size
from ..methods.base import Method, by_loss
from ..tasks import get_task
from ..tasks.base import Split
from ..tasks.corpus import CorpusTask, Stretch
from ..tasks.corpus_survey import Corpus, survey_corpus
from ..tasks.files import locate
from ..tasks.selection import check_selection
from ..text.byte_tokenizer import ByteTokenizer
from ..text.vocabulary import num_ids
from ..train.frozen_states import Texts, settle_states
from ..train.launch import rank, say
from ..train.settings import evaluates
from ..train.stored_teacher import settle

if TYPE_CHECKING:
    from rich.console import Console
    from transformers import PreTrainedTokenizerBase

    from ..config.schema import RunConfig
    from ..readers.pair import PairReader
    from .job import Job

SOME_ROWS = 65_536  # whose bytes are counted at once


@dataclass(frozen=True)
class Part:
    """Rows of one kind.

    Attributes:
        train: Those that are trained on.
        dev: Held-out ones of the same kind; None where no phase is selected by its loss on them.
    """

    train: View | Blocks
    dev: View | Blocks | None = None


@dataclass
class Views:
    """The tokenised rows of a run.

    Attributes:
        dev: The rows that the kept network is scored on.
        parts: By ``Phase.data``, those that a phase asks for.
        scored: The task's training rows, where the teacher alone is scored on them.
        texts: The different texts of all parts, where they were read to decide about the student's states.
    """

    dev: View
    parts: Mapping[str, Part] = field(default_factory=dict)
    scored: View | None = None
    texts: Texts | None = None

    @property
    def train(self) -> View | None:
        """The task's training rows, where a phase learns from them or the teacher is scored on them."""
        part = self.parts.get("train")
        found = self.scored if part is None else part.train
        return found if isinstance(found, View) else None

    @property
    def first(self) -> View | Blocks:
        """The task's training rows; those of the first phase where no phase learns from them."""
        part = self.parts.get("train") or next(iter(self.parts.values()))
        return part.train

    def num_rows(self, data: str) -> int:
        """Training rows of a kind."""
        return len(self.parts[data].train)

    def held_out(self, data: str) -> View | Blocks:
        """Dev rows of a kind."""
        found = self.dev if data == "train" else self.parts[data].dev
        assert found is not None, f"no dev rows were prepared for phases on '{data}'"
        return found


def kinds_of(method: Method) -> tuple[str, ...]:
    """What the phases of a method learn from: each ``Phase.data`` once, in their order."""
    return tuple(dict.fromkeys(phase.data for phase in method.phases()))


def corpus_of(
    config: RunConfig, method: Method, reader: PairReader
) -> tuple[Corpus | None, list[Problem]]:
    """The corpus of a method that learns from one, read once, and what keeps it from it."""
    phases = [phase.name for phase in method.phases() if phase.data == "corpus"]
    if not phases:
        return None, []
    problems = []
    if reader.teacher_tokenizer is not None:
        message = "its phase reads blocks of a corpus, and student and teacher have tokenizers of their own"
        hint = "Give the student the teacher's vocabulary."
        problems.append(Problem(phases[0], message, hint, code="corpus.two-tokenizers"))
    if reader.computed or reader.word_weights is not None:
        message = "blocks of a corpus have no weights of tokens"
        hint = 'Take another pooling: "mean" or "cls".'
        problems.append(Problem(phases[0], message, hint, code="corpus.no-token-weights"))
    try:
        return survey_corpus(*corpus_files(config)), problems
    except UserError as error:
        return None, [*problems, *error.problems]


def corpus_files(config: RunConfig) -> tuple[Path, Path]:
    """Where its training and held-out text stand.

    Raises:
        UserError: there is none.
    """
    task, folder = get_task(CorpusTask.name), Path(config.data_dir)
    return locate(task, "train", folder).path, locate(task, "dev", folder).path


def undeclared(method: Method) -> list[Problem]:
    """Phases on rows that ``data_of`` does not name: they would be in no fingerprint."""
    known = method.data_of(method.config)
    return [
        Problem(
            phase.name,
            f"its phase learns from '{phase.data}', which the method's data_of does not name",
            code="method.data-not-named",
        )
        for phase in method.phases()
        if phase.data not in known
    ]


def prepare_views(job: Job, folder: Path, console: Console, *, trains: bool = True) -> Views:
    """Tokenises once; other processes, and a run that goes on, find it done.

    Raises:
        UserError: a row without a label where the method needs it; the metric that selects has no value.
    """
    cache = rows_folder(job.config, folder)
    if rank() == 0:
        job.kept.write(cache, folder)
    made = _Preparation(job, cache, folder, console)
    parts = {kind: made.part(kind) for kind in kinds_of(job.method)}
    noise = job.teacher is not None and job.config.do_eval and "train" in job.config.label_noise
    scored = made.rows("train") if noise and "train" not in parts else None
    views = Views(made.rows("dev"), parts, scored)
    if rank() == 0:
        # Texts are read from the training files and the transfer set: no bad row is missed.
        read = [parts[kind].train for kind in ("texts", "train") if kind in parts]
        listed = {"train": rows for rows in read[:1] if isinstance(rows, View)}  # noqa: B035
        list_bad_rows({**listed, "dev": views.dev}, folder)
    if any(not by_loss(job.method, phase) for phase in job.method.phases()):
        check_selection(job.task, np.asarray(views.dev.labels), views.dev.groups)
    if rank() == 0 and trains:
        read_in_phases = {kind: part.train for kind, part in parts.items()}
        settle(job, read_in_phases, folder)
        views.texts = settle_states(job, read_in_phases, folder)
    return views


class _Preparation:
    """Tokenises what is asked for, and says what it came to."""

    def __init__(self, job: Job, cache: Path, folder: Path, console: Console) -> None:
        self.job, self.cache, self.console = job, cache, console
        self.user = folder if rank() == 0 else None

    def part(self, kind: str) -> Part:
        """The rows of a kind, and held-out ones where a phase is selected by its loss on them."""
        if kind == "train":  # its dev rows are those that are scored
            return Part(self.rows("train"))
        method = self.job.method
        looked_at = evaluates(self.job.config) and any(
            phase.data == kind and by_loss(method, phase) for phase in method.phases()
        )
        make = self.blocks if kind == "corpus" else partial(self.rows, texts=True)
        return Part(make("train"), make("dev") if looked_at else None)

    def rows(self, split: Split, *, texts: bool = False) -> View:
        """Rows of the task, or its texts one by one."""
        name = f"texts of {split}" if texts else split
        with self.console.status(f"tokenising {name}") as status:

            def show(rows: int) -> None:
                status.update(f"tokenising {name}: {rows:,} rows")

            encoders = self.job.reader.encoders
            view = self.job.rows.view(split, encoders, self.cache, show, self.user, texts=texts)
        if not view.has_labels and not texts:
            say(f"{split}: {view.num_labelled:,} of {len(view):,} rows have a label")
        tokenizer = self.job.tokenizer
        longest = _longest(view, tokenizer)
        cut = f"{100 * view.cut_share:.1f} % of rows cut"
        kind = getattr(tokenizer, "lengths_are", "tokens")
        say(f"{name}: {len(view):,} rows, longest {longest} {kind}, {cut}")
        return view

    def blocks(self, split: Split) -> Blocks:
        """Blocks of the corpus."""
        job, corpus = self.job, self.job.corpus
        if corpus is None:  # its faults were told with the plan of a new run
            raise UserError(corpus_of(job.config, job.method, job.reader)[1])
        stretch = corpus.train if split == "train" else corpus.dev
        assert isinstance(stretch, Stretch), "its files are train.txt and dev.txt"
        with self.console.status(f"tokenising the corpus' {split}") as status:

            def show(done: int) -> None:
                text = f"{byte_size(done)} of {byte_size(stretch.size)}"
                status.update(f"tokenising the corpus' {split}: {text}")

            found = prepare_blocks(
                stretch,
                job.reader.encoder(job.student),
                self.cache,
                length=job.config.max_seq_length,
                vocabulary=num_ids(job.tokenizer),
                source=file_sha256(stretch.path),
                progress=show,
                user=self.user,
            )
        say(
            f"corpus, {split}: {len(found):,} blocks of {found.documents:,} documents, "
            f"{found.num_tokens:,} tokens"
        )
        return found


def _longest(view: View, tokenizer: PreTrainedTokenizerBase) -> int:
    """The longest row, in what ``max_seq_length`` counts: words where ids are their bytes."""
    if not isinstance(tokenizer, ByteTokenizer):
        return int(view.lengths.max(initial=0))
    longest = 0
    for first in range(0, len(view), SOME_ROWS):
        ends = view.offsets[first : first + SOME_ROWS + 1]
        ids = view.ids[ends[0] : ends[-1]]
        before = np.append(0, np.cumsum(tokenizer.counted_of(ids)))[ends - ends[0]]
        longest = max(longest, int(np.diff(before).max(initial=0)))
    return longest
