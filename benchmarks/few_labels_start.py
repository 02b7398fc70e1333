"""The networks that the sets of `few_labels.py` start from."""

import json
from pathlib import Path

import few_labels_data as data
import small_chinese
from minilm import model_folder

PRETRAINED = "small-chinese-bert"


def chinese_texts(source: Path, work: Path) -> list[str]:
    """Paragraphs of the encyclopaedia, and the texts of train and unlabeled; none of dev or test."""
    paragraphs = (source / "text_zh" / "cn_wiki_sample.txt").read_text(encoding="utf-8")
    texts = [line for line in paragraphs.splitlines() if line.strip()]
    for name, of_set in data.SETS.items():
        if of_set.chinese:
            data.build(name, source, work / "data" / name)
            for part in ("train", "unlabeled"):
                lines = (work / "data" / name / f"{part}.jsonl").read_text(encoding="utf-8")
                rows = [json.loads(line) for line in lines.splitlines()]
                texts += [row[key] for row in rows for key in ("text", "other") if key in row]
    return list(dict.fromkeys(texts))


def start_of(name: str, work: Path) -> Path:
    """The folder of the network that a set's teacher starts from."""
    return work / PRETRAINED / "model" if data.SETS[name].chinese else model_folder()


def prepare(names: list[str], source: Path, work: Path) -> None:
    """Data files, and the Chinese network where it is needed."""
    for name in names:
        data.build(name, source, work / "data" / name)
    if any(data.SETS[name].chinese for name in names):
        target = work / PRETRAINED
        if not (target / "model").is_dir():
            target.mkdir(parents=True, exist_ok=True)
            small_chinese.build(target, chinese_texts(source, work))
