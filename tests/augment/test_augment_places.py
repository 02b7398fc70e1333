"""Rows of several files and of data sets of the hub: where their copies lie, and what makes them stale."""

import json

import pytest

from chatstill.augment.keys import AugmentationKeys
from chatstill.augment.places import beside, folder_of_data_set
from chatstill.augment.record import Sources, changed, held_out
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_files import files_of
from chatstill.tasks.tabular_keys import DataKeys
from tests.found import codes, refused

from .test_augment_rows import BILSTM, run, write


def pattern_task(folder, name="*.csv", **more):
    keys = DataKeys(train=str(folder / "rows" / name), text="text", label="label", **more)
    return TabularTask(keys)


@pytest.fixture
def several(tmp_path):
    """Two files whose columns stand in different orders."""
    write(tmp_path / "rows" / "a.csv", "text,label,n\ngood cat runs,x,1\nbad dog,y,2\n")
    write(tmp_path / "rows" / "b.csv", 'label,n,text\nx,3,"red, green tree"\n')
    return pattern_task(tmp_path)


def test_several_files_have_one_augmented_file_that_their_pattern_passes_over(tmp_path, several):
    output, record, _ = run(several, tmp_path)
    assert output == tmp_path / "rows" / ".augmented" / "train_aug.csv"
    assert {path.name for path in output.parent.iterdir()} == {"train_aug.csv", "train_aug.json"}
    train = several.find("train", tmp_path)
    for pattern in (
        train,
        tmp_path / "**",
        tmp_path / "**" / "*.csv",
        tmp_path / "rows" / "*" / "*",
    ):
        assert output not in files_of(pattern)
    lines = output.read_text("utf-8").splitlines()
    assert lines[:4] == [
        "text,label,n",
        "good cat runs,x,1",
        "bad dog,y,2",
        '"red, green tree",x,3',
    ]
    augmented = several.augmented(output)
    assert augmented.find("train", tmp_path) == output
    rows = list(augmented.read(output, "train"))
    parents = [n for n, number in enumerate(record["copies_of"]) for _ in range(number)]
    assert len(rows) == 3 + len(parents) > 6
    assert all(
        row.label == rows[parent].label for row, parent in zip(rows[3:], parents, strict=True)
    )
    assert augmented.labels == several.labels


def test_the_copies_of_several_files_are_those_of_one_with_their_rows(tmp_path, several):
    output, _, _ = run(several, tmp_path)
    rows = output.read_text("utf-8").splitlines()[:4]
    whole = write(tmp_path / "whole.csv", "\n".join(rows) + "\n")
    alone, _, _ = run(TabularTask(DataKeys(train=str(whole), text="text", label="label")), tmp_path)
    assert alone.read_bytes() == output.read_bytes()


def test_the_record_names_all_sources_and_any_change_makes_it_stale(tmp_path, several):
    _, record, _ = run(several, tmp_path)
    assert record["made_of"]["source"].keys() == {"a.csv", "b.csv"}
    assert all(len(value) == 64 for value in record["made_of"]["source"].values())
    sources = Sources(several, tmp_path, several.find("train", tmp_path))
    assert not changed(record, sources.of_rows())
    before = (tmp_path / "rows" / "b.csv").read_bytes()
    write(tmp_path / "rows" / "b.csv", "label,n,text\nx,3,other\n")
    assert changed(record, sources.of_rows()) == ["the training rows (b.csv has changed)"]
    (tmp_path / "rows" / "b.csv").unlink()
    assert changed(record, sources.of_rows()) == ["the training rows (b.csv is gone)"]
    (tmp_path / "rows" / "b.csv").write_bytes(before)
    write(tmp_path / "rows" / "c.csv", "text,label,n\nnew,x,1\n")
    assert changed(record, sources.of_rows()) == ["the training rows (c.csv is new)"]


def test_malformed_rows_of_several_files_are_left_out_in_each(tmp_path):
    write(tmp_path / "rows" / "a.csv", "text,label\none cat,x\nbad\nworse\n")
    write(tmp_path / "rows" / "b.csv", "text,label\nwrong\ntwo dogs,y\nthree trees,x\n")
    write(tmp_path / "rows" / "c.csv", "text,label\n")
    task = pattern_task(tmp_path, on_bad_row="skip")
    output, record, told = run(task, tmp_path)
    assert record["rows"]["originals"] == 3
    assert output.read_text("utf-8").startswith(
        "text,label\none cat,x\ntwo dogs,y\nthree trees,x\n"
    )
    assert codes(told.warnings)[:3] == ["data.rows-left-out", "data.rows-left-out", "data.no-rows"]
    for name in "ab":
        write(tmp_path / "rows" / f"{name}.csv", "text,label\n")
    with refused("data.no-rows"):
        run(task, tmp_path)


def test_files_that_do_not_fit_in_one_are_told_with_what_to_do(tmp_path, several):
    write(tmp_path / "rows" / "b.csv", "label,text\nx,tree\n")
    with refused("augment.columns-differ", "a.csv", "b.csv"):
        run(several, tmp_path)
    write(tmp_path / "rows" / "b.tsv", "text\tlabel\tn\na\tx\t1\n")
    with refused("augment.formats-differ", "b.tsv"):
        run(pattern_task(tmp_path, "b.[ct]sv"), tmp_path)
    write(tmp_path / "rows" / ".c.csv", "text,label\nx y,x\nz,y\n")
    with refused("augment.pattern-reaches-rows"):
        run(pattern_task(tmp_path, ".*.csv"), tmp_path)
    assert not (tmp_path / "rows" / ".augmented").exists()


@pytest.mark.parametrize(
    ("pattern", "rows"),
    [
        ("rows/part-*.csv", "rows/.augmented/part.csv"),
        ("rows/2024-*/train.jsonl", "rows/.augmented/2024-train.jsonl"),
        ("*.parquet", ".augmented/train.parquet"),
    ],
)
def test_the_name_goes_by_the_pattern(tmp_path, monkeypatch, pattern, rows):
    monkeypatch.chdir(tmp_path)
    task = TabularTask(DataKeys(train=pattern, text="text", label="label"))
    from pathlib import Path

    assert beside(task, Path(pattern), Path("data")) == Path(rows)


# -- data sets of the hub ------------------------------------------------------------------------------


@pytest.fixture
def data_set(tmp_path):
    """A data set in a folder, with a column that JSON does not hold, and without a test split."""
    pytest.importorskip("datasets")
    arrow = pytest.importorskip("pyarrow")
    from datetime import datetime

    from pyarrow import parquet

    rows = [
        {"text": "good cat runs", "label": 1, "when": datetime(2024, 1, 1)},
        {"text": "bad dog", "label": 0, "when": datetime(2024, 1, 2)},
    ]
    (tmp_path / "mine").mkdir()
    for name in ("train", "validation"):
        parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "mine" / f"{name}.parquet")
    return TabularTask(DataKeys(dataset=str(tmp_path / "mine"), text="text", label="label"))


def test_rows_of_a_data_set_lie_in_the_folder_of_the_data(tmp_path, data_set):
    output, record, _ = run(data_set, tmp_path / "data")
    assert output == tmp_path / "data" / "mine" / "train_aug.jsonl"
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert lines[:2] == [{"text": "good cat runs", "label": 1}, {"text": "bad dog", "label": 0}]
    augmented = data_set.augmented(output)
    assert augmented.find("train", tmp_path) == output
    assert augmented.find("dev", tmp_path) == data_set.find("dev", tmp_path)
    rows = list(augmented.read(output, "train"))
    assert [row.label for row in rows[:2]] == [1, 0] and augmented.labels.names == ("0", "1")
    assert len(rows) == 2 + sum(record["copies_of"]) > 4
    assert held_out(data_set, tmp_path).keys() == {"dev"}
    sources = Sources(data_set, tmp_path / "data", data_set.find("train", tmp_path))
    assert not changed(record, sources.of_rows())


def test_rows_that_the_data_set_would_read_itself_are_refused(tmp_path, data_set):
    with refused("augment.in-the-data-set", "data_dir"):
        run(data_set, tmp_path / "mine")
    assert not (tmp_path / "mine" / "mine").exists()


def test_the_folder_of_a_data_set_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert folder_of_data_set("nyu-mll/glue", "sst2") == "nyu-mll-glue-sst2"


def test_files_of_others_are_not_overwritten_there_either(tmp_path, several):
    theirs = write(tmp_path / "rows" / ".augmented" / "train_aug.csv", "mine\n")
    with refused("augment.file-of-others"):
        run(several, tmp_path, AugmentationKeys(method="bilstm", copies=1))
    assert theirs.read_text("utf-8") == "mine\n" and BILSTM.copies
