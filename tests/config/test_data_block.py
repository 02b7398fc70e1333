"""The block ``data`` in the first report: every fault with its place, from the headers alone."""

import json
import os
import subprocess
import sys

import pytest

from tests.found import holds

from .conftest import ROOT


@pytest.fixture
def described(world):
    """A configuration with a block instead of ``task_name`` and ``data_dir``."""
    for split in ("train", "dev"):
        (world.folder / f"{split}.csv").write_text("title,class\nx,a\n", encoding="utf-8")
    for key in ("task_name", "data_dir"):
        del world.values[key]
    world.values["data"] = {
        "train": "train.csv",
        "dev": "dev.csv",
        "text": "title",
        "label": "class",
    }
    return world


def test_a_block_replaces_task_and_folder(described):
    loaded = described.load()
    assert loaded.warnings == [] and loaded.config.task_name == "data"
    assert loaded.values["data.train"]["value"] == "train.csv"
    assert described.load("task_name=titles").config.task_name == "titles"


def test_all_faults_at_once(described):
    described.values["data"] |= {
        "text": "titel",
        "label": "clas",
        "dev": "dve.csv",
        "encoding": "utf-9",
        "delimiter": "||",
        "kind": "rank",
        "columms": [],
        "labels": ["a", "a"],
    }
    report = described.report()
    for text in (
        ("data.column-missing", "'data.text': train.csv", "'titel'"),
        "Did you mean 'title'? Columns: title, class.",
        ("data.column-missing", "'data.label': train.csv", "'clas'"),
        ("data.file-missing", "'data.dev': dve.csv"),
        "Did you mean dev.csv?",
        "'data.encoding': Python knows no encoding 'utf-9'",
        "'data.delimiter': must be one sign",
        ("config.wrong-value", "'data.kind'"),
        ("config.unknown-key", "'columms'"),
        "Did you mean 'columns'?",
        ("data.label-name-twice", "'data.labels'", "'a' twice"),
    ):
        assert holds(report, text), text
    assert f"error: {described.place('dev')}: 'data.dev'" in report


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": None}, ("data.text-not-named", "'data.text'")),
        ({"label": None}, ("data.label-not-named", "'data.label'")),
        ({"dev": None}, ("data.split-not-named", "'data.dev'")),
        ({"label": "title"}, ("data.label-is-a-text", "'data.label': 'title'")),
        ({"text": ["title", "title"]}, ("data.text-twice", "'data.text': 'title'")),
        ({"kind": "relevance"}, ("data.group-not-named", "'data.group'")),
        ({"kind": "relevance"}, ("data.grades-not-named", "'data.labels'")),
        ({"labels": ["a"]}, ("data.too-few-labels", "'data.labels'", "1 labels", "2")),
        ({"labels": "nowhere.txt"}, ("data.labels-file-unreadable", "'data.labels': nowhere.txt")),
        ({"labels": ["a", "b,c"], "kind": "multi_label"}, "'data.labels': holds 'b,c'"),
        ({"train": "."}, ("data.folder", "'data.train'")),
        ({"train": "train.xyz"}, ("data.file-missing", "'data.train': train.xyz")),
        ({"format": "parquet"}, ("data.parquet-unreadable", "'data.train': train.csv")),
    ],
)
def test_each_fault(described, changes, expected):
    block = described.values["data"] | changes
    described.values["data"] = {key: value for key, value in block.items() if value is not None}
    assert holds(described.report(), expected)


def test_a_file_that_is_not_there_is_never_taken_for_another_split(described):
    """``Did you mean test.csv?`` would have trained on the test rows."""
    described.values["data"] |= {"train": "trst.csv", "test": "test.csv"}
    described.folder.joinpath("test.csv").write_text("title,class\na,b\n")
    report = described.report()
    assert holds(report, ("data.file-missing", "'data.train': trst.csv"))
    assert "Did you mean test.csv" not in report and "Paths count from" in report


@pytest.fixture
def talks(described):
    """A block of dialogues with the candidate chosen."""
    text = (
        '{"messages": [{"role": "user", "content": "a"}], "candidates": ["b", "c"], "chosen": 0}\n'
    )
    for split in ("train", "dev"):
        (described.folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    described.values["data"] = {
        "train": "train.jsonl",
        "dev": "dev.jsonl",
        "text": "messages",
        "candidates": "candidates",
        "chosen": "chosen",
    }
    return described


def test_dialogues_load(talks):
    assert talks.load().warnings == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"chosen": None}, ("data.neither-label-nor-chosen", "'data.label'")),
        ({"label": "label"}, ("data.label-beside-chosen", "'data.label'")),
        ({"candidates": None}, ("data.chosen-alone", "'data.chosen'")),
        ({"rejected": "bad", "chosen": None}, ("data.rejected-without-chosen", "'data.rejected'")),
        ({"text_pair": "reply"}, ("data.key-beside-candidates", "'data.text_pair'")),
        ({"group": "id"}, "'data.group': stands beside candidates: a line is a group."),
        ({"kind": "regression"}, ("data.kind-beside-chosen", "'data.kind'", "'regression'")),
        ({"train": "train.csv"}, ("data.no-lists-in-tables", "CSV holds")),
        ({"candidates": "candidate"}, ("data.column-missing", "train.jsonl", "'candidate'")),
        ({"id": "ids"}, ("data.column-missing", "train.jsonl", "'ids'")),
        ({"roles": "user"}, "'data.roles' must be a list"),
    ],
)
def test_faults_of_dialogues(talks, changes, expected):
    block = talks.values["data"] | changes
    talks.values["data"] = {key: value for key, value in block.items() if value is not None}
    assert holds(talks.report(), expected)


def test_what_has_no_effect_is_said(described):
    described.values["data"] |= {"subset": "x"}
    report = described.report("data_dir=data")
    assert "warning" in report and "[config.data-dir-without-effect]" in report
    assert (
        "[data.subset-without-effect]" in report
        and "'data.subset'" in report
        and "error" not in report
    )


def test_a_built_in_task_reads_its_own_files(described):
    assert "[data.task-and-block]" in described.report("task_name=chat")


def test_a_key_that_only_later_json_rows_have_is_no_error(described):
    (described.folder / "train.jsonl").write_text('{"title": "x"}\n', encoding="utf-8")
    described.values["data"]["train"] = "train.jsonl"
    report = described.report()
    assert (
        "warning" in report
        and "[data.column-missing]" in report
        and "train.jsonl" in report
        and "'class'" in report
    )
    assert "error" not in report


def test_the_report_reads_headers_only_and_loads_no_torch(described):
    described.write()
    code = (
        "import sys\nfrom pathlib import Path\nfrom chatstill.config import load\n"
        "load(Path('my.json'), [], verb='distill')\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'pyarrow'} & set(sys.modules)))\n"
    )
    home = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("name", "meant"), [("techer/bert", "teacher/bert"), ("teacher/brt", "teacher/bert")]
)
def test_a_mistyped_folder_is_not_taken_for_a_name_of_the_hub(world, name, meant):
    (world.folder / "teacher" / "bert").mkdir()
    report = world.report(f"teacher_architectures.model_name_or_path={json.dumps(name)}")
    assert report.startswith("error") and f"Did you mean {meant}?" in report


def test_training_rows_without_labels_are_a_word_where_dev_rows_have_them(described):
    (described.folder / "train.csv").write_text("title\nx\n", encoding="utf-8")
    (warning,) = described.load().warnings
    assert "'data.label': train.csv has no column 'class': rows without labels." in warning.message
