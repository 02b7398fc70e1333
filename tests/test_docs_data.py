"""Every example of docs/data.md is a run that works, on the rows that stand beside it."""

import itertools
import json
import re
from pathlib import Path

import pytest

from chatstill.run import run as pipeline
from chatstill.tasks.positive import PLAIN_PAIRS
from chatstill.tasks.tabular_keys import DataKeys

from .pages import documented, fences, files_of, names, section, table, text_of
from .path import world

PAGE = "docs/data.md"
EXAMPLES = [json.loads(block) for block in fences(PAGE, "json")]


def test_every_key_of_the_block_is_documented():
    (rows,) = [text for text in text_of(PAGE).split("\n\n") if text.startswith("| key | default")]
    assert documented(rows) == {*DataKeys.model_fields} - {"note"}
    assert len(table(rows)) < len(DataKeys.model_fields)


def test_there_is_an_example_of_each_kind():
    kinds = {example["data"].get("kind", "classification") for example in EXAMPLES}
    assert kinds == {"classification", "multi_label", "regression", "relevance"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["data"].get("train", "hub"))
def test_an_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = example["data"]
    for name, text in files_of(PAGE).items():
        Path(name).parent.mkdir(exist_ok=True)
        for split in ("train", "dev"):  # a few rows are enough
            Path(name.replace("train", split)).write_text(text, encoding="utf-8")
    if "columns" in block:
        for split in ("train", "dev"):
            Path(block[split]).write_text("yes sure\t1\nno never\t0\n", encoding=block["encoding"])
        Path(block["labels"]).write_text("早\n晚\n", encoding=block["encoding"])
    if "dataset" in block:
        pytest.importorskip("datasets")
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        folder = Path(block["dataset"], block["subset"])
        folder.mkdir(parents=True)
        for split in ("train", "validation"):
            text = "sentence1,sentence2,label\na cat,the cat,1\na cat,the box,0\n"
            (folder / f"{split}.csv").write_text(text, encoding="utf-8")
    world.build_network(tmp_path / "start", layers=2)
    values = example | {
        "max_steps": 2,
        "max_seq_length": 32,
        "teacher_architectures": {"model_name_or_path": "start"},
    }
    loaded = world.loaded(values, tmp_path, "teach")
    pipeline.teach(loaded, console=world.console())
    metrics = json.loads(Path("output_teacher", "metrics.json").read_text(encoding="utf-8"))
    assert metrics["task"] == "data" and metrics["dev"]["rows"] >= 2


@pytest.mark.parametrize("page", ["docs/data.md", "docs/zh/data.md"])
def test_every_pair_that_tells_which_class_counts_is_listed(page):
    """The list of plain pairs is short, and the page has all of it."""
    heading = {"docs/data.md": "Which class counts", "docs/zh/data.md": "哪一类算数"}[page]
    listed = set()
    for row in table(section(page, heading)):
        counting, others = (re.split("[,、，]", cell) for cell in row)
        if "`not_duplicate`" not in row[1]:
            for words, against in zip(counting, others, strict=True):
                listed |= set(itertools.product(names(against), names(words)))
    assert listed == {*PLAIN_PAIRS} - {("-1", "+1"), ("0.0", "1.0")}
