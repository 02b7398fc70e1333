"""Word vectors of text files: equal to a plain reading of them, from the copy too; faults by line."""

import gzip
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.found import holds, told

from chatstill.errors import UserError
from chatstill.text import vector_lines
from chatstill.text.vectors import read_vectors

GLOVE = "the 0.5 -1 2e-3\n, 1 2 3\n. . . 4 5 6\nat name@domain.com 7 8 9\n好的 .1 .2 .3\n"


@pytest.fixture
def write(tmp_path):
    def make(text, name="vectors.txt", packed=False):
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if packed else data)
        return path

    return make


def problem_of(path, words=("a",), cache=None):
    with pytest.raises(UserError) as caught:
        read_vectors(path, words, cache, place="network.vectors")
    (problem,) = caught.value.problems
    assert problem.place == "network.vectors" and str(path) in problem.message
    return told(caught)


def slow(text, words, width):
    """Line by line, the first of a word counts; else its lower case."""
    table = {}
    for line in text.removesuffix("\n").split("\n"):
        fields = line.rstrip(" \r").split(" ")
        table.setdefault(" ".join(fields[:-width]), [float(one) for one in fields[-width:]])
    rows = [table.get(word, table.get(word.lower())) for word in words]
    return np.array([row or [0.0] * width for row in rows], np.float32)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["", "5 3\n"])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_vectors_are_those_of_a_plain_reading(write, tmp_path, packed, header, end):
    words = ["好的", ". . .", "The", "none", "the", "at name@domain.com", ",", ""]
    path = write((header + GLOVE).replace("\n", end), packed=packed)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        found = read_vectors(path, words, cache, place="")
        assert found.matrix.dtype == np.float32 and found.width == 3
        np.testing.assert_array_equal(found.matrix, slow(GLOVE, words, 3))
        assert found.found.tolist() == [True, True, True, False, True, True, True, False]
        assert found.format == ("word2vec" if header else "glove")
        assert found.notes == ["1 words take the vector of their lower case"]


def test_a_mark_of_the_encoding_and_empty_lines_are_passed_over(write):
    path = write("\ufeffthe 1 2\n\n a 3 4\nb 5 6\n\n")
    assert read_vectors(path, ["the", "b"], None, place="").matrix.tolist() == [[1, 2], [5, 6]]


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z", "N")), min_size=1, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.dictionaries(names, st.tuples(numbers, numbers), min_size=1),
    asked=st.lists(names, max_size=4),
    header=st.booleans(),
)
def test_any_numbers_come_back_exactly(tmp_path, rows, asked, header):
    path = tmp_path / "vectors.txt"
    text = "".join(f"{word} {one!r} {two!r}\n" for word, (one, two) in rows.items())
    path.write_text((f"{len(rows)} 2\n" if header else "") + text, encoding="utf-8", newline="")
    words = [*rows, *asked]
    for cache in (None, tmp_path):
        found = read_vectors(path, words, cache, place="")
        np.testing.assert_array_equal(found.matrix, slow(text, words, 2))
    for made in (*tmp_path.glob("vectors-*"), path):
        made.unlink()


def test_the_copy_is_mapped_and_the_file_not_read_again(write, tmp_path, monkeypatch):
    path, cache = write(GLOVE), tmp_path / "cache"
    first = read_vectors(path, ["the"], cache, place="")
    assert sorted(made.suffix for made in cache.iterdir()) == [".json", ".npy"]
    monkeypatch.setattr(vector_lines, "_lines", lambda path: pytest.fail("read again"))
    load, modes = np.load, []
    monkeypatch.setattr(
        np, "load", lambda *given, **more: modes.append(more["mmap_mode"]) or load(*given, **more)
    )
    again = read_vectors(path, ["the", ","], cache, place="")
    assert again.matrix[0].tolist() == first.matrix[0].tolist()
    assert again.matrix[1].tolist() == [1, 2, 3]
    assert modes == ["r"]


def test_a_changed_file_is_read_anew(write, tmp_path):
    path = write("a 1 2\n")
    read_vectors(path, ["a"], tmp_path / "cache", place="")
    before = path.stat()
    write("a 3 4\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read_vectors(path, ["a"], tmp_path / "cache", place="").matrix.tolist() == [[3, 4]]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"words": []}', b'{"words": ["a"], "notes": 3}'])
@pytest.mark.parametrize("ending", [".npy", ".json"])
def test_a_damaged_copy_is_made_anew(write, tmp_path, damage, ending):
    path, cache = write(GLOVE), tmp_path / "cache"
    words = ["the", "好的"]
    expected = read_vectors(path, words, cache, place="").matrix
    (copy,) = cache.glob(f"*{ending}")
    whole = copy.read_bytes()
    copy.write_bytes(damage)
    np.testing.assert_array_equal(read_vectors(path, words, cache, place="").matrix, expected)
    assert copy.read_bytes() == whole
    copy.write_bytes(whole[:-3])
    np.testing.assert_array_equal(read_vectors(path, words, cache, place="").matrix, expected)


def test_a_folder_that_takes_no_copy_is_passed_by(write, tmp_path):
    cache = tmp_path / "a file"
    cache.write_text("", encoding="utf-8")
    assert read_vectors(write(GLOVE), ["the"], cache, place="").found.all()


def test_a_faulty_file_leaves_no_copy(write, tmp_path):
    problem_of(write("a 1 2\nb 1\n"), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_words_that_stand_twice_take_the_first_vector(write, tmp_path):
    path = write("a 1 2\nb 3 4\na 5 6\nb 5 6\nc 1 1\nc 1 1\n")
    for _ in range(2):
        found = read_vectors(path, ["a", "b"], tmp_path / "cache", place="")
        assert found.matrix.tolist() == [[1, 2], [3, 4]]
        assert "2 lines repeat" in found.notes[0]


def test_words_that_are_no_utf8_are_passed_over(write):
    found = read_vectors(write(b"a 1 2\n\xff\xfe 3 4\nb 5 6\n"), ["b"], None, place="")
    assert found.matrix.tolist() == [[5, 6]]
    assert "1 words are no UTF-8" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a 1 2\nb 1\nc 1 2\nd 1 2\n", ("vectors.other-count", "line 2: 1 numbers, expected 2")),
        ("a 1 2\nb 1 2 3\nc 1 2\n", ("vectors.other-count", "line 2: 3 numbers, expected 2")),
        ("a 1\nb 1 2\nc 1 2\n", ("vectors.other-count", "line 1: 1 numbers, expected 2")),
        ("2 3\na 1 2 3\nb 1 2\n", ("vectors.other-count", "line 3: 2 numbers, expected 3")),
        ("a 1 2\n b\n", ("vectors.other-count", "line 2: 1 numbers, expected 2")),
        ("a 1 2\nb 1 x\n", ("vectors.not-numbers", "line 2:")),
        ("a 1 2\nb nan 2\n", ("vectors.not-finite", "line 2:")),
        ("a 1 2\nb 1 -inf\n", ("vectors.not-finite", "line 2:")),
        ("a 1 2\nb 1 1e39\n", ("vectors.not-finite", "line 2:")),
        ("a 1 2\nb 1  2\n", ("vectors.not-numbers", "line 2:")),
        ("3 2\na 1 2\nb 1 2\n", ("vectors.cut-off", "3 words, 2 ")),
        ("3 2\n", "vectors.empty"),
        ("", "vectors.empty"),
        ("\n\n", "vectors.empty"),
        ("a\nb\n", ("vectors.other-count", "line 1: 0 numbers, expected 1")),
        ("a 1 2\nb 1", ("vectors.last-line-cut-off", "line 2: 1 numbers, expected 2")),
        ("a 1 2\nb 1 -", ("vectors.last-line-cut-off", "line 2:")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_fault_is_one_problem_with_its_line(write, tmp_path, text, said, packed):
    path = write(text, packed=packed)
    assert holds(problem_of(path), said)
    assert holds(problem_of(path, cache=tmp_path / "cache"), said)


def test_a_wrong_width_far_down_is_told_by_its_line(write):
    text = "".join(f"word{number} 1 2\n" for number in range(5000))
    assert holds(
        problem_of(write(f"{text}a 1 2 3\n")), ("vectors.other-count", "line 5,001: 3 numbers")
    )


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_compressed_file_that_is_cut_off(write, share):
    lines = np.random.default_rng(0).normal(size=(200, 20))
    text = "".join(f"w{n} {' '.join(map(str, row))}\n" for n, row in enumerate(lines.tolist()))
    whole = gzip.compress(text.encode())
    assert "cut off" in problem_of(write(whole[: int(len(whole) * share)]))
    assert read_vectors(write(whole), ["w7"], None, place="").found.all()


def test_more_rows_than_the_header_says_and_a_last_line_without_end_are_noted(write):
    found = read_vectors(write("1 2\na 1 2\nb 3 4"), ["b"], None, place="")
    assert found.matrix.tolist() == [[3, 4]]
    assert "says 1 words, 2 are there" in found.notes[0]
    assert "has no end" in found.notes[1]


def test_what_is_no_text_file_is_told_at_once(write, tmp_path, monkeypatch):
    monkeypatch.setattr(vector_lines, "MOST_LINE", 1000)
    assert "[vectors.line-without-end]" in problem_of(write(b"\x00\x01" * 5000))
    assert "[vectors.unreadable]" in problem_of(tmp_path)
    assert "[vectors.unreadable]" in problem_of(tmp_path / "none", cache=tmp_path / "cache")


def test_progress_is_told_in_lines(write, monkeypatch):
    monkeypatch.setattr(vector_lines, "SAY_EVERY", 2)
    told = []
    read_vectors(write("5 1\na 1\nb 2\nc 3\nd 4\ne 5\n"), [], None, place="", progress=told.append)
    assert told == [2, 4, 6]
