"""The networks that the sets of `few_labels.py` start from."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

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


def start_of(options: Any, name: str) -> Path:
    """The folder of the network that a set's teacher starts from."""
    work: Path = options.work
    if not data.SETS[name].chinese:
        return model_folder()
    if options.chinese_start:
        return work / "chinese_start"
    return work / f"{name}-bert-4x256" / "model"


def prepare(options: argparse.Namespace) -> None:
    """Data files, and networks of random weights where there are no others."""
    for name in options.sets:
        data.build(name, options.data, options.work / "data" / name)
        target = start_of(options, name)
        if not data.SETS[name].chinese or (target / "config.json").is_file():
            continue
        if options.chinese_start:
            shutil.copytree(options.chinese_start, target)
        else:
            small_chinese.build(target.parent, texts_of(name, options.work))
