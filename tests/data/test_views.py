"""Prepared rows: right, prepared once, bounded in memory, whole after any accident."""

import json
import multiprocessing
import os
import signal
import time
import tracemalloc

import numpy as np
import pytest
from example_rows import make_example
from tests.found import refused

from chatstill.data import preparing, store, views
from chatstill.data.encoded import Lengths
from chatstill.data.views import prepare_view
from chatstill.errors import Problem, RunFailure, UserError
from chatstill.readers.word_pieces import RowEncoder

LENGTHS = Lengths(12, 6, 5)
FORK = multiprocessing.get_context("fork")


def prepare(rows, bert, folder, lengths=LENGTHS, source="s", progress=None):
    return prepare_view(
        rows, RowEncoder(bert, lengths), folder, source_fingerprint=source, progress=progress
    )


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(preparing, "CHUNK_ROWS", 7)


def never():
    raise AssertionError("the rows were read again")
    yield


def snapshot(view):
    names = ("ids", "types", "offsets", "lengths", "labels", "groups")
    return [getattr(view, name).tobytes() for name in names] + [view.group_names, view.num_rows_cut]


def test_rows_are_what_the_tokenizer_gives(rows, bert, tmp_path, small_chunks):
    done = []
    view = prepare(rows, bert, tmp_path, Lengths(64), progress=done.append)
    assert done == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert len(view) == 60 and view.num_rows_cut == 0 == view.cut_share
    picked = np.array([3, 59, 0, 3])
    got = view.rows(picked)
    start = 0
    for row, length in zip(picked, got.lengths, strict=True):
        example = rows[row]
        pair = None if example.text_b is None else [example.text_b]
        expected = bert([example.text_a], pair)
        assert got.ids[start : start + length].tolist() == expected["input_ids"][0]
        assert got.types[start : start + length].tolist() == expected["token_type_ids"][0]
        start += length
    assert start == len(got.ids)
    assert view.lengths.dtype == np.int32 and view.labels.dtype == np.float64
    assert view.labels.tolist() == [row.label for row in rows] and view.has_labels
    assert len(view.rows(np.array([], int)).ids) == 0


def test_the_tokens_that_occur(rows, bert, tmp_path, monkeypatch):
    view = prepare(rows, bert, tmp_path)
    every = sorted(set(view.rows(np.arange(60)).ids.tolist()))
    assert view.tokens().tolist() == every
    monkeypatch.setattr(views, "CHUNK", 5)
    assert view.tokens().tolist() == every
    assert prepare([], bert, tmp_path, source="empty").tokens().tolist() == []


def test_groups_by_number_and_name(rows, bert, tmp_path, small_chunks):
    view = prepare(rows, bert, tmp_path)
    assert view.groups.dtype == np.int32
    names = [None if number < 0 else view.group_names[number] for number in view.groups]
    assert names == [row.group for row in rows]
    odd = [
        make_example(row, "a", group=name) for row, name in enumerate(["x\ny", "你\x85", "x\ny"])
    ]
    view = prepare(odd, bert, tmp_path, source="odd")
    assert view.groups.tolist() == [0, 1, 0] and view.group_names == ["x\ny", "你\x85"]


def test_absent_labels_and_groups(bert, tmp_path):
    some = [make_example(0, "a", label=1.5), make_example(1, "b")]
    view = prepare(some, bert, tmp_path)
    assert view.labels[0] == 1.5 and np.isnan(view.labels[1]) and not view.has_labels
    assert view.groups is None and view.group_names == []
    empty = prepare([], bert, tmp_path, source="empty")
    assert len(empty) == 0 and empty.cut_share == 0 and len(empty.lengths) == 0


def test_cut_rows_are_counted(bert, tmp_path):
    some = [make_example(row, "a " * length) for row, length in enumerate((3, 6, 7, 40))]
    view = prepare(some, bert, tmp_path)
    assert view.num_rows_cut == 2 and view.cut_share == 0.5
    assert view.lengths.tolist() == [5, 8, 8, 8]


def test_prepared_once_and_again_when_anything_changes(rows, bert, tmp_path):
    first = prepare(rows, bert, tmp_path)
    assert snapshot(prepare(never(), bert, tmp_path)) == snapshot(first)
    for change in (
        {"source": "t"},
        {"lengths": Lengths(12, 6, 4)},
        {"lengths": Lengths(12, 6, 5, "left")},
    ):
        assert prepare(rows, bert, tmp_path, **change).folder != first.folder


def test_a_chunk_is_bounded_in_characters_too(monkeypatch):
    monkeypatch.setattr(preparing, "CHUNK_CHARACTERS", 10)
    some = [make_example(row, "a" * 4, "b") for row in range(5)]
    assert [len(chunk) for chunk in preparing.chunked(iter(some))] == [2, 2, 1]


def test_memory_does_not_grow_with_the_rows(bert, tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "CHUNK_ROWS", 500)

    def many(count):
        return (make_example(row, "hello good day " * 8, label=1) for row in range(count))

    peaks = []
    for count in (2_000, 8_000):
        tracemalloc.start()
        prepare(many(count), bert, tmp_path, Lengths(64), source=str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 8_000 * 16


def damage_ids(folder):
    data = bytearray((folder / "ids.bin").read_bytes())
    data[len(data) // 2] ^= 4
    (folder / "ids.bin").write_bytes(data)


def damage_size(folder):
    with open(folder / "labels.bin", "r+b") as file:
        file.truncate(8)


def damage_manifest(folder):
    path = folder / "manifest.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["body"]["facts"]["num_rows_cut"] += 1
    path.write_text(json.dumps(values), encoding="utf-8")


def cut_manifest(folder):
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(text[:50], encoding="utf-8")


def lose_file(folder):
    (folder / "offsets.bin").unlink()


@pytest.mark.parametrize(
    "harm", [damage_ids, damage_size, damage_manifest, cut_manifest, lose_file]
)
def test_damage_is_noticed_and_repaired(rows, bert, tmp_path, harm):
    view = prepare(rows, bert, tmp_path)
    before = snapshot(view)
    harm(view.folder)
    assert store.read_manifest(view.folder) is None
    assert snapshot(prepare(rows, bert, tmp_path)) == before


def run_in_child(function):
    child = FORK.Process(target=function)
    child.start()
    return child


def test_killed_at_any_chunk_and_started_again(rows, bert, tmp_path, small_chunks):
    expected = snapshot(prepare(rows, bert, tmp_path / "whole"))
    folder = tmp_path / "killed"
    for stop in (7, 28, 60):

        def die(done, stop=stop):
            if done == stop:
                os.kill(os.getpid(), signal.SIGKILL)

        child = run_in_child(lambda die=die: prepare(rows, bert, folder, progress=die))
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        assert not [
            path for path in folder.iterdir() if path.is_dir() and ".staging" not in path.name
        ]
    assert snapshot(prepare(rows, bert, folder)) == expected
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("harm", [None, "shorten", "change", "journal"])
def test_interrupted_goes_on_from_what_was_committed(
    rows, bert, tmp_path, small_chunks, monkeypatch, harm
):
    expected = snapshot(prepare(rows, bert, tmp_path / "whole"))
    folder = tmp_path / "killed"
    monkeypatch.setattr(preparing, "COMMIT_ROWS", 14)

    def die(done):
        if done == 35:
            os.kill(os.getpid(), signal.SIGKILL)

    child = run_in_child(lambda: prepare(rows, bert, folder, progress=die))
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    (staging,) = folder.glob("*.staging")
    if harm == "shorten":
        os.truncate(staging / "ids.bin", 8)
    elif harm == "change":
        (staging / "labels.bin").write_bytes(bytes(8 * 35))
    elif harm == "journal":
        (staging / "journal.json").write_text("{", encoding="utf-8")
    seen = []
    assert snapshot(prepare(rows, bert, folder, progress=seen.append)) == expected
    assert seen[0] == (35 if harm is None else 7), "28 rows were committed, the next chunk follows"
    assert not list(folder.glob("*.staging"))


def test_stopped_by_the_keyboard_goes_on_too(rows, bert, tmp_path, small_chunks, monkeypatch):
    monkeypatch.setattr(preparing, "COMMIT_ROWS", 7)

    def stop(done):
        if done == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(rows, bert, tmp_path, progress=stop)
    seen = []
    prepare(rows, bert, tmp_path, progress=seen.append)
    assert seen[0] == 28


def test_equal_texts_are_tokenised_once(bert, tmp_path, monkeypatch):
    texts = []
    plain = RowEncoder.ids_of
    monkeypatch.setattr(
        RowEncoder, "ids_of", lambda self, some: texts.extend(some) or plain(self, some)
    )
    rows = [make_example(row, "one query", f"reply {row % 3}") for row in range(9)]
    view = prepare(rows, bert, tmp_path)
    assert texts.count("one query") == 1 and texts.count("reply 2") == 1
    assert len(view) == 9


def test_killed_while_publishing(rows, bert, tmp_path, monkeypatch):
    expected = snapshot(prepare(rows, bert, tmp_path / "whole"))
    folder = tmp_path / "killed"
    for name in ("fsync", "rename"):

        def child_work(name=name):
            kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
            if name == "fsync":
                os.fsync = kill
            else:
                type(folder).rename = kill
            prepare(rows, bert, folder)

        child = run_in_child(child_work)
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
    assert snapshot(prepare(rows, bert, folder)) == expected


def test_processes_share_one_preparation(rows, bert, tmp_path):
    builds = FORK.Value("i", 0)

    def counted():
        with builds.get_lock():
            builds.value += 1
        for row in rows:
            time.sleep(0.002)
            yield row

    results = FORK.Queue()

    def work():
        results.put(snapshot(prepare(counted(), bert, tmp_path)))

    children = [run_in_child(work) for _ in range(3)]
    got = [results.get(timeout=30) for _ in children]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert builds.value == 1
    assert got[0] == got[1] == got[2]


def test_a_bad_row_leaves_nothing_behind(rows, bert, tmp_path):
    def broken():
        yield from rows[:10]
        raise UserError(Problem("train.tsv: line 11", "two fields"))

    with pytest.raises(UserError, match="line 11"):
        prepare(broken(), bert, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert len(prepare(rows, bert, tmp_path)) == 60


def test_full_disk_is_one_clear_message(rows, bert, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.ArrayWriter, "append", full)
    with pytest.raises(RunFailure, match="disk is full"):
        prepare(rows, bert, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written(rows, bert, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with refused("cache.rows-not-writable"):
        prepare(rows, bert, tmp_path / "file" / "cache")


def test_failing_to_read_rows_is_not_called_failing_to_write(bert, tmp_path):
    def lost():
        yield make_example(0, "a")
        raise FileNotFoundError(2, "No such file or directory", "data/train.tsv")

    with pytest.raises(FileNotFoundError):
        prepare(lost(), bert, tmp_path)


def test_a_finished_view_opens_where_nothing_can_be_written(rows, bert, tmp_path, monkeypatch):
    before = snapshot(prepare(rows, bert, tmp_path))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path / "x.lock"))

    monkeypatch.setattr(views, "locked", refuse)
    assert snapshot(prepare(never(), bert, tmp_path)) == before
