"""`chatstill cache`: what is listed, who needs it, and that nothing else ever goes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatstill.cli import main
from chatstill.data.caches import find_caches, note_user
from chatstill.data.store import locked
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.run import unused_caches as clearing

from . import world

NAME = "0123456789abcdef" * 2


def make_rows(home: Path, name: str = NAME, size: int = 1000) -> Path:
    """What looks like prepared rows."""
    folder = home / name
    folder.mkdir(parents=True)
    (folder / "ids.bin").write_bytes(b"\0" * size)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    return folder


def make_run(folder: Path, state: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    record = {"format": 1, "state": state, "fingerprint": {}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def words(folder):
    return {one.cache.path.name: one for one in clearing.list_caches([folder])}


def test_a_run_notes_its_caches(run, shared, tmp_path):
    done = run(cache_dir=str(tmp_path / "common"), max_steps=1, num_train_epochs=None)
    found = clearing.list_caches([tmp_path])
    assert len(found) == 2
    assert all(one.cache.users == (done.folder.resolve(),) for one in found)
    assert all(one.free for one in found)
    sizes = sum(f.stat().st_size for one in found for f in one.cache.path.iterdir())
    assert sum(one.cache.size for one in found) == sizes


def test_a_run_without_its_caches_makes_them_again(run, shared, tmp_path):
    done = run(max_steps=2, num_train_epochs=None)
    assert main(["cache", str(tmp_path), "--remove", "--yes"]) == 0
    assert find_caches(tmp_path) == []
    assert not list((done.folder / "cache").glob("*.users"))
    record = json.loads((done.folder / "run.json").read_text(encoding="utf-8"))
    record["state"] = "running"  # as if it had been stopped before its end
    (done.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    pipeline.distill(done.loaded, console=world.console())
    assert len(find_caches(tmp_path)) == 2


@pytest.mark.parametrize(("state", "free"), [("running", False), ("finished", True)])
def test_an_unfinished_run_needs_its_caches(state, free, tmp_path):
    make_run(tmp_path / "run", state)
    make_rows(tmp_path / "run" / "cache")
    (one,) = clearing.list_caches([tmp_path])
    assert one.free is free
    line = clearing.as_lines([one])[0]
    assert ("no longer needed" in line) is free
    assert (f"needed by {tmp_path / 'run'}" in line) is not free


def test_a_shared_cache_is_needed_while_one_of_its_runs_is(tmp_path):
    cache = make_rows(tmp_path / "common" / "views")
    for name, state in (("a", "finished"), ("b", "running"), ("a", "finished")):
        note_user(cache, make_run(tmp_path / name, state))
    (one,) = clearing.list_caches([tmp_path / "common"])
    assert one.needed_by == ((tmp_path / "b").resolve(),)
    shutil.rmtree(tmp_path / "b")
    (one,) = clearing.list_caches([tmp_path / "common"])
    assert one.free


def test_a_run_that_was_moved_needs_its_shared_caches_where_it_is_named(tmp_path):
    common = tmp_path / "common"
    cache = make_rows(common / "views")
    run = make_run(tmp_path / "before", "running")
    values = {"cache_dir": {"value": str(common), "origin": "file"}}
    (run / "config.resolved.json").write_text(json.dumps(values), encoding="utf-8")
    note_user(cache, run)
    run = run.rename(tmp_path / "after")
    (one,) = clearing.list_caches([common, run])
    assert one.needed_by == (run,)
    (one,) = clearing.list_caches([tmp_path])  # a folder above it
    assert one.needed_by == (run,)
    make_run(run, "finished")
    assert words(tmp_path)[NAME].free


def test_a_link_needs_its_caches_until_the_chain_is_finished(tmp_path):
    chain = make_run(tmp_path / "chain", "running")
    cache = make_rows(tmp_path / "common" / "views")
    note_user(cache, make_run(chain / "assistant", "finished"))
    assert not words(tmp_path / "common")[NAME].free
    make_run(chain, "finished")
    assert words(tmp_path / "common")[NAME].free


def test_a_stored_teacher_goes_with_the_runs_on_its_rows(tmp_path):
    rows = make_rows(tmp_path / "common" / "views")
    teacher = tmp_path / "common" / "teacher" / NAME[::-1]
    (teacher / "000000").mkdir(parents=True)
    (teacher / "000000" / "logits.bin").write_bytes(b"\0" * 5000)
    facts = {"format": 1, "sources": {"rows": NAME}}
    (teacher / "cache.json").write_text(json.dumps(facts), encoding="utf-8")
    assert [one.cache.kind for one in clearing.list_caches([tmp_path])] == ["teacher", "rows"]
    run = make_run(tmp_path / "run", "running")
    note_user(rows, run)
    assert [one.free for one in clearing.list_caches([tmp_path])] == [False, False]
    make_run(run, "finished")
    gone, left = clearing.remove(clearing.list_caches([tmp_path]))
    assert (len(gone), left) == (2, [])
    assert not teacher.exists()


def test_a_stored_teacher_whose_rows_are_gone_is_listed_all_the_same(tmp_path):
    teacher = tmp_path / "teacher" / NAME[::-1]
    teacher.mkdir(parents=True)
    facts = {"format": 1, "sources": {"rows": NAME}}
    (teacher / "cache.json").write_text(json.dumps(facts), encoding="utf-8")
    (found,) = clearing.list_caches([tmp_path])
    assert (found.cache.kind, found.cache.users) == ("teacher", ())


def test_what_no_run_is_known_to_use_stays(tmp_path, capsys):
    cache = make_rows(tmp_path / "views")
    assert main(["cache", str(tmp_path), "--remove", "--yes"]) == 0
    assert "of unknown use" in capsys.readouterr().out
    assert cache.exists()


def test_what_is_being_prepared_stays(tmp_path):
    run = make_run(tmp_path / "run", "finished")
    staging = make_rows(tmp_path / "views", f"{NAME}.staging")
    note_user(staging.with_name(NAME), run)
    with locked(tmp_path / "views" / f"{NAME}.lock"):
        code = "import sys; from chatstill.cli import main; sys.exit(main(sys.argv[1:]))"
        words = [sys.executable, "-c", code, "cache", str(tmp_path), "--remove", "--yes"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "in use, left" in done.stdout
    assert staging.exists()
    assert "prepared rows, unfinished" in done.stdout
    assert main(["cache", str(tmp_path), "--remove", "--yes"]) == 0
    assert not staging.exists()


def test_nothing_but_caches_is_touched(tmp_path):
    make_run(tmp_path / "run", "finished")
    make_rows(tmp_path / "run" / "cache")
    kept = [
        make_rows(tmp_path / "run" / "cache", "not-a-cache"),
        make_rows(tmp_path / "run" / ".hidden"),
        tmp_path / "run" / "cache" / ("f" * 32),
    ]
    kept[2].mkdir()
    (kept[2] / "thesis.txt").write_text("mine", encoding="utf-8")
    outside = make_rows(tmp_path / "elsewhere")
    os.symlink(outside, tmp_path / "run" / "cache" / ("a" * 32))
    assert main(["cache", str(tmp_path / "run"), "--remove", "--yes"]) == 0
    assert all(path.exists() for path in kept)
    assert (outside / "ids.bin").exists()
    assert not (tmp_path / "run" / "cache" / NAME).exists()


def test_without_a_terminal_nothing_is_removed_unasked(tmp_path, capsys, monkeypatch):
    make_run(tmp_path / "run", "finished")
    cache = make_rows(tmp_path / "run" / "cache")
    monkeypatch.setattr("sys.stdin", open(os.devnull, encoding="utf-8"))
    assert main(["cache", str(tmp_path), "--remove"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert cache.exists()


def test_at_a_terminal_it_asks(tmp_path, capsys, monkeypatch):
    make_run(tmp_path / "run", "finished")
    cache = make_rows(tmp_path / "run" / "cache")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = [False, True]
    monkeypatch.setattr("typer.confirm", lambda question: answers.pop(0))
    assert main(["cache", str(tmp_path), "--remove"]) == 0
    assert cache.exists()
    assert "nothing was removed" in capsys.readouterr().out
    assert main(["cache", str(tmp_path), "--remove"]) == 0
    assert not cache.exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        clearing.list_caches([tmp_path / "nowhere"])


def test_sizes_and_ages_are_in_words(tmp_path):
    make_run(tmp_path / "run", "finished")
    cache = make_rows(tmp_path / "run" / "cache", size=2_500_000)
    os.utime(cache, (1000, 1000))
    (one,) = clearing.list_caches([tmp_path])
    for seconds, word in ((0, "just now"), (150, "2 minutes"), (3600, "1 hour"), (2e6, "23 days")):
        (line,) = clearing.as_lines([one], now=one.cache.used + seconds)
        assert word in line
    assert line.startswith("2.5 MB")
