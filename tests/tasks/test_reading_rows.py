"""Rows of tab-separated files: what ends a line, what is text, and what a fault says."""

import random
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.draws import reseeded
from tests.found import told

from chatstill.errors import UserError
from chatstill.tasks import get_task, names, reading
from chatstill.tasks.reading import looks_gb18030, read_rows

PIECES = [
    *("a", "query", "\t", "\n", "\r\n", "\r", "0", "1", "-1", "2.5", '"', "\0", "\ufeff", "\u2028"),
    *(
        "\x85",
        "\x0b",
        "\x0c",
        "\x1c",
        "好",
        "😀",
        "１",
        " ",
        "index\tsentence\n",
        "sentence\tlabel\n",
    ),
    *("q\tr\t1\n", "q\tr\t0\tg\n", "index\tsentence1\tsentence2\tlabel\n", "entailment"),
]
BYTES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=25).map(lambda parts: "".join(parts).encode()),
    st.tuples(st.lists(st.sampled_from(PIECES), max_size=12), st.binary(max_size=3)).map(
        lambda pair: "".join(pair[0]).encode() + pair[1]
    ),
)


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "rows.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def fault(path):
    with pytest.raises(UserError) as caught:
        list(read_rows(path))
    return told(caught)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\tb\nc\td\n", [["a", "b"], ["c", "d"]]),
        ("a\tb\r\nc\td\r\n", [["a", "b"], ["c", "d"]]),
        ("a\tb\r\nc\td\n", [["a", "b"], ["c", "d"]]),
        ("a\tb\nc\td", [["a", "b"], ["c", "d"]]),
        ("\ufeffa\tb\n", [["a", "b"]]),
        ("\ufeff\ufeffa\n", [["\ufeffa"]]),
        ("a\n\ufeffb\n", [["a"], ["\ufeffb"]]),
        ("a\rb\tc\n", [["a\rb", "c"]]),
        ("a\r\r\n", [["a\r"]]),
        ("a\r", [["a\r"]]),
        ("a\u2028b\tc\u2029\n", [["a\u2028b", "c\u2029"]]),
        ("a\x0bb\x0cc\x85d\x1ce\x1df\x1e\tg\n", [["a\x0bb\x0cc\x85d\x1ce\x1df\x1e", "g"]]),
        ("a\0b\tc\n", [["a\0b", "c"]]),
        ('"a\t"b"\n', [['"a', '"b"']]),
        ("  a \t\u3000b\n", [["  a ", "\u3000b"]]),
        ("\t\n", [["", ""]]),
        ("全角\t😀👩‍👩‍👧\n", [["全角", "😀👩‍👩‍👧"]]),
        ("a\n\n\r\n\n", [["a"]]),
        ("", []),
        ("\ufeff", []),
        ("\n\n", []),
        ("x" * 2000 + "\t" + "好" * 2000 + "\n", [["x" * 2000, "好" * 2000]]),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_what_is_a_row(write, monkeypatch, content, expected, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    if block == 1 and len(content) > 100:
        pytest.skip("slow")
    rows = list(read_rows(write(content)))
    assert [fields for _, fields in rows] == expected
    assert [line for line, _ in rows] == list(range(1, len(rows) + 1))


@settings(max_examples=300, deadline=None)
@given(BYTES, st.sampled_from([1, 2, 7, 1 << 20]))
def test_any_bytes_give_what_a_plain_reader_gives(content, block):
    before = reading.BLOCK
    try:
        reading.BLOCK = block
        rows, message = [], None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            path.write_bytes(content)
            try:
                rows.extend(read_rows(path))
            except UserError as error:
                message = str(error)
    finally:
        reading.BLOCK = before
    expected, fault_line = plain_reader(content)
    if fault_line is None:
        assert message is None and rows == expected
    else:
        assert f"line {fault_line}" in message and rows == expected


def plain_reader(content):
    """Rows, and the line of the first fault, by the definition."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    pieces = content.split(b"\n")
    ended = [True] * (len(pieces) - 1) + [False]
    rows, empty = [], None
    for number, (piece, has_end) in enumerate(zip(pieces, ended, strict=True), 1):
        if has_end and piece.endswith(b"\r"):
            piece = piece[:-1]
        try:
            text = piece.decode("utf-8")
        except UnicodeDecodeError:
            return rows, number
        if not text:
            empty = empty or number
        elif empty:
            return rows, empty
        else:
            rows.append((number, text.split("\t")))
    return rows, None


def test_an_empty_line_between_rows_is_named(write):
    message = fault(write("a\tb\n\nc\td\n"))
    assert "rows.tsv: line 2: found an empty line between rows, expected a row" in message


@pytest.mark.parametrize("block", [2, 1 << 20])
def test_bytes_that_are_no_text_are_named_by_line_and_offset(write, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    good = "query\treply\t1\n好\tb\t0\n".encode()
    message = fault(write(good + b"ab\xff\xfecd\n"))
    assert f"line 3, byte offset {len(good) + 2}" in message
    assert "ff fe" in message and "iconv" in message


def test_the_byte_order_mark_counts_in_the_offset(write):
    assert "byte offset 5" in fault(write(b"\xef\xbb\xbfab\xff\n"))


def test_a_sequence_cut_off_by_the_end_of_the_file_is_a_fault(write):
    assert "line 2, byte offset 2" in fault(write(b"a\n\xe5\xa5"))


def test_rows_before_a_fault_come_first(write):
    rows = read_rows(write(b"a\tb\nc\td\n\xff\n"))
    assert [next(rows), next(rows)] == [(1, ["a", "b"]), (2, ["c", "d"])]
    with pytest.raises(UserError):
        next(rows)


@pytest.mark.parametrize(
    ("content", "word"),
    [("好\tb\n".encode("utf-16"), "UTF-16"), ("好\tb\n".encode("gb18030"), "GB18030")],
)
def test_other_encodings_come_with_a_way_out(write, content, word):
    assert word in fault(write(content))


def test_gb18030_is_named_where_the_bytes_are_chinese_in_it(write):
    """Not for bytes at random, nor for other encodings of texts in other scripts."""
    chinese = ["今天天气很好", "iPhone 很好用，推荐大家买\t1", "繁體字也可以", "㐀"]
    assert all(looks_gb18030(f"{line}\r\n".encode("gb18030")) for line in chinese)
    others = ["le résumé de l'été", "Grüße aus Köln", "ça va", "¡Qué año!"]
    assert not any(looks_gb18030(line.encode("latin-1")) for line in others)
    assert not looks_gb18030("русский текст".encode()[1:])
    draws = random.Random(reseeded(7))
    found = sum(looks_gb18030(draws.randbytes(40)) for _ in range(1000))
    assert found < 10
    assert "GB18030" not in fault(write(bytes(range(128, 256)) + b"\n"))


def test_a_gzip_file_is_recognised(write):
    import gzip

    assert "gzip" in fault(write(gzip.compress(b"a\tb\n")))


def test_a_file_that_is_not_there_or_a_folder(tmp_path):
    assert "[data.file-unreadable]" in fault(tmp_path / "nothing.tsv")
    assert "[data.file-unreadable]" in fault(tmp_path)


def test_a_line_without_end_does_not_fill_the_memory(write, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 64)
    monkeypatch.setattr(reading, "LONGEST_LINE", 1 << 10)
    assert "longer than" in fault(write("a\n" + "x" * 5000))
    assert len(list(read_rows(write("\n".join(["x" * 900] * 5))))) == 5


def test_long_fields_are_shortened_in_messages():
    shown = reading.show(["x" * 10_000, "\u2028\0", *"abcdefgh"])
    assert len(shown) < 200 and re.match(r"10 fields \('x+'\.\.\., '\\u2028\\x00', ", shown)


@settings(max_examples=300, deadline=None)
@given(BYTES, st.sampled_from(names()), st.sampled_from([True, False, None]))
def test_no_content_gives_anything_but_rows_or_a_user_error(content, name, labelled):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        task = get_task(name)
        try:
            examples = list(task.read(path, "train", labelled))
        except UserError as error:
            assert str(path) in str(error)
            return
    assert examples
    assert [example.id for example in examples] == [f"train-{n}" for n in range(len(examples))]
    for example in examples:
        assert "\n" not in example.text_a + (example.text_b or "")
        if labelled:
            assert example.label is not None
        if task.labels.names and example.label is not None:
            assert 0 <= example.label < len(task.labels.names)
        assert (example.group is not None) == task.ranking
