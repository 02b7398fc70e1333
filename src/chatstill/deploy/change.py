"""The changes of an index: built, added to, taken from, compacted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.fingerprint import fingerprint
from ..errors import Problem, UserError
from ..figures import counted
from .build import Encoding, Moving, Writer, clear, size_of
from .entries import difference, new_replies, numbers_of
from .folder import FILE, require_index, require_ours
from .held import Held, Hold
from .index import Index
from .manifest import ColumnEntry, Manifest, Nearest, read_manifest, writing_to
from .measure import effect_of_form, first_stage_recall, sample_queries
from .nearest import LOWEST_RECALL, require_library
from .numbers import Dtype
from .relevance import Relevance
from .reply_file import Reply, ReplyFile
from .served import Served

Tell = Callable[[str], None]
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


class Form(NamedTuple):
    """What is kept of replies, and how.

    Attributes:
        hold: ``keys``, ``states`` or ``vectors``; None: the network's default.
        dtype: In which numbers.
        pool: Neighbouring states that are averaged.
        first_stage: Candidates of the first stage; None: without one.
    """

    hold: Hold | None = None
    dtype: Dtype = "fp16"
    pool: int = 1
    first_stage: int | None = None


class Desk(NamedTuple):
    """Who is told what.

    Attributes:
        tell: Takes a line.
        warn: Takes a warning.
        progress: Given a number of replies, a context that is told how many more were written.
        queries: For what is measured; None: the replies themselves.
        label: The label of a relevant reply.
    """

    tell: Tell
    warn: Callable[[Problem], None]
    progress: Progress
    queries: Sequence[str] | None = None
    label: str | None = None


def build(
    served: Served, file: ReplyFile, folder: Path, form: Form, desk: Desk, *, fresh: bool = False
) -> Manifest:
    """Builds an index in a folder that is absent, empty, or an index's that was interrupted.

    Raises:
        UserError: the folder holds something else, or a complete index of something else and not ``fresh``;
            the disk is too small; the network does not allow the form, or has no such label.
    """
    require_ours(folder)
    held = served.held(form.hold, form.pool)
    if desk.label is not None:
        served.relevance(desk.label)  # a wrong one is told before anything is encoded
    if form.first_stage is not None:
        require_library()
    empty = Manifest(
        network=served.fingerprint,
        held=held.name,
        columns=[ColumnEntry(**column._asdict()) for column in held.columns],
        dtype=form.dtype,
        pool=form.pool,
        named=file.named,
    )
    with writing_to(folder):
        parts = {"replies": _digest(file.replies), "first stage": form.first_stage}
        writer = Writer(folder, empty, parts)
        if (folder / FILE).is_file() and not fresh:
            _require_same(folder, writer, file, form)
            desk.tell(f"{folder} is this index already: nothing to do")
            return _as_it_is(folder)
        writer.begin()
        _add_rows(writer, served, held, file.replies, {}, desk)
        return _finish(writer, served, form.first_stage, desk)


def add(served: Served, file: ReplyFile, folder: Path, desk: Desk) -> Manifest:
    """Adds replies; those that are there already are passed over. What building measured stays as it is.

    Raises:
        UserError: an id is there with another reply; ids where the index has none, or the other way round;
            another network's index; the disk is too small.
    """
    require_index(folder, "--out")
    with writing_to(folder):
        index = Index(folder)
        index.require(served.fingerprint)
        if index.manifest.named != file.named:
            kinds = {True: "ids", False: "no ids"}
            there, here = kinds[index.manifest.named], kinds[file.named]
            message = f"the index's replies have {there}, those of the file have {here}"
            hint = "Write id TAB reply in each line, or replies alone, as the index was built from."
            raise UserError(Problem("--add", message, hint, code="index.other-kind-of-file"))
        new = new_replies(index, file.replies)
        if passed := len(file.replies) - len(new):
            what = "ids with these replies" if file.named else "replies"
            desk.tell(f"{passed:,} of {len(file.replies):,} {what} are there already")
        if not new:
            return _as_it_is(folder)
        known = {text: row for row, text in enumerate(index.texts())}
        if again := len({reply.text for reply in new} & known.keys()):
            what = counted(again, "reply is stored", "replies are stored")
            desk.tell(f"{what} already, under another id, and not encoded again")
        held = served.held(index.manifest.held, index.manifest.pool)
        writer = Writer(folder, index.manifest, {"add": _digest(new)})
        writer.begin()
        _add_rows(writer, served, held, new, known, desk)
        if index.manifest.nearest is not None:
            writer.graph(index.manifest.nearest, index.manifest.nearest)
        return writer.finish()


def remove(folder: Path, names: Sequence[str], desk: Desk) -> Manifest:
    """Removes names (replies, where these have no ids); their rows stay until ``compact``.

    Raises:
        UserError: names that are not there; then nothing is removed.
    """
    require_index(folder, "--out")
    with writing_to(folder):
        index = Index(folder)
        old, numbers = index.manifest, numbers_of(index, names)
        writer = Writer(folder, index.manifest, {"remove": list(names)})
        writer.begin()
        writer.removed(np.concatenate([np.flatnonzero(index.removed), numbers]))
        if index.manifest.nearest is not None:
            writer.graph(index.manifest.nearest, index.manifest.nearest)
        manifest = writer.finish()
        gone = counted(len(index) - len(Index(folder)), "reply", "replies")
        ids = f"{counted(len(names), 'id')} and with them " if old.named else ""
        desk.tell(f"removed: {ids}{gone} (--compact gives their room back)")
        return manifest


def compact(folder: Path, desk: Desk) -> Manifest:
    """Writes what is left into new files, without encoding anything, and gives the room of the rest back."""
    require_index(folder, "--out")
    with writing_to(folder):
        index = Index(folder)
        old = index.manifest
        if not index.removed.any() and len(old.names) <= 1:
            desk.tell("nothing was added or removed: there is nothing to compact")
            return _as_it_is(folder)
        rows = np.flatnonzero(index.alive)
        source = Moving(index, rows)
        empty = old.model_copy(update={"shards": [], "names": [], "removed": None, "nearest": None})
        desk.tell(size_of(source.tokens, old.columns, old.dtype).said)
        writer = Writer(folder, empty, {"compact": old.digest})
        writer.begin()
        with desk.progress(len(rows)) as done:
            found = writer.shards(source, done)
        new_row = dict(zip(rows.tolist(), found.tolist(), strict=True))
        kept = np.flatnonzero(~index.removed)
        writer.names(
            [index.names[n] for n in kept],
            np.array([new_row[int(index.row_of_name[n])] for n in kept], np.int64),
        )
        if old.nearest is not None:
            writer.graph(old.nearest)
        return writer.finish()


def _add_rows(
    writer: Writer,
    served: Served,
    held: Held,
    replies: Sequence[Reply],
    known: dict[str, int],
    desk: Desk,
) -> None:
    """Encodes the texts that are not known, and writes the names of all."""
    manifest = writer.manifest
    texts = [text for text in dict.fromkeys(reply.text for reply in replies) if text not in known]
    source = Encoding(served, held, manifest.dtype, texts)
    desk.tell(f"{size_of(source.tokens, held.columns, manifest.dtype).said} ({manifest.form})")
    for warning in served.about_lengths(source.counts):
        desk.warn(warning)
    if unknown := served.wordless(texts):
        message = (
            f"{counted(unknown, 'reply holds', 'replies hold')} no word that the network knows"
        )
        hint = "Their scores say nothing of them."
        desk.warn(Problem("", message, hint, "warning", code="index.no-known-word"))
    with desk.progress(len(texts)) as done:
        new = writer.shards(source, done)
    rows = {**known, **dict(zip(texts, new.tolist(), strict=True))}
    first = manifest.next_number
    names = [
        reply.id if reply.id is not None else str(first + number)
        for number, reply in enumerate(replies)
    ]
    writer.names(names, np.array([rows[reply.text] for reply in replies], np.int64))
    writer.change(next_number=first + len(replies))


def _finish(writer: Writer, served: Served, candidates: int | None, desk: Desk) -> Manifest:
    """Measures what a smaller form and a first stage cost, and makes all of it the index."""
    index = Index(writer.folder, writer.manifest)
    relevance = _measured_by(served, desk.label)
    remarks = []
    if index.manifest.dtype == "int8" or index.manifest.pool > 1:
        sample = sample_queries(index, desk.queries)
        remarks.append(effect_of_form(served, index, relevance, sample))
    if candidates is not None:
        sample = sample_queries(index, desk.queries)
        nearest = writer.graph(Nearest(candidates=candidates))
        index = Index(writer.folder, writer.manifest)
        recall = first_stage_recall(served, index, relevance, sample, candidates)
        said = f"first stage: {candidates:,} nearest replies hold {100 * recall:.1f} % of the true top 10"
        remarks.append(f"{said} ({sample.said})")
        writer.change(nearest=nearest.model_copy(update={"recall": recall}))
        if recall < LOWEST_RECALL:
            message = f"its recall of the true top 10 is {recall:.3f}, below {LOWEST_RECALL}"
            hint = served.way_to_recall
            desk.warn(Problem("--first-stage", message, hint, "warning", code="index.low-recall"))
        for warning in served.about_first_stage():
            desk.warn(warning)
    writer.change(remarks=remarks)
    for remark in remarks:
        desk.tell(remark)
    return writer.finish()


def _measured_by(served: Served, label: str | None) -> Relevance:
    """What replies are ranked by; the last output where nothing says it: the effect is alike for each."""
    try:
        return served.relevance(label)
    except UserError:
        if label is not None:
            raise
        last = int(served.model.config.num_labels or 1) - 1
        return Relevance(last, False, False, "the last output")


def _require_same(folder: Path, writer: Writer, file: ReplyFile, form: Form) -> None:
    """Refuses to build where another complete index is, or this one with replies removed or added since.

    Raises:
        UserError: the index there is not this build as it was left.
    """
    there = read_manifest(folder, "--out")
    first = [one.file for one in there.names[:1]] == [f"names-{writer.build}.safetensors"]
    if first and len(there.names) == 1 and there.removed is None:
        return
    nearest = there.nearest.candidates if there.nearest is not None else None
    same_form = there.in_the_form_of(writer.manifest) and nearest == form.first_stage
    message = f"{folder} is an index already, of other replies, another form or another network"
    if same_form:
        said = difference(Index(folder, there), file.replies, built_of_them=first)
        message = f"{folder} is an index already, and not that of these replies alone: {said}"
    hint = "--add FILE adds what is not in it, removed replies too; --fresh builds it anew."
    raise UserError(Problem("--out", message, hint, code="index.there-already"))


def _as_it_is(folder: Path) -> Manifest:
    """An index that needs no change, without what an interrupted writer may have left."""
    manifest = Index(folder).manifest
    clear(folder, manifest)
    return manifest


def _digest(replies: Sequence[Reply]) -> str:
    return fingerprint([[reply.id, reply.text] for reply in replies])
