"""A full disk is one thing, whatever class a library raises it in: the file, the free room, no traceback."""

import errno
import re

import pytest

from chatstill.cli.guard import guarded
from chatstill.disk.full import full_disk, is_full, writing
from chatstill.disk.write import write_text


class LibraryError(Exception):
    """A class of a library's own, as that of safetensors."""


FULL = {
    "the system": OSError(errno.ENOSPC, "No space left on device"),
    "a quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "safetensors": LibraryError("Error while serializing: No space left on device (os error 28)"),
    "tokenizers": Exception("No space left on device (os error 28)"),
    "tokenizers in another language": Exception("设备上没有空间 (os error 28)"),
    "torch": RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_the_file_and_the_free_room_are_named(error, tmp_path):
    path = tmp_path / "student" / "tokenizer.json"
    with pytest.raises(OSError) as found, writing(path):
        raise error
    assert is_full(found.value) and found.value.errno == errno.ENOSPC
    said = full_disk(found.value)
    assert re.fullmatch(
        rf"the disk is full: {path} cannot be written, [\d.]+ [kMG]B free in {tmp_path}", said
    )


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_no_traceback_whatever_it_is_raised_as(error, tmp_path, capsys):
    def verb():
        with writing(tmp_path / "predictions.tsv"):
            raise error

    assert guarded(verb) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: the disk is full: ") and "predictions.tsv" in said
    assert said.count("\n") == 1 and "run" not in said.replace(str(tmp_path), "")


def test_the_innermost_file_is_named_by_its_final_name(tmp_path, monkeypatch):
    def no_room(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("chatstill.disk.write.os.fsync", no_room)
    with pytest.raises(OSError) as error, writing(tmp_path):
        write_text(tmp_path / "run.json", "x")
    assert f"{tmp_path / 'run.json'} cannot be written" in full_disk(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), OSError(errno.EACCES, "Permission denied"), KeyError("x")]
)
def test_other_errors_stay_what_they_are(error, tmp_path):
    with pytest.raises(type(error)) as found, writing(tmp_path / "a"):
        raise error
    assert found.value is error and not is_full(error)


def test_an_error_that_came_of_a_full_disk_is_one(tmp_path):
    try:
        try:
            raise FULL["the system"]
        except OSError as error:
            raise LibraryError("can't save") from error
    except LibraryError as error:
        assert is_full(error) and full_disk(error) == "the disk is full"
