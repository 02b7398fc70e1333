"""A cache that another user has filled is read without any right to write."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from example_rows import make_example
from transformers import BertTokenizer

from chatstill.data.encoded import Lengths
from chatstill.data.store import locked
from chatstill.data.teacher_cache import Layout, Part, TeacherCache, cache_fingerprint
from chatstill.data.views import prepare_view
from chatstill.errors import UserError
from chatstill.readers.word_pieces import RowEncoder

LENGTHS = np.arange(3, 40) % 11 + 3
LAYOUT = Layout((Part("logits", (2,), "float32"),))
SOURCES = {"teacher": "a"}


@pytest.fixture
def read_only(monkeypatch, request):
    """Makes a folder one that cannot be written, also for the super-user, whom modes do not stop."""

    def make(folder: Path, reason: int):
        opening, making = os.open, Path.mkdir

        def refuse(path):
            raise OSError(reason, os.strerror(reason), str(path))

        def open_(path, flags, *rest, **more):
            inside = str(path).startswith(str(folder))
            if inside and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                refuse(path)
            return opening(path, flags, *rest, **more)

        def mkdir(self, *rest, **more):
            if str(self).startswith(str(folder)) and not self.is_dir():
                refuse(self)
            return making(self, *rest, **more)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(Path, "mkdir", mkdir)

    return make


REASONS = pytest.mark.parametrize("reason", [errno.EACCES, errno.EROFS, errno.EPERM])


def outputs(rows):
    return {"logits": rows[:, None] + np.array([0.25, 0.5])}


def cache_in(folder):
    return TeacherCache(folder, cache_fingerprint(LAYOUT, SOURCES), LAYOUT, LENGTHS)


def never(rows):
    raise AssertionError("what is stored was computed again")


@REASONS
def test_the_teachers_outputs_are_read_without_a_lock(tmp_path, read_only, reason):
    assert cache_in(tmp_path).fill(outputs) == len(LENGTHS)
    before = sorted(tmp_path.rglob("*"))
    read_only(tmp_path, reason)
    cache = cache_in(tmp_path)
    cache.describe(SOURCES)
    assert cache.fill(never) == 0
    rows = np.array([5, 0, 36])
    np.testing.assert_array_equal(cache.read(rows)["logits"], outputs(rows)["logits"])
    assert sorted(tmp_path.rglob("*")) == before


@REASONS
def test_what_is_missing_cannot_be_stored_there(tmp_path, read_only, reason):
    read_only(tmp_path, reason)
    with pytest.raises(UserError, match=r"cannot be stored here: .*\n.*cache_dir"):
        cache_in(tmp_path).fill(outputs)


@REASONS
def test_prepared_rows_are_read_without_a_lock(tmp_path, read_only, reason):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    rows = [make_example(number, "a b") for number in range(9)]

    def prepare(examples):
        return prepare_view(
            examples,
            RowEncoder(tokenizer, Lengths(16)),
            tmp_path,
            source_fingerprint="s",
            user=tmp_path / "r",
        )

    first = prepare(rows)
    (tmp_path / f"{first.folder.name}.lock").unlink()
    before = sorted(tmp_path.rglob("*"))
    read_only(tmp_path, reason)
    again = prepare(never(None) for _ in range(1))
    np.testing.assert_array_equal(first.ids, again.ids)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_lock_is_never_a_link(tmp_path):
    (tmp_path / "precious").write_text("years of work", encoding="utf-8")
    (tmp_path / "x.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"x\.lock is a link"), locked(tmp_path / "x.lock"):
        pass
