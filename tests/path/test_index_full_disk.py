"""A disk that fills up while an index is built or added to: one message, and the last index stands."""

import pytest

from chatstill import cli
from tests.deploy.serving import REPLIES, content, saved
from tests.small_disk import mounted


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    with mounted(tmp_path / "disk", "300k") as folder:
        yield folder


def run(capsys, *words):
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def many(path, words, number):
    path.write_text("".join(f"{words} {n}\n" for n in range(number)), encoding="utf-8")
    return path


def test_too_little_room_is_refused_before_anything_is_encoded(small_disk, tmp_path, capsys):
    model, file = saved(tmp_path / "model"), many(tmp_path / "many.txt", "the red box", 3000)
    code, _, err = run(capsys, "index", model, file, "--out", small_disk / "index")
    assert code == 2 and "are free" in err and "Traceback" not in err
    assert not list((small_disk / "index").glob("shard-*"))


def test_a_disk_that_fills_up_meanwhile_leaves_the_last_index(
    small_disk, tmp_path, capsys, monkeypatch
):
    model, out = saved(tmp_path / "model"), small_disk / "index"
    monkeypatch.setattr("chatstill.deploy.build.SHARD_BYTES", 20_000)
    first = tmp_path / "first.txt"
    first.write_text("\n".join(REPLIES), encoding="utf-8")
    assert run(capsys, "index", model, first, "--out", out)[0] == 0
    before = content(out)
    monkeypatch.setattr("chatstill.deploy.build.Writer._require_room", lambda *_: None)
    more = many(tmp_path / "more.txt", "the red box", 2000)
    code, _, err = run(capsys, "index", model, "--add", more, "--out", out)
    assert code == 1 and "the disk is full" in err and "shard-" in err and "Traceback" not in err
    after = content(out)
    assert {name: after[name] for name in before} == before
    assert run(capsys, "rank", model, out, "--query", "why")[0] == 0
    assert run(capsys, "index", model, "--compact", "--out", out)[0] == 0  # gives the room back
    assert content(out).keys() == before.keys()
