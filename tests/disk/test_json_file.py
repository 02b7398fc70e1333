"""The reader of JSON: what passes can be walked, computed with, and written as JSON again."""

import json

import pytest

from chatstill.disk.json_file import JsonFault, known_object, parse_json, read_json, read_object

DEEP = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize(
    ("text", "fault"),
    {
        "deeper than Python reads": (DEEP, "more than 100 lists and objects inside each other"),
        "deeper than anyone writes": ("[" * 101 + "]" * 101, "more than 100 lists and objects"),
        "nan": ('{"a": {"b": [0, NaN]}}', "the number 'a.b.1', which is NaN"),
        "infinity": ('{"a": -Infinity}', "'a', which is infinite"),
        "overflow": ('{"scale": 1e999}', "'scale', which is infinite"),
        "overflow alone": ("1e999", "'itself', which is infinite"),
        "endless digits": ('{"a": ' + "9" * 400 + "}", "a number of 400 digits"),
        "more digits than Python takes": ("9" * 5000, "a number of 5,000 digits"),
        "cut short": ('{"a": ', "is not JSON (line 1, column 7"),
        "empty": ("", "is not JSON (line 1, column 1"),
        "no utf-8": (b'{"a": "\xff"}', "is not UTF-8 (offset 7)"),
    }.values(),
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_json_is_said(text, fault):
    with pytest.raises(JsonFault) as error:
        parse_json(text)
    assert fault in str(error.value)


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, "NaN", "Infinity"]}, [], "e", 1e-12, -1, 10**30, [[["x"]] * 200]],
    ids=str,
)
def test_json_is_read_as_python_reads_it(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(b"\xef\xbb\xbf" + json.dumps(value).encode()) == value


def test_records_that_were_logged_may_hold_nan():
    assert parse_json('{"loss": NaN}', finite=False)["loss"] != 0


def test_files_have_a_largest_size_and_the_shape_of_an_object(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("[1, 2, 3]", encoding="utf-8")
    assert read_json(file) == [1, 2, 3]
    with pytest.raises(JsonFault, match="holds a JSON list, no object"):
        read_object(file)
    with pytest.raises(JsonFault, match="is larger than"):
        read_json(file, most=8)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent.json")
    assert known_object(file) == known_object(tmp_path / "absent.json") == {}
    file.write_text('{"a": 1}', encoding="utf-8")
    assert known_object(file) == {"a": 1}
