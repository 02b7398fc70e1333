"""A slip in the file's JSON is named with line and column, and with what to type instead."""

import codecs
import random
from pathlib import Path

import pytest

from chatstill.config.jsontext import JsonText, Unreadable
from chatstill.config.source import read_source
from chatstill.errors import UserError
from tests.draws import reseeded
from tests.found import codes, holds

from .conftest import EXAMPLE

SLIPS = {
    "trailing comma": (
        '{\n  "seed": 1,\n}',
        2,
        12,
        ("json.comma-before-the-end", "'}'"),
        "Delete it",
    ),
    "comma in a list": ('{"plugins": ["a.py",]}', 1, 20, "json.comma-before-the-end", ""),
    "full-width quotes": (
        "{\n “seed”: 1}",
        2,
        2,
        "full-width quote “",
        'the straight double quote "',
    ),
    "full-width colon": ('{"seed"：1}', 1, 8, "full-width '：'", "plain ':'"),
    "full-width comma": ('{"seed": 1，"fp16": true}', 1, 11, "full-width '，'", "plain ','"),
    "only the last quote": (
        '{\n"seed”: 1}',
        2,
        1,
        "json.full-width-quote-without-end",
        "type it again",
    ),
    "ends the value so": ('{"a": "chat”,\n "b": 1}', 1, 7, "json.full-width-quote-without-end", ""),
    "single quotes": ("{'seed': 1}", 1, 2, "single quote '", "straight double quote"),
    "hash comment": ('{\n# mine\n"seed": 1}', 2, 1, "json.hash-comment", "Write //"),
    "comment not closed": ('{/* a\nb "seed": 1}', 1, 2, "json.comment-without-end", "*/"),
    "slip after comments": (
        '{ // a "b\n/* 1,\n2 */ "seed": 1,\n}',
        3,
        15,
        ("json.comma-before-the-end", "'}'"),
        "Delete",
    ),
    "NaN": ('{"seed": NaN}', 1, 10, ("json.no-value", "NaN is"), "Write a number"),
    "Infinity": ('{"seed": -Infinity}', 1, 10, "json.no-value", ""),
    "True": ('{"fp16": True}', 1, 10, "json.other-languages-word", "Write true"),
    "None": ('{"fp16": None}', 1, 10, "json.other-languages-word", "Write null"),
    "no leading zero": ('{"a": .3}', 1, 7, ("json.number-otherwise-written", "3 is"), "Write 0.3"),
    "too large": ('{"a": 1e999}', 1, 7, "too large", ""),
    "no quotes": ('{"task_name": chat}', 1, 15, "json.text-without-quotes", '"chat"'),
    "key without quotes": ("{seed: 1}", 1, 2, "json.key-without-quotes", '"seed"'),
    "missing comma": (
        '{"a": 1\n "b": 2}',
        1,
        8,
        "a comma is missing after the value of 'a'",
        "Add ','",
    ),
    "missing colon": ('{"a" 1}', 1, 5, ("json.colon-expected", "'1'"), ""),
    "equals": ('{"a" = 1}', 1, 6, ("json.equals-sign", "'a'"), "':'"),
    "two commas": ('{"a": 1,, "b": 2}', 1, 9, "json.key-expected", "Two commas"),
    "semicolon": ('{"a": 1; "b": 2}', 1, 8, "a ',' or '}' was expected", ""),
    "duplicate": (
        '{"a": 1,\n "b": 2,\n "a": 3}',
        3,
        2,
        ("json.key-twice", "'a' stands"),
        "in line 1",
    ),
    "not closed": ('{"a": "x\n}', 1, 7, "json.text-not-closed", "same line"),
    "end of file": (
        '{\n"a": {"b": 1}',
        2,
        14,
        "json.ends-too-early",
        "The '{' of line 1 lacks its '}'",
    ),
    "cut in a list": (
        '{"a": [1, 2',
        1,
        12,
        "json.ends-too-early",
        "The '[' of line 1 lacks its ']'",
    ),
    "two values": ('{"a": 1}\n{"b": 2}', 2, 1, ("json.more-behind-the-end", "'{' after"), ""),
    "backslash": ('{"a": "C:\\data"}', 1, 7, "a single backslash", "Write paths with /"),
    "odd space": ('{\u3000"a": 1}', 1, 2, ("json.odd-space", "(U+3000)"), "plain space"),
    "half a character": ('{"a": "\\ud800"}', 1, 7, "json.impossible-character", ""),
    "null character": ('{"a": "x\\u0000"}', 1, 7, "json.impossible-character", ""),
    "too deep": ('{"a":' * 60, 1, 206, ("json.too-deep", "40 blocks"), ""),
    "windows lines": ('{\r\n  "seed": 1,\r\n}', 2, 12, "a comma before", ""),
}


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_named_where_it_stands(slip):
    text, line, column, message, hint = SLIPS[slip]
    reader = JsonText(text, "my.json")
    try:
        reader.read()
    except Unreadable:
        pass
    first = reader.problems[0]
    assert first.place == f"my.json: line {line}, column {column}"
    assert holds(first, message)
    assert hint in first.hint


def test_slips_of_plain_meaning_are_read_as_meant_and_all_named_at_once():
    text = "{\n'a'：“x”， # note\n \"b\": [True, .5,],\n c: None,\n}"
    reader = JsonText(text, "my.json")
    assert reader.read() == {"a": "x", "b": [True, 0.5], "c": None}
    assert [p.place.split(": ")[1].split(",")[0] for p in reader.problems] == [
        *["line 2"] * 5,
        *["line 3"] * 3,
        *["line 4"] * 3,
    ]


def test_syntax_and_values_come_in_one_report(world):
    report = world.report(text='{"model_type": "theseus", "seed": “x”, "task_name": "chat",}')
    assert "[json.odd-quotes]" in report
    assert "[json.comma-before-the-end]" in report
    assert holds(report, ("config.wrong-value", "'seed'"))
    assert "[method.block-missing]" in report and "'theseus_scheduler'" in report


def test_texts_may_hold_full_width_signs():
    text = '{"note": "他说：“好”，然后走了。", "data_dir": "数据"}'
    reader = JsonText(text, "my.json")
    assert reader.read() == {"note": "他说：“好”，然后走了。", "data_dir": "数据"}
    assert not reader.problems


def test_numbers_keep_their_kind():
    reader = JsonText("[1, -2, 0.5, 1e3, 1E-2, 0]", "x")
    values = reader.read()
    assert values == [1, -2, 0.5, 1000.0, 0.01, 0]
    assert [type(value) for value in values] == [int, int, float, float, float, int]


def test_a_file_typed_with_full_width_signs_throughout_does_not_fill_the_screen(world):
    text = "{" + "，".join(f"“key{n}”：{n}" for n in range(50)) + "}"
    problems = [p for p in world.problems(text=text) if "full-width" in p.message]
    assert len(problems) == 20
    assert holds(world.report(text=text), ("json.more-slips", "129"))


FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\n", "the file is empty"),
    "a list": (b"[1]", "the file holds a list; a configuration is a block of keys"),
    "a value": (b"3", "the file holds a single value"),
    "GBK": (
        '{"note": "教师"}'.encode("gbk"),
        "my.json: line 1: byte 0xbd at offset 10 is not UTF-8",
    ),
    "second line": (b'{\n"a": "\xff"}', "my.json: line 2: byte 0xff at offset 8 is not UTF-8"),
    "behind a mark": (
        codecs.BOM_UTF8 + b'{"a": "\xff"}',
        "my.json: line 1: byte 0xff at offset 10 is not UTF-8",
    ),
    "UTF-16": ("{}".encode("utf-16"), "the file is UTF-16"),
    "huge": (b"{" + b" " * 4_000_001, "larger than 4 MB"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_configuration(kind, world):
    data, message = FILES[kind]
    (world.folder / "my.json").write_bytes(data)
    source, problems, complete = read_source(Path("my.json"), [])
    assert not complete and not source.values
    assert len(problems) == 1 and message in str(problems[0])


def test_a_byte_order_mark_is_no_slip(world):
    (world.folder / "my.json").write_bytes(codecs.BOM_UTF8 + b'{"seed": 1}')
    source, problems, _ = read_source(Path("my.json"), [])
    assert source.values == {"seed": 1} and not problems


def test_a_missing_file_a_folder_and_an_odd_name(world):
    assert codes(read_source(Path("no.json"), [])[1]) == ["config.file-missing"]
    assert str(world.folder) in str(read_source(Path("no.json"), [])[1][0])
    assert codes(read_source(Path("data"), [])[1]) == ["config.file-is-a-folder"]
    assert codes(read_source(Path("x" * 300), [])[1]) == ["config.file-unreadable"]
    assert codes(read_source(Path("x\0"), [])[1]) == ["config.file-unreadable"]


def test_no_text_breaks_the_reader():
    """Cut and shuffled examples end in values or in problems with a place, never in a traceback."""
    draw = random.Random(reseeded(0))
    text = EXAMPLE.read_text(encoding="utf-8")
    for _ in range(300):
        start, length = draw.randrange(len(text)), draw.randrange(1, 9)
        broken = text[:start] + draw.choice(["", "“", ",", "}", "\\", '"', "\n", "{", "1e"])
        broken += text[start + length :]
        reader = JsonText(broken, "my.json")
        try:
            reader.read()
        except Unreadable:
            assert reader.problems
        except UserError:
            raise AssertionError(broken) from None


def test_comments_of_two_kinds_are_read_over_and_keep_lines_and_columns():
    text = '// first\n{ /* of\ntwo lines */ "seed": 7, // mine\n"x": "a // b /* c"} // last'
    reader = JsonText(text, "my.jsonc")
    assert reader.read() == {"seed": 7, "x": "a // b /* c"} and reader.problems == []
    assert reader.places[("seed",)].where == "my.jsonc: line 3, column 14"
    assert reader.places[("x",)].where == "my.jsonc: line 4, column 1"


def test_a_schema_for_editors_may_be_named(world):
    world.values["$schema"] = "./chatstill.schema.json"
    assert world.load().config.task_name == "chat"
