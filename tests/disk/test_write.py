"""What we write is whole or absent, under a fresh name, and never written through a link."""

import fcntl
import json
import os

import pytest

from chatstill.disk.fresh import final_path, fresh_name, is_fresh_name
from chatstill.disk.write import (
    clear_folder,
    clear_strays,
    create_text,
    fresh_folder,
    open_append,
    open_own,
    remove,
    replacing,
    write_json,
    write_text,
)
from chatstill.errors import UserError
from chatstill.run.log_file import start_log
from chatstill.train.records import Records
from chatstill.train.runfolder import RunFolder

PRECIOUS = "years of work"


@pytest.fixture
def precious(tmp_path):
    file = tmp_path / "precious.txt"
    file.write_text(PRECIOUS, encoding="utf-8")
    return file


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_link_under_the_name_is_replaced_and_its_file_stays(folder, precious):
    (folder / "metrics.json").symlink_to(precious)
    write_json(folder / "metrics.json", {"value": 1.0})
    assert precious.read_text(encoding="utf-8") == PRECIOUS
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == {"value": 1.0}
    assert not (folder / "metrics.json").is_symlink() and names(folder) == ["metrics.json"]


def test_no_staging_name_can_be_foreseen(folder):
    seen = {fresh_name(folder / "run.json").name for _ in range(100)}
    assert len(seen) == 100 and all(is_fresh_name(name, "run.json") for name in seen)
    assert not is_fresh_name(".run.json.new") and not is_fresh_name(seen.pop(), "other")


def test_a_staging_name_that_is_taken_is_never_opened(folder, precious, monkeypatch):
    first, second = folder / ".a.000000000000.new", folder / ".a.111111111111.new"
    first.symlink_to(precious)
    given = iter([first, second])
    monkeypatch.setattr("chatstill.disk.write.fresh_name", lambda path: next(given))
    write_text(folder / "a", "text")
    assert precious.read_text(encoding="utf-8") == PRECIOUS
    assert (folder / "a").read_text(encoding="utf-8") == "text"


def test_an_error_leaves_the_old_file_and_nothing_beside(folder):
    write_text(folder / "a", "before")
    with pytest.raises(ValueError, match="halfway"), replacing(folder / "a") as stream:
        stream.write("half")
        raise ValueError("halfway")
    assert (folder / "a").read_text(encoding="utf-8") == "before" and names(folder) == ["a"]


def test_errors_name_the_file_and_not_its_staging_name(folder):
    (folder / "report.html").mkdir()
    with pytest.raises(OSError) as error:
        write_text(folder / "report.html", "x")
    assert error.value.filename == str(folder / "report.html")
    staged = folder / ".student.0123456789ab.new" / "model.safetensors"
    assert final_path(staged) == folder / "student" / "model.safetensors"


def test_what_utf8_cannot_hold_is_escaped_as_json_does(folder):
    write_json(folder / "a.json", {"file": "caf\udce9.txt"})
    assert json.loads((folder / "a.json").read_text(encoding="utf-8")) == {"file": "caf\udce9.txt"}


def test_a_new_file_goes_over_nothing(tmp_path, precious):
    (tmp_path / "new.jsonc").symlink_to(tmp_path / "absent")
    for name in ("new.jsonc", "precious.txt"):
        with pytest.raises(FileExistsError):
            create_text(tmp_path / name, "x")
    assert precious.read_text(encoding="utf-8") == PRECIOUS and not (tmp_path / "absent").exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_a_file_that_is_written_in_place_is_ours_alone(tmp_path, precious, kind):
    path = tmp_path / "run.log"
    {
        "link": lambda: path.symlink_to(precious),
        "dangling link": lambda: path.symlink_to(tmp_path / "absent"),
        "hard link": lambda: path.hardlink_to(precious),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }[kind]()
    with pytest.raises((UserError, IsADirectoryError), match=r"run\.log"):
        open_append(path)
    assert precious.read_text(encoding="utf-8") == PRECIOUS and not (tmp_path / "absent").exists()


def test_files_of_ours_are_appended_to(tmp_path):
    for line in ("one\n", "two\n"):
        with open_append(tmp_path / "run.log") as stream:
            stream.write(line)
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "one\ntwo\n"


def test_removing_never_reaches_through_a_link(tmp_path, precious):
    (tmp_path / "others").mkdir()
    precious.rename(tmp_path / "others" / "precious.txt")
    (tmp_path / "link").symlink_to(tmp_path / "others")
    remove(tmp_path / "link")
    remove(tmp_path / "absent")
    assert names(tmp_path) == ["others"] and names(tmp_path / "others") == ["precious.txt"]


def test_what_killed_writers_left_goes_and_what_is_being_written_stays(folder):
    left, held, young = (fresh_name(folder / "a.tsv") for _ in range(3))
    for path in (left, held, young):
        path.write_text("half", encoding="utf-8")
    for path in (left, held):
        os.utime(path, (0, 0))
    other = folder / ".b.tsv.0123456789ab.new"
    other.write_text("another file's", encoding="utf-8")
    with open(held, "rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        clear_strays(folder / "a.tsv")
        assert set(names(folder)) == {held.name, young.name, other.name}
        clear_folder(folder)
        assert names(folder) == [held.name]


def test_a_fresh_folder_is_empty_and_new(folder):
    one, two = fresh_folder(folder / "student"), fresh_folder(folder / "student")
    assert one != two and not names(one) and is_fresh_name(one.name, "student")


def test_a_run_folder_with_links_where_a_run_writes_is_refused_before_anything_is(
    tmp_path, precious
):
    run = tmp_path / "run"
    RunFolder(run).open({"x": 1})
    for name in ("run.lock", "run.log", "checkpoints", "cache"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(precious)
    with pytest.raises(UserError) as error:
        RunFolder(run).state({"x": 1})
    said = str(error.value)
    assert all(
        f"{run / name} is a link to {precious}" in said for name in ("run.log", "checkpoints")
    )
    assert "cache_dir names another place" in said
    with pytest.raises(UserError, match=r"run\.lock is a link"):
        RunFolder(run).open({"x": 1})
    assert precious.read_text(encoding="utf-8") == PRECIOUS


def test_the_lock_of_a_new_run_is_no_link(folder, precious):
    (folder / "run.lock").symlink_to(precious)
    with pytest.raises(UserError, match=r"run\.lock is a link"):
        RunFolder(folder).open({"x": 1})
    assert precious.read_text(encoding="utf-8") == PRECIOUS and names(folder) == ["run.lock"]


def test_history_and_log_are_never_written_through_a_link(folder, precious):
    from rich.console import Console

    (folder / "history.jsonl").symlink_to(precious)
    records = Records(folder)
    records.open({0: 0}, (0, 0))
    records.add({"phase": "p", "phase_index": 0, "step": 1, "loss": 1.0})
    records.close()
    assert precious.read_text(encoding="utf-8") == PRECIOUS
    assert not (folder / "history.jsonl").is_symlink()
    (folder / "run.log").symlink_to(precious)
    with pytest.raises(UserError, match=r"run\.log is a link"):
        start_log(folder, Console())
    assert precious.read_text(encoding="utf-8") == PRECIOUS


def test_open_own_gives_a_plain_file(tmp_path):
    os.close(open_own(tmp_path / "a", os.O_RDWR | os.O_CREAT))
    assert (tmp_path / "a").is_file()
