"""The story of an augmentation, top to bottom: rows, candidates, copies, files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..disk.write import remove_if_possible
from ..errors import Problem, UserError
from ..figures import byte_size, counted
from .desk import Desk
from .digests import Digests, bytes_for
from .forms import form_of
from .keys import AugmentationKeys, usual_copies
from .named import Named
from .places import is_pattern, require_apart
from .record import (
    FORMAT,
    Sources,
    changed,
    is_output_of,
    read_record,
)
from .rows import HeldOut, Survey, survey
from .ways import by_model, by_rules
from .work import Work, clear
from .writing import Written, require_ours, write_record, write_rows

BYTES_OF_A_WORD = 25  # of candidates, for each byte of text: fifteen words for one in six letters


def augment(sources: Sources, keys: AugmentationKeys, named: Named | None, desk: Desk) -> Path:
    """Writes the augmented rows of a task and their record; gives the file.

    Args:
        sources: The task, its files and the model's folder.
        keys: The settings.
        named: The masked language model; None for rules that need none.
        desk: How it speaks.

    Raises:
        UserError: the rows, the model or the vectors are faulty; the disk is too small; a file of other
            origin lies there.
    """
    output, record = sources.rows_file, sources.record_file
    folder = output.with_name(f".{output.name}.work")
    require_ours(output, record, folder)
    require_apart(sources.task, output)
    form = form_of(sources.task, sources.train)
    found = survey(form)
    for warning in (*found.warnings, *_warnings(sources, found)):
        desk.warn(warning)
    copies = keys.copies or usual_copies(sources.task.name, pairs=found.pairs)
    keys = keys.model_copy(update={"copies": copies})
    keeps = keys.keep_candidates and keys.method == "tinybert"
    made_of = sources.of_rows() | sources.of_keys(keys)
    known = read_record(record)
    if known is not None and not changed(known, made_of) and is_output_of(known, output):
        if not keeps:
            clear(folder)
        desk.say(f"{output} holds these rows already: {_counts(known)}")
        if keeps and not folder.is_dir():
            desk.say(
                "their candidates are not there: keep_candidates keeps those of rows that are written"
            )
        return output
    most = _announce(found, keys, sources, output, desk)
    output.parent.mkdir(parents=True, exist_ok=True)
    of_candidates = _of_candidates(made_of, keys)
    if named is not None and Work.holds_others(folder, of_candidates):
        from .finding import load_network

        load_network(named)  # what is wrong with it is told before anything is removed
        desk.say(f"the candidates in {folder} are of other rows, model or settings: found anew")
    with Work.begin(folder, of_candidates) as work:
        held = HeldOut(sources.task, sources.data_dir, folder / "held_out.table")
        make = by_rules if keys.method == "bilstm" else by_model
        copies_of_row = make(form, found, keys, named, work, desk)
        seen = Digests(folder / "seen.table", most)
        with desk.display("rows", found.rows) as progress:
            written, facts = write_rows(form, output, copies_of_row, seen, held, folder, progress)
        names = {"source": str(sources.train), "model": sources.model}
        names |= {"tokenizer": sources.tokenizer, "word_vectors": keys.word_vectors}
        names["task"] = sources.task.name
        write_record(record, made_of, names, written, facts, work.counts, work.doubts())
        if keeps:
            work.keep_candidates()
            desk.say(f"the candidates stay in {folder}, for other copies of these rows")
        else:
            work.remove()
    if not keeps:
        remove_if_possible(folder)
    _summary(written, facts, output, desk)
    return output


def _of_candidates(made_of: dict[str, Any], keys: AugmentationKeys) -> dict[str, Any]:
    """What decides the candidates: other copies of the same rows need no new ones."""
    of_rows = {key: made_of[key] for key in ("source", "reading")}
    found = {key: made_of.get(key) for key in ("model", "tokenizer", "word_vectors")}
    return of_rows | found | keys.of_candidates() | {"format": FORMAT}


def _warnings(sources: Sources, found: Survey) -> Iterator[Problem]:
    if sources.task.labels.kind == "regression":
        message = "copies keep the score of their original, which a changed word may not deserve"
        yield Problem(
            str(sources.train), message, severity="warning", code="augment.scores-are-kept"
        )
    if found.unlabelled:
        message = f"{counted(found.unlabelled, 'row')} of {found.rows:,} without a label; so are the copies"
        yield Problem(str(sources.train), message, severity="warning", code="augment.no-labels")


def copies_of_a_row(keys: AugmentationKeys, found: Survey) -> int:
    """The most copies of a row."""
    return int(keys.copies or 0) * (found.texts if keys.method == "tinybert" else 1)


def _announce(
    found: Survey, keys: AugmentationKeys, sources: Sources, output: Path, desk: Desk
) -> int:
    """Says what is to come; gives the most rows.

    Raises:
        UserError: the disk has no room for it.
    """
    each = copies_of_a_row(keys, found)
    most = found.rows * (1 + each)
    size = _size(sources, found) * (1 + each)
    work = bytes_for(most)
    if keys.method == "tinybert":
        work += bytes_for(found.rows * found.texts) + BYTES_OF_A_WORD * found.bytes
    there = next(one for one in output.absolute().parents if one.is_dir())
    free = shutil.disk_usage(there).free
    per_text = f" ({keys.copies} of each text)" if each != keys.copies else ""
    rows, number = counted(found.rows, "row"), counted(each, "copy", "copies")
    desk.say(f"{rows} of {sources.train}, {number} of each{per_text}")
    desk.say(
        f"to be written: {output}, at most {most:,} rows, about {byte_size(size)}, and for the time being "
        f"{byte_size(work)}; {byte_size(free)} free"
    )
    if size + work > free:
        message = f"the rows need about {byte_size(size + work)}, and {byte_size(free)} are free"
        hint = "Make room there, or ask for fewer copies."
        raise UserError(Problem(str(output.parent), message, hint, code="augment.disk-too-small"))
    return most


def _size(sources: Sources, found: Survey) -> int:
    """Bytes of the training rows in their files."""
    if sources.train.is_file() or is_pattern(sources.task, sources.train):
        return sum(file.stat().st_size for file in sources.task.parts(sources.train, "train"))
    return 2 * found.bytes + 40 * found.rows


def _counts(record: dict[str, Any]) -> str:
    rows = record["rows"]
    return (
        f"{counted(rows['originals'], 'original')} and {counted(rows['copies'], 'copy', 'copies')}"
    )


def _summary(written: Written, facts: dict[str, Any], output: Path, desk: Desk) -> None:
    for before, after in written.examples[:3]:
        desk.say(f"  {before}  ->  {after}")
    left = [
        told
        for number, told in (
            (written.duplicates, counted(written.duplicates, "duplicate")),
            (written.held_out, counted(written.held_out, "sentence") + " of dev or test"),
            (written.unwritable, f"{written.unwritable:,} with signs that the encoding lacks"),
        )
        if number
    ]
    if left:
        desk.say(f"copies left out: {', '.join(left)}")
    desk.say(
        f"written: {output} ({counted(written.originals, 'original')} and "
        f"{counted(written.copies, 'copy', 'copies')}, {byte_size(facts['bytes'])})"
    )
