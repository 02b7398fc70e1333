"""The files of `few_labels.py`: 1,000 labelled rows, the others without labels, dev and test apart.

``teacher`` holds what a set's teacher is fine-tuned on: the same 1,000 rows, or all of them with their
labels where a network that has learnt nothing would not learn the task from 1,000.

JSON lines in ``FOLDER/<set>``: ``train``, ``unlabeled``, ``dev``, ``test``. No row of dev or test
stands in train or unlabeled by all of its texts; for SST-2, whose training rows are phrases cut out of
sentences, the test rows are the sentences of the official dev file.
"""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

LABELLED, DEV_ROWS = 1000, 1000
MOST_UNLABELED = 20_000
SHUFFLED = "few labels"


class Set(NamedTuple):
    """Where the rows of a set come from, and what they are.

    Attributes:
        title: In the tables.
        chinese: Whether its networks start from random weights, 256 wide.
        fields: Names of the fields of a line, tabs between them, in the source's files.
        main: The metric of the table.
        max_seq_length: Tokens of a row.
        classes: Their names, in the order of their numbers.
        group: Field whose equal values are ranked against each other.
        counts: The class that counts where rows are ranked.
    """

    title: str
    chinese: bool
    fields: tuple[str, ...]
    main: str
    max_seq_length: int
    classes: tuple[str, ...]
    group: str | None = None
    counts: str | None = None
    teacher_has_all: bool = False


TITLES = (
    "finance realty stocks education science society politics sports game entertainment".split()
)
SETS = {
    "sst2": Set("SST-2", False, ("text", "label"), "accuracy", 64, ("negative", "positive")),
    "thucnews": Set("THUCNews titles", True, ("text", "label"), "accuracy", 32, tuple(TITLES)),
    "lcqmc": Set(
        "LCQMC", True, ("text", "other", "label"), "accuracy", 48, ("other", "same"), teacher_has_all=True
    ),
    "kdconv": Set(
        "KdConv chat", True, ("text", "other", "label"), "mrr", 96, ("no_match", "match"), "text", "match",
        True,
    ),
}  # fmt: skip
FILES = {
    "sst2": ("glue/SST-2/train.tsv", "glue/SST-2/dev.tsv", 1),
    "thucnews": ("thucnews_titles/train.txt", "thucnews_titles/dev.txt", 0),
    "lcqmc": ("lcqmc/train.txt", "lcqmc/dev.txt", 0),
    "kdconv": ("kdconv/chat/train.data.txt", "kdconv/chat/dev.data.txt", 0),
}


def build(name: str, source: Path, target: Path) -> dict[str, int]:
    """Writes the four files of a set once; returns their numbers of rows."""
    done = target / "rows.json"
    if done.is_file():
        return dict(json.loads(done.read_text(encoding="utf-8")))
    of_set = SETS[name]
    train_file, dev_file, header = FILES[name]
    train = read(source / train_file, of_set, header)
    held = read(source / dev_file, of_set, header)
    if name == "sst2":
        test, rest = held, _shuffled(train, name)
        dev, rest = rest[:DEV_ROWS], rest[DEV_ROWS:]
    else:
        dev, test = halves(held, of_set, name)
        rest = train if of_set.group else _shuffled(train, name)
    known = {_key(row) for row in (*dev, *test)}
    rest = [row for row in rest if _key(row) not in known]
    parts = {"train": rest[:LABELLED], "dev": dev, "test": test}
    own = {_key(row) for row in parts["train"]}
    more = [row for row in rest[LABELLED:] if _key(row) not in own][:MOST_UNLABELED]
    parts["teacher"] = [*parts["train"], *(more if of_set.teacher_has_all else ())]
    parts["unlabeled"] = [{k: v for k, v in row.items() if k != "label"} for row in more]
    target.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{part}.jsonl").write_text(text, encoding="utf-8")
    counts = {part: len(rows) for part, rows in parts.items()}
    done.write_text(json.dumps(counts) + "\n", encoding="utf-8")
    return counts


def read(path: Path, of_set: Set, header: int) -> list[dict[str, Any]]:
    """The rows of a source file, classes by name."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing: name the folder of the sets with --data")
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines()[header:]:
        row: dict[str, Any] = dict(zip(of_set.fields, line.split("\t"), strict=True))
        rows.append({**row, "label": of_set.classes[int(row["label"])]})
    return rows


def halves(
    rows: list[dict[str, Any]], of_set: Set, name: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Dev and test of a held-out file: whole groups, dev of ``DEV_ROWS`` rows where rows are ranked."""
    if of_set.group is None:
        rows = _shuffled(rows, name)
        return rows[: len(rows) // 2], rows[len(rows) // 2 :]
    groups = list(dict.fromkeys(row[of_set.group] for row in rows))
    random.Random(f"{SHUFFLED} {name}").shuffle(groups)
    of_group: dict[str, list[dict[str, Any]]] = {group: [] for group in groups}
    for row in rows:
        of_group[row[of_set.group]].append(row)
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for number, group in enumerate(groups):
        if number < DEV_ROWS // 5 + DEV_ROWS // 2:
            parts[number >= DEV_ROWS // 5].extend(of_group[group])
    return parts


def _shuffled(rows: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = list(rows)
    random.Random(f"{SHUFFLED} {name}").shuffle(found)
    return found


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple("".join(str(row.get(name, "")).split()).lower() for name in ("text", "other"))


def data_block(name: str, folder: Path, *, unlabeled: bool, teacher: bool) -> dict[str, Any]:
    """The block ``data`` of a run."""
    of_set = SETS[name]
    files = ["train", "dev", "test", *(["unlabeled"] if unlabeled else [])]
    block: dict[str, Any] = {part: str(folder / f"{part}.jsonl") for part in files}
    if teacher:
        block["train"] = str(folder / "teacher.jsonl")
    block |= {"text": "text", "label": "label", "labels": list(of_set.classes)}
    if "other" in of_set.fields:
        block["text_pair"] = "other"
    if of_set.group:
        block["group"] = of_set.group
    return block
