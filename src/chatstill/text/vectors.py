"""Word vectors of a text file, GloVe's format or word2vec's, plain or gzip: read once, then mapped."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..disk.json_file import known_object
from ..disk.write import replacing, write_text
from ..errors import Problem, UserError

MOST_WIDTH = 100_000


@dataclass(frozen=True)
class Vectors:
    """Vectors for a list of words.

    Attributes:
        matrix: (V, width) float32; zeros for a word that the file lacks.
        found: (V,) bool.
        width: Numbers of a vector.
        notes: What is worth knowing of the file.
    """

    matrix: np.ndarray
    found: np.ndarray
    width: int
    notes: list[str]


@dataclass(frozen=True)
class _File:
    """All vectors of a file, and where each word's stands."""

    rows: np.ndarray
    places: dict[str, int]
    doubles: int


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
            width) is a header. The last ``width`` fields are the numbers, so a word may hold blanks.
        words: The words, by id.
        cache: A folder for a copy that is mapped into memory at the next read; None keeps none.
        place: The key that names the file.
        progress: Called with the number of lines now and then.

    Raises:
        UserError: the file cannot be read, is cut off, or a line is of another width; with its number.
    """
    found = _mapped(path, cache) if cache is not None else None
    if found is None:
        found = _read(path, place, progress)
        if cache is not None:
            _keep(found, path, cache)
    width = found.rows.shape[1]
    matrix = np.zeros((len(words), width), np.float32)
    known = np.zeros(len(words), np.bool_)
    lowered = 0
    for number, word in enumerate(words):
        at = found.places.get(word)
        if at is None and word != word.lower():
            at = found.places.get(word.lower())
            lowered += at is not None
        if at is not None:
            matrix[number], known[number] = found.rows[at], True
    notes = [f"{lowered:,} words take the vector of their lower case"] * bool(lowered)
    if found.doubles:
        notes.append(f"{path}: {found.doubles:,} words stand there twice; the first vector counts")
    return Vectors(matrix, known, width, notes)


def _read(path: Path, place: str, progress: Callable[[int], None] | None) -> _File:
    """All lines of the file.

    Raises:
        UserError: see ``read_vectors``.
    """
    places: dict[str, int] = {}
    rows: list[np.ndarray] = []
    width = promised = doubles = 0
    try:
        for number, line in _lines(path):
            text = line.rstrip(" \r\n")
            if number == 1:
                promised, width = _header(text)
                if promised:
                    continue
                width = text.count(" ")
            if not text:
                continue
            word, numbers = _vector(text, width, path, number, place, whole=line.endswith("\n"))
            if word in places:
                doubles += 1
                continue
            places[word] = len(rows)
            rows.append(numbers)
            if progress is not None and number % 10_000 == 0:
                progress(number)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path} is cut off or no gzip file ({error})"
        raise UserError(Problem(place, message, "Fetch the file again.")) from error
    except UnicodeDecodeError as error:
        raise UserError(Problem(place, f"{path} is no UTF-8 text: {error.reason}")) from error
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise UserError(Problem(place, message)) from error
    if not rows:
        raise UserError(Problem(place, f"{path} holds no vectors"))
    if promised and len(rows) + doubles < promised:
        message = (
            f"{path} is cut off: its first line says {promised:,} words, {len(rows):,} are there"
        )
        raise UserError(Problem(place, message, "Fetch the file again."))
    return _File(np.stack(rows), places, doubles)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1, with their ends; only a line feed ends one."""
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        for number, line in enumerate(file, 1):
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")


def _header(line: str) -> tuple[int, int]:
    """(rows, width) of a first line of two whole numbers; (0, 0) where there is none."""
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() for part in parts) and int(parts[0]) > 0:
        return int(parts[0]), int(parts[1])
    return 0, 0


def _vector(
    text: str, width: int, path: Path, number: int, place: str, *, whole: bool
) -> tuple[str, np.ndarray]:
    """The word of a line and its numbers."""
    parts = text.rsplit(" ", width) if 0 < width <= MOST_WIDTH else [text]
    try:
        values = np.array(parts[1:], np.float32)
    except ValueError:
        values = np.empty(0, np.float32)
    if len(parts) == width + 1 and width and len(values) == width and np.isfinite(values).all():
        return parts[0], values
    if len(parts) != width + 1 or not width:
        fault = f"{text.count(' ')} numbers, expected {width}"
    else:
        fault = f"its last {width} fields are not all finite numbers"
    cut = "" if whole else "; the file may be cut off there"
    message = f"{path}, line {number}: {fault}{cut}"
    hint = "A line is a word and its numbers, as GloVe's and word2vec's text files have them."
    raise UserError(Problem(place, message, hint))


def _names(path: Path, cache: Path) -> tuple[Path, Path]:
    """The copy's two files: the matrix, and the words in its order; named by path, size and time."""
    about = path.stat()
    key = f"{path.resolve()}\n{about.st_size}\n{about.st_mtime_ns}"
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return cache / f"vectors-{name}.npy", cache / f"vectors-{name}.json"


def _mapped(path: Path, cache: Path) -> _File | None:
    """The copy, mapped; None where there is none, or it is damaged."""
    try:
        matrix, words = _names(path, cache)
        rows = np.load(matrix, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    about = known_object(words)
    listed = about.get("words")
    if not isinstance(listed, list) or rows.ndim != 2 or len(listed) != len(rows):
        return None
    places = {word: number for number, word in enumerate(listed)}
    return _File(rows, places, int(about.get("doubles", 0)))


def _keep(found: _File, path: Path, cache: Path) -> None:
    """Writes the copy; a folder that takes none is passed by."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        matrix, words = _names(path, cache)
        with replacing(matrix, "wb") as file:
            np.save(file, found.rows, allow_pickle=False)
        about = {"words": list(found.places), "doubles": found.doubles}
        write_text(words, json.dumps(about, ensure_ascii=False))
    except (OSError, UserError):
        return
