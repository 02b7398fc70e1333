"""``train_aug.json``: what the augmented rows were made of, and whether that still holds."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.json_file import read_object
from ..tasks.base import Split, Task
from ..tasks.glue_submission import FILES
from ..tasks.hub_data import has_split
from ..tasks.tabular import TabularTask
from ..tasks.tabular_files import FORMAT_OF_RECORD
from .places import augmented_file, beside, cut_pattern, is_pattern, record_file

if TYPE_CHECKING:
    from .keys import AugmentationKeys

FORMAT = f"{FORMAT_OF_RECORD} 1"
MOST_BYTES = 4_000_000_000
OF_MODELS = (".json", ".txt", ".safetensors", ".bin", ".model")


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_record(path: Path) -> dict[str, Any] | None:
    """A record of ours; None where there is none, or the file is another's."""
    try:
        found = read_object(path, most=MOST_BYTES)
    except (OSError, ValueError):
        return None
    sound = found.get("format") == FORMAT and isinstance(found.get("made_of"), dict)
    return found if sound and isinstance(found.get("output"), dict) else None


def doubts_of(record: dict[str, Any]) -> list[str]:
    """What `augment` warned of the model that proposed the words."""
    found = record.get("doubts")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def is_output_of(record: dict[str, Any] | None, output: Path) -> bool:
    """Whether a file holds the very bytes that were written with a record."""
    if record is None or not output.is_file():
        return False
    told = record["output"]
    return told.get("bytes") == output.stat().st_size and told.get("sha256") == sha256(output)


def content_of_rows(task: Task, path: Path, split: Split) -> str:
    """What tells the rows of a split from others."""
    known = task.fingerprint(path, split)
    return known or "-".join(sha256(part) for part in task.parts(path, split))


def content_of_source(task: Task, path: Path) -> str | dict[str, str]:
    """What tells the training rows from others; of the files of a pattern that of each, by its name."""
    if not is_pattern(task, path):
        return content_of_rows(task, path, "train")
    folder, _ = cut_pattern(path)
    files = task.parts(path, "train")
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


def held_out(task: Task, data_dir: Path) -> dict[str, tuple[Split, Path]]:
    """Where the rows lie that must not be trained on, by split; a further test file (MNLI's) by its name."""
    splits: tuple[Split, ...] = ("dev", "test")
    found: dict[str, tuple[Split, Path]] = {
        split: (split, path)
        for split in splits
        if (path := task.find(split, data_dir)) and _is_there(task, split)
    }
    further = [file.test_file for file in FILES if file.task == task.name and file.test_file]
    for folder in dict.fromkeys(path.parent for _, path in found.values()):
        found |= {name: ("test", folder / name) for name in further if (folder / name).is_file()}
    return found


def _is_there(task: Task, split: Split) -> bool:
    """Whether a split exists: a data set of the hub may lack one that its block does not name."""
    keys = task.keys if isinstance(task, TabularTask) else None
    if keys is None or keys.dataset is None or getattr(keys, split) is not None:
        return True
    return has_split(keys, str(keys.split(split)))


def content_of_model(path: str) -> dict[str, str]:
    """sha256 of the files of a model's folder; a hub's name stands for itself."""
    place = Path(path)
    if not place.exists():
        return {"name": path}
    if place.is_file():
        return {place.name: sha256(place)}
    files = [file for file in sorted(place.iterdir()) if file.suffix in OF_MODELS]
    return {file.name: sha256(file) for file in files if file.is_file()}


def content_of_module(name: str) -> str | None:
    """sha256 of the file of a module, which is not run; None where none is found."""
    try:
        spec = importlib.util.find_spec(name)
        return sha256(Path(spec.origin)) if spec is not None and spec.origin else None
    except (ImportError, ValueError, OSError):  # an import of it says why
        return None


@dataclass(frozen=True)
class Sources:
    """What rows are made of, and how.

    Attributes:
        task: It reads the rows.
        data_dir: Where its files lie.
        train: The training file, or the folder of a task in Python.
        model: Folder or name of the masked language model; None without one.
        tokenizer: Folder or name of its tokenizer where that is named by itself.
    """

    task: Task
    data_dir: Path
    train: Path
    model: str | None = None
    tokenizer: str | None = None

    @property
    def rows_file(self) -> Path:
        """The file of the augmented rows."""
        return augmented_file(beside(self.task, self.train, self.data_dir))

    @property
    def record_file(self) -> Path:
        """Its record."""
        return record_file(beside(self.task, self.train, self.data_dir))

    def of_rows(self) -> dict[str, Any]:
        """By content: the training rows, how they are read, and those held out."""
        found = held_out(self.task, self.data_dir)
        return {
            "source": content_of_source(self.task, self.train),
            "reading": hashlib.sha256(self.task.reading.encode()).hexdigest()[:16],
            "held_out": {key: content_of_rows(self.task, p, s) for key, (s, p) in found.items()},
        }

    def of_keys(self, keys: AugmentationKeys) -> dict[str, Any]:
        """The settings, whose number of copies is known, and by content the model and the vectors."""
        values: dict[str, Any] = {"settings": keys.deciding(keys.copies or 0)}
        if keys.method == "bilstm" and keys.tagger is not None:
            values["tagger"] = content_of_module(keys.tagger.partition(":")[0])
        if keys.method == "tinybert":
            values |= self.of_model()
            values["word_vectors"] = vectors_of(keys.word_vectors)
        return values

    def of_model(self) -> dict[str, dict[str, str] | None]:
        """The content of the masked language model's files, and of those of a tokenizer named by itself."""
        named = {"model": self.model, "tokenizer": self.tokenizer}
        return {
            key: None if path is None else content_of_model(path) for key, path in named.items()
        }


def vectors_of(named: str | None) -> str | None:
    """Content of a file of word vectors; ``model``, or a file that is missing, stands for itself."""
    if named is None or not Path(named).is_file():
        return named
    return sha256(Path(named))


NAMES = {
    "source": "the training rows",
    "reading": "how rows are read",
    "held_out": "the rows of dev or test",
    "settings": "the settings of 'augmentation'",
    "model": "the masked language model",
    "tokenizer": "its tokenizer",
    "word_vectors": "the word vectors",
    "tagger": "the code of the tagger",
}


def changed(record: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What of ``now`` is not as it was when the rows were made, in words."""
    before = record["made_of"]
    return [_told(key, before.get(key), now[key]) for key in NAMES if _differs(key, before, now)]


def _differs(key: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    return key in now and before.get(key) != now[key]


def _told(key: str, before: Any, now: Any) -> str:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return NAMES[key]
    if key == "source":
        return f"{NAMES[key]} ({', '.join(_files(before, now))})"
    if key != "settings":
        return NAMES[key]
    keys = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return f"{NAMES[key]} ({_values(keys, before, now)})"


def _values(keys: Iterable[str], before: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}: {json.dumps(before.get(key))}, now {json.dumps(now.get(key))}" for key in keys
    )


def _files(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    """What became of the files of a pattern, the first three by name."""
    names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
    for name in names[:3]:
        state = "new" if name not in before else "gone" if name not in now else "changed"
        yield f"{name} is {state}" if state != "changed" else f"{name} has changed"
    if len(names) > 3:
        yield f"and {len(names) - 3:,} more"
