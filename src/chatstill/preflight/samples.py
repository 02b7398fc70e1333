"""A few rows of each kind that phases learn from (``Phase.data``), and how many there are of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.blocks import Blocks, prepare_blocks
from ..data.splits import sample_view
from ..data.views import View
from ..errors import Problem
from ..tasks.base import Example
from ..tasks.corpus import Stretch
from ..text.vocabulary import num_ids
from ..train.launch import world_size
from .sample import sample_rows
from .survey import Survey, Thinning
from .trial import SAMPLE

if TYPE_CHECKING:
    from ..run.job import Job

LOOKED_AT = 1 << 19  # bytes of a corpus that are tokenised for the plan


@dataclass(frozen=True)
class Sample:
    """Rows of one kind.

    Attributes:
        rows: A few of them.
        num_rows: Of all; of a large corpus an estimate.
        num_dev: Held-out rows of the same kind, likewise.
        what: In words for the plan; empty for the task's rows, which the data report describes.
    """

    rows: View | Blocks
    num_rows: int
    num_dev: int
    what: str = ""


def samples(job: Job, train: Survey, dev: Survey, folder: Path) -> dict[str, Sample]:
    """Of each kind that a phase learns from, by ``Phase.data``.

    Args:
        job: The run.
        train, dev: What its rows are.
        folder: Temporary; the rows are mapped from there.
    """
    make = {"train": _of_task, "texts": _of_texts, "corpus": _of_corpus}
    kinds = dict.fromkeys(phase.data for phase in job.method.phases())
    return {kind: make[kind](job, train, dev, folder) for kind in kinds}


def too_few(found: dict[str, Sample]) -> list[Problem]:
    """Kinds of which not every process gets a row."""
    names = {"train": "training rows", "texts": "texts", "corpus": "blocks of the corpus"}
    return [
        Problem(
            "data",
            f"{sample.num_rows} {names[kind]} for {world_size()} processes",
            code="data.fewer-rows-than-processes",
        )
        for kind, sample in found.items()
        if sample.num_rows < world_size()
    ]


def _of_task(job: Job, train: Survey, dev: Survey, folder: Path) -> Sample:
    rows = [train.sample[at] for at in sample_rows(len(train.sample), None, SAMPLE)]
    return Sample(_view(job, rows, folder), train.num_rows, dev.num_rows)


def _of_texts(job: Job, train: Survey, dev: Survey, folder: Path) -> Sample:
    thinned, count = Thinning(SAMPLE), 0
    for row in job.rows.texts("train"):
        count += 1
        if thinned.wants():
            thinned.keep(row)
    view = _view(job, thinned.kept[:SAMPLE], folder / "texts")
    num_dev = sum(1 for _ in job.rows.texts("dev"))
    return Sample(view, count, num_dev, f"{count:,} distinct texts of the training rows")


def _view(job: Job, rows: list[Example], folder: Path) -> View:
    view, *teachers = [
        sample_view(job.task, rows, encode, folder / str(number))
        for number, encode in enumerate(job.reader.encoders)
    ]
    view.teacher = teachers[0] if teachers else None
    return view


def _of_corpus(job: Job, train: Survey, dev: Survey, folder: Path) -> Sample:
    assert job.corpus is not None, "its faults were told before"
    whole, held_out = job.corpus.train, job.corpus.dev
    assert isinstance(whole, Stretch), "its files are train.txt and dev.txt"
    part = _beginning(whole)
    blocks = prepare_blocks(
        part,
        job.reader.encoder(job.student),
        folder / "corpus",
        length=job.config.max_seq_length,
        vocabulary=num_ids(job.tokenizer),
        source="sample",
    )
    count = round(len(blocks) * whole.size / max(part.size, 1))
    about = "" if part == whole else "about "
    length = job.config.max_seq_length
    what = f"{about}{count:,} blocks of up to {length} tokens of {whole.path}"
    return Sample(blocks, count, round(count * held_out.size / max(whole.size, 1)), what)


def _beginning(stretch: Stretch) -> Stretch:
    """The first lines of a part of a corpus."""
    if stretch.size <= LOOKED_AT:
        return stretch
    with stretch.path.open("rb") as file:
        file.seek(stretch.start)
        end = file.read(LOOKED_AT).rfind(b"\n") + 1
    return Stretch(stretch.path, stretch.start, stretch.start + end) if end else stretch
