"""The networks that the sets of `few_labels.py` start from."""

import json
from pathlib import Path

import few_labels_data as data
import small_chinese
from minilm import model_folder


def texts_of(name: str, work: Path) -> list[str]:
    """All texts of train and unlabeled; none of dev or test."""
    texts = []
    for part in ("train", "unlabeled"):
        lines = (work / "data" / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        texts += [row[key] for row in rows for key in ("text", "other") if key in row]
    return texts


def start_of(name: str, work: Path) -> Path:
    """The folder of the network that a set's teacher starts from."""
    return work / f"{name}-bert-4x256" / "model" if data.SETS[name].chinese else model_folder()


def prepare(names: list[str], source: Path, work: Path) -> None:
    """Data files, and networks of random weights where there are no others."""
    for name in names:
        data.build(name, source, work / "data" / name)
        if data.SETS[name].chinese:
            small_chinese.build(start_of(name, work).parent, texts_of(name, work))
