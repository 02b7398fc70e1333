"""The files of `defaults.py`: at most 4,000 labelled rows of six sets, dev and test apart.

And WikiQA, as `dc_bert_data.py` cuts it, for `rnn_students.py`. JSON lines in ``FOLDER/<set>``:
``train``, ``dev``, ``test``.
"""

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import dc_bert_data
import few_labels_data as few

MOST_ROWS, HELD = 4000, 1000


class Set(NamedTuple):
    """A set: its title, the length of its rows, and whether its networks start from random weights."""

    title: str
    max_seq_length: int
    chinese: bool
    train: str
    held: str
    regression: bool = False
    group: str | None = None


SETS = {
    "sst2": Set("SST-2", 64, False, "glue/SST-2/train.tsv", "glue/SST-2/dev.tsv"),
    "mrpc": Set("MRPC", 128, False, "glue/MRPC/train.tsv", "glue/MRPC/dev.tsv"),
    "stsb": Set("STS-B", 128, False, "glue/STS-B/train.tsv", "glue/STS-B/dev.tsv", True),
    "thucnews": Set("titles", 32, True, "thucnews_titles/train.txt", "thucnews_titles/dev.txt"),
    "lcqmc": Set("LCQMC", 48, True, "lcqmc/train.txt", "lcqmc/dev.txt"),
    "kdconv": Set(
        "KdConv", 96, True, "kdconv/chat/train.data.txt", "kdconv/chat/dev.data.txt", False, "text"
    ),
}
SIX = tuple(SETS)
WIKIQA = "wikiqa"
SETS[WIKIQA] = Set("WikiQA", 128, False, "", "", False, "group")


def read(name: str, path: Path) -> list[dict[str, Any]]:
    """The rows of a source file: ``text``, perhaps ``other``, ``label``."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing: name the folder of the sets with --data")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if name == "mrpc":
        rows = [line.split("\t") for line in lines[1:]]
        names = ("different", "same")
        return [{"text": r[3], "other": r[4], "label": names[int(r[0])]} for r in rows]
    if name == "stsb":
        rows = [line.split("\t") for line in lines[1:]]
        return [{"text": r[7], "other": r[8], "label": float(r[9])} for r in rows]
    return few.read(path, few.SETS[name], few.FILES[name][2])


def build(name: str, source: Path, target: Path, most: int = MOST_ROWS) -> None:
    """Writes the three files of a set once, at most so many training rows."""
    if (target / "test.jsonl").is_file():
        return
    if name == WIKIQA:
        _build_wikiqa(source, target)
        return
    of_set = SETS[name]
    train, held = (read(name, source / file) for file in (of_set.train, of_set.held))
    if of_set.group is None:
        random.Random(f"defaults {name}").shuffle(train)
    if name in ("mrpc", "sst2"):  # their held-out files are small: they are the test part
        dev, test, train = train[:HELD], held, train[HELD:]
    elif of_set.group:
        dev, test = few.halves(held, few.SETS[name], name)
    else:
        random.Random(f"defaults {name}").shuffle(held)
        dev, test = held[: len(held) // 2], held[len(held) // 2 :]
    target.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", train[:most]), ("dev", dev), ("test", test)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{part}.jsonl").write_text(text, encoding="utf-8")


def _build_wikiqa(source: Path, target: Path) -> None:
    """All of its rows."""
    dc_bert_data.build(WIKIQA, source, target)
    for part in dc_bert_data.PARTS:
        lines = (target / f"{part}.data.txt").read_text(encoding="utf-8").splitlines()
        rows = [
            {"text": query, "other": reply, "label": ("no", "yes")[int(label)], "group": group}
            for query, reply, label, group in (line.split("\t") for line in lines)
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{part}.jsonl").write_text(text, encoding="utf-8")


def judged(name: str) -> dict[str, Any]:
    """Keys of a run on WikiQA: which rows are relevant, and what chooses the step."""
    return {"positive_label": "yes", "selection_metric": "map"} if name == WIKIQA else {}


def data_block(name: str, folder: Path) -> dict[str, Any]:
    """The block ``data`` of a run."""
    of_set = SETS[name]
    block: dict[str, Any] = {
        part: str(folder / f"{part}.jsonl") for part in ("train", "dev", "test")
    }
    block |= {"text": "text", "label": "label"}
    if name not in ("sst2", "thucnews"):
        block["text_pair"] = "other"
    if of_set.regression:
        block["kind"] = "regression"
    if of_set.group:
        block["group"] = of_set.group
    return block
