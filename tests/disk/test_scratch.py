"""Temporary folders of killed processes are cleared by the next one; those in use and others' stay."""

import subprocess
import sys

import pytest

from chatstill.disk.scratch import clear_left, scratch_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_there_and_gone_afterwards(temporary):
    with scratch_folder() as folder:
        (folder / "x").mkdir()
        assert folder.is_dir() and folder.parent == temporary
    assert not names(temporary)


def test_it_goes_with_an_error_too(temporary):
    with pytest.raises(KeyboardInterrupt), scratch_folder():
        raise KeyboardInterrupt
    assert not names(temporary)


KILLED = """
import os, signal, sys, tempfile
from chatstill.disk.scratch import scratch_folder
tempfile.tempdir = sys.argv[1]
with scratch_folder() as folder:
    (folder / "a network").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_run_clears_what_a_killed_one_left_and_nothing_else(temporary):
    with scratch_folder() as in_use:
        done = subprocess.run([sys.executable, "-c", KILLED, str(temporary)])
        assert done.returncode < 0
        (left,) = set(names(temporary)) - {in_use.name}
        assert (temporary / left / "a network").is_file(), "killed before anything was cleared"
        (temporary / "chatstill-held-being-made").mkdir()
        (temporary / "others").mkdir()
        (temporary / "others" / ".lock").touch()
        (temporary / "chatstill-held-link").symlink_to(temporary / "others")
        with scratch_folder() as next_one:
            kept = {"chatstill-held-being-made", "chatstill-held-link", "others", in_use.name}
            assert set(names(temporary)) == {*kept, next_one.name}
        assert names(temporary / "others") == [".lock"]


def test_a_folder_for_temporary_files_that_cannot_be_listed_is_no_matter(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    clear_left()
