"""The file of augmented rows and its record: whole or absent, never in place of a file of other origin."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..disk.json_file import known_object
from ..disk.write import replacing, write_json
from ..errors import Problem, UserError
from .copies import Copy
from .digests import Digests, digest
from .forms import Form, Row, Writer
from .record import FORMAT, is_output_of, read_record
from .rows import HeldOut, texts_of
from .work import PENDING

SAY_EVERY = 256

CopiesOf = Callable[[Row, Sequence[str]], Iterator[Copy]]


@dataclass
class Written:
    """What was written.

    Attributes:
        originals: Rows of the training file, which stand first.
        copies: Rows behind them.
        copies_of: How many of the copies are those of each original, in its order; 65,535 at most.
        duplicates: Copies that were left out because the same texts stand there already.
        held_out: Copies left out because dev or test has the sentence.
        unwritable: Copies left out because the file's encoding lacks a sign of them.
        examples: The first rows with a copy, for a look.
    """

    originals: int = 0
    copies: int = 0
    copies_of: array[int] = field(default_factory=lambda: array("H"))
    duplicates: int = 0
    held_out: int = 0
    unwritable: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


class _Hashed:
    """A stream that knows the sha256 of what went through."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.digest, self.size = stream, hashlib.sha256(), 0
        self.closed = False

    def write(self, data: Any) -> int:
        """As a file has it."""
        self.digest.update(data)
        size = self._stream.write(data)
        self.size += size
        return size

    def flush(self) -> None:
        """As a file has it."""
        self._stream.flush()

    def tell(self) -> int:
        """As a file has it."""
        return self.size

    def writable(self) -> bool:
        """As a file has it."""
        return True


def require_ours(output: Path, record: Path, work: Path) -> None:
    """What lies where the rows will lie was written here, or nothing does.

    Raises:
        UserError: a file of other origin, or one that was changed by hand.
    """
    known = read_record(record)
    if output.exists() and not is_output_of(known, output):
        pending = known_object(work / PENDING)
        if not is_output_of({"output": pending}, output):
            message = "it was not written by `chatstill augment`, or was changed since"
            hint = "Move it away, or name it as a training file of its own."
            raise UserError(Problem(str(output), message, hint, code="augment.file-of-others"))
    if record.exists() and known is None:
        message = "it is no record of augmented rows"
        hint = "Move it away: the record of the new rows would take its place."
        raise UserError(Problem(str(record), message, hint, code="augment.record-of-others"))


def write_rows(
    form: Form,
    output: Path,
    copies_of: CopiesOf,
    seen: Digests,
    held_out: HeldOut,
    work: Path,
    progress: Callable[[int], None],
) -> tuple[Written, dict[str, Any]]:
    """The original rows, then their copies, row by row.

    Args:
        form: The training file.
        output: The file.
        copies_of: The copies of a row.
        seen: For the texts of all rows.
        held_out: The sentences of dev and test.
        work: Where the file's digest is kept before it takes its place.
        progress: Called with numbers of original rows whose copies are written.

    Returns:
        What was written, and the file's name, size and sha256.
    """
    written = Written()
    with replacing(output, "wb") as plain:
        stream: Any = _Hashed(plain)
        writer = form.writer(stream)
        for row in form.rows():
            writer.write(row, None, None)
            seen.add(digest(*texts_of(row.example), *row.example.context))
            written.originals += 1
        for row in form.rows():
            number = _write_copies(row, copies_of, writer, seen, held_out, written)
            written.copies_of.append(number)
            if (row.number + 1) % SAY_EVERY == 0:
                progress(SAY_EVERY)
        progress(written.originals % SAY_EVERY)
        writer.close()
        facts = {"name": output.name, "bytes": stream.size, "sha256": stream.digest.hexdigest()}
        write_json(work / PENDING, facts)
    return written, facts


def _write_copies(
    row: Row,
    copies_of: CopiesOf,
    writer: Writer,
    seen: Digests,
    held_out: HeldOut,
    written: Written,
) -> int:
    number = 0
    texts = texts_of(row.example)
    for copy in copies_of(row, texts):
        new = [one if one is not None else old for one, old in zip(copy, texts, strict=False)]
        changed = [text for text, old in zip(new, texts, strict=True) if text != old]
        key = digest(*new, *row.example.context)
        if not changed or seen.find(key) is not None:
            written.duplicates += 1
        elif any(held_out.has(text) for text in changed):
            written.held_out += 1
        elif not writer.write(row, copy.first, copy.second):
            written.unwritable += 1
        else:
            seen.add(key)
            number += 1
            if len(written.examples) < 10 and number == 1:
                written.examples.append((" | ".join(texts), " | ".join(new)))
    written.copies += number
    return number


def write_record(
    path: Path,
    made_of: dict[str, Any],
    names: dict[str, Any],
    written: Written,
    facts: dict[str, Any],
    counts: dict[str, int],
    doubts: list[str],
) -> None:
    """The record: settings, fingerprints, counts, and how many copies each original row has.

    Args:
        path: Its file.
        made_of: See ``record.Sources``.
        names: Where all that lay, for people.
        written: What was written.
        facts: The file's name, size and sha256.
        counts: Of sentences and words, where a model was asked; else empty.
        doubts: What was warned of the model.
    """
    head = {
        "format": FORMAT,
        "made_of": made_of,
        "names": names,
        "output": facts,
        **({"found": counts} if counts else {}),
        **({"doubts": doubts} if doubts else {}),
        "rows": {"originals": written.originals, "copies": written.copies},
        "left_out": {
            "duplicates": written.duplicates,
            "held_out": written.held_out,
            "unwritable": written.unwritable,
        },
    }
    text = json.dumps(head, indent=1, ensure_ascii=False)
    with replacing(path) as stream:
        stream.write(text.removesuffix("\n}") + ',\n "copies_of": [')
        for start in range(0, len(written.copies_of), 100):
            some = ", ".join(map(str, written.copies_of[start : start + 100]))
            stream.write(("," if start else "") + "\n  " + some)
        stream.write("\n ]\n}\n")
