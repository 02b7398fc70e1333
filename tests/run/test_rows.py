"""The rows of a run are read from their files once where they are few, and come out the same each time."""

import pytest

from chatstill.config.schema import RunConfig
from chatstill.run import rows as module
from chatstill.run.rows import RunRows
from chatstill.tasks import get_task


@pytest.fixture
def rows(tmp_path):
    lines = [
        "hello there\tgood day\t1",
        "hello there\tno idea\t0",
        "broken",
        "where is it\there\t1",
    ]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.data.txt").write_text("\n".join(lines) + "\n")
    config = RunConfig(task_name="chat", data_dir=str(tmp_path))
    return RunRows(config, get_task("chat").skipping(), train_labelled=True)


def read(rows, split="train"):
    """Everything that a pass gives."""
    found = rows.read(split)
    examples = list(found)
    return examples, found.label_values, [str(w) for w in found.warnings], found.bad


def test_a_second_pass_gives_the_same_without_the_file(rows):
    first = read(rows)
    assert len(first[0]) == 3 and first[1] == {"1": 2, "0": 1} and len(first[3]) == 1
    rows.path("train").write_text("another\tfile\t0\n")
    second, third = read(rows), read(rows)
    assert first == second == third


def test_what_one_reader_adds_to_its_notes_is_not_the_next_ones(rows):
    read(rows)
    found = rows.read("train")
    list(found)
    found.bad.append("mine")
    found.label_values["1"] += 5
    assert read(rows)[1] == {"1": 2, "0": 1} and len(read(rows)[3]) == 1


def test_a_pass_that_was_broken_off_keeps_nothing(rows):
    next(iter(rows.read("train")))
    rows.path("train").write_text("another\tfile\t0\n")
    assert [example.text_a for example in read(rows)[0]] == ["another"]


def test_splits_are_kept_apart(rows):
    rows.path("dev").write_text("of dev\tanswer\t1\n")
    read(rows)
    assert [example.id for example in read(rows, "dev")[0]] == ["dev-0"]
    assert [example.id for example in read(rows, "dev")[0]] == ["dev-0"]


def test_many_rows_are_read_again(rows, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 40)
    assert len(read(rows)[0]) == 3
    rows.path("train").write_text("another\tfile\t0\n")
    assert len(read(rows)[0]) == 1
