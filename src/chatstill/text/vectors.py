"""Word vectors of a text file, GloVe's format or word2vec's, plain or gzip: read once, then mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from ..disk.json_file import read_object
from ..disk.write import remove_if_possible, replacing
from .vector_lines import VectorLines

FORMAT = "word vectors 2"  # of the copy
MOST_INDEX = 4_000_000_000


@dataclass(frozen=True)
class Vectors:
    """Vectors for a list of words.

    Attributes:
        matrix: (V, width) float32; zeros for a word that the file lacks.
        found: (V,) bool.
        width: Numbers of a vector.
        format: ``word2vec`` with a header line, else ``glove``.
        notes: What is worth knowing of the file.
    """

    matrix: np.ndarray
    found: np.ndarray
    width: int
    format: Literal["glove", "word2vec"]
    notes: list[str]


def read_vectors(
    path: Path,
    words: Sequence[str],
    cache: Path | None,
    *,
    place: str,
    progress: Callable[[int], None] | None = None,
) -> Vectors:
    """The vectors of some words; a word that is only there in lower case takes that one.

    Args:
        path: A line is a word and its numbers, blanks between; a first line of two whole numbers (rows,
            width) is a header. The last ``width`` fields are the numbers, so a word may hold blanks. Of a
            word that stands there twice, the first vector counts.
        words: The words, by id.
        cache: A folder for a copy that is mapped into memory at the next read; None keeps none.
        place: The key that names the file.
        progress: Called with the number of lines now and then.

    Raises:
        UserError: the file cannot be read, is cut off, or a line is of another width; with its number.
    """
    rows = _mapped(path, cache) if cache is not None else None
    if rows is None:
        file = VectorLines(path, place, progress)
        if cache is None or not _copy(file, path, cache) or (rows := _mapped(path, cache)) is None:
            rows = _Rows(iter(file), file)
    return _choose(rows, words, path)


@dataclass
class _Rows:
    """(word, vector) by line; a word that is no UTF-8 is None. ``about`` is complete after the last."""

    each: Iterator[tuple[str | None, np.ndarray]]
    about: VectorLines | _About


@dataclass
class _About:
    width: int
    header: bool
    notes: list[str]


def _choose(rows: _Rows, words: Sequence[str], path: Path) -> Vectors:
    wanted = {*words, *(word.lower() for word in words)}
    exact: dict[str, np.ndarray] = {}
    double = 0
    for word, vector in rows.each:
        if word is not None and word in wanted:
            double += word in exact
            if word not in exact:
                exact[word] = np.array(vector)
    width, notes = rows.about.width, list(rows.about.notes)
    matrix, found = np.zeros((len(words), width), np.float32), np.zeros(len(words), np.bool_)
    lowered = 0
    for number, word in enumerate(words):
        key = word if word in exact else word.lower()
        if key in exact:
            matrix[number], found[number] = exact[key], True
            lowered += key != word
    if lowered:
        notes.append(f"{lowered:,} words take the vector of their lower case")
    if double:
        notes.append(f"{path}: {double:,} lines repeat one of these words; the first vector counts")
    return Vectors(matrix, found, width, "word2vec" if rows.about.header else "glove", notes)


# -- the copy --------------------------------------------------------------------------------------


def _names(path: Path, cache: Path) -> tuple[Path, Path]:
    """The copy's two files: the matrix, and the words in its order; named by path, size and time."""
    about = path.stat()
    key = f"{FORMAT}\n{path.resolve()}\n{about.st_size}\n{about.st_mtime_ns}"
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return cache / f"vectors-{name}.npy", cache / f"vectors-{name}.json"


def _mapped(path: Path, cache: Path) -> _Rows | None:
    """The copy, mapped; None where there is none, or it is damaged."""
    try:
        matrix, index = _names(path, cache)
        about = read_object(index, most=MOST_INDEX)
        rows = np.load(matrix, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    words, notes, header = about.get("words"), about.get("notes"), about.get("header")
    if not isinstance(words, list) or not isinstance(notes, list) or rows.ndim != 2:
        return None
    if len(words) != len(rows) or rows.dtype != np.float32:
        return None
    return _Rows(zip(words, rows, strict=True), _About(rows.shape[1], bool(header), notes))


def _copy(file: VectorLines, path: Path, cache: Path) -> bool:
    """Writes the copy line by line; False where the folder takes none."""
    try:
        matrix, index = _names(path, cache)
    except OSError:
        return False
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(index) as words, replacing(matrix, "wb") as numbers:
            count = 0
            words.write('{"words": [')
            for word, vector in file:
                if not count:
                    start = _npy_header(numbers, 0, file.width)
                words.write(f"{',' if count else ''}\n{json.dumps(word)}")
                numbers.write(vector.tobytes())
                count += 1
            numbers.seek(0)
            if _npy_header(numbers, count, file.width) != start:
                raise OSError("the header has another length")
            header = json.dumps(file.header)
            words.write(f'\n], "header": {header}, "notes": {json.dumps(file.notes)}}}\n')
    except OSError:
        remove_if_possible(matrix)
        return False
    return True


def _npy_header(stream: IO[bytes], rows: int, width: int) -> int:
    """Writes the head of an array of float32; its length, the same for any number of rows."""
    about = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.tell()
