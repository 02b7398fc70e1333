"""Rows of a ``data`` block: formats, encodings, labels, malformed rows."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.found import codes, holds, refused, told

from chatstill.errors import UserError
from chatstill.tasks.cells import cell_text
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_check import check_block
from chatstill.tasks.tabular_keys import DataKeys

TEXT = {"text": "text", "label": "label", "labels": ["no", "yes"]}


def task_of(**keys):
    return TabularTask(DataKeys(**{**TEXT, **keys}))


def read(path, labelled=True, **keys):
    return list(task_of(**keys).read(path, "train", labelled))


def file(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def fault(path, **keys):
    with pytest.raises(UserError) as caught:
        read(path, **keys)
    assert len(caught.value.problems) == 1
    return told(caught)


def texts(rows):
    return [row.text_a for row in rows]


# -- formats ---------------------------------------------------------------------------------------


def test_csv_with_quotes_delimiters_and_line_ends_in_fields(tmp_path):
    path = file(tmp_path, "a.csv", 'text,label\r\n"a ""b"", c",yes\r\n"two\nlines",no\r\nlast,no')
    rows = read(path)
    assert texts(rows) == ['a "b", c', "two\nlines", "last"]
    assert [row.label for row in rows] == [1, 0, 0]
    assert [row.line for row in rows] == [2, 3, 5], "the line in which a row begins"
    assert [row.id for row in rows] == ["train-0", "train-1", "train-2"]


def test_a_text_file_of_rows_without_labels_needs_no_column_names(tmp_path):
    train = file(tmp_path, "train.csv", "text,label\na,yes\n")
    logs = file(tmp_path, "logs.txt", 'a log\n"another, one\n')
    task = task_of(train=str(train), unlabeled=str(logs))
    rows = task.read(train, "train", False)
    read_rows = list(rows)
    assert texts(read_rows) == ["a", "a log", '"another, one']
    assert [row.line for row in read_rows] == [2, 1, 2]
    assert codes(rows.warnings) == ["data.texts-alone"], "the order is said"
    assert check_block(task.keys, ["train"]) == []
    assert texts(list(task.read(logs, "test", False))) == ["a log", '"another, one'], (
        "for predict too"
    )
    with refused("data.column-missing", "label"):  # nothing is scored without labels
        list(task.read(logs, "test", True))


@pytest.mark.parametrize(
    ("name", "content", "pair", "why"),
    [
        (
            "logs.txt",
            "texts\na log\n",
            None,
            "'texts' was taken for a column",
        ),  # a slip in the name
        (
            "logs.txt",
            "a log\tanother\n",
            None,
            "has text in each line: its first line has 2 fields.",
        ),
        ("logs.txt", "a log\t\nb\t\n", None, "has 2 fields, the last one empty."),
        ("logs.csv", "a log\n", None, ""),
        ("logs.tsv", "a log\n", None, ""),
        (
            "logs.txt",
            "a log\n",
            "other",
            "has text TAB other in each line: its first line has 1 field.",
        ),
        ("logs.txt", "text\n", "other", ""),
    ],
)
def test_other_files_without_column_names_are_refused(tmp_path, name, content, pair, why):
    train = file(tmp_path, "train.csv", "text,other,label\na,b,yes\n")
    logs = file(tmp_path, name, content)
    task = task_of(train=str(train), unlabeled=str(logs), text_pair=pair)
    with refused("data.column-missing", name, why):
        list(task.read(train, "train", False))
    findings = check_block(task.keys, ["train"])
    assert {found.code for found in findings} == {"data.column-missing"}
    assert sum("irst line" in found.hint for found in findings) == bool(why), "once is enough"


def test_two_texts_a_line_are_read_in_the_order_of_the_block(tmp_path):
    train = file(tmp_path, "train.csv", "other,text,label\nb,a,yes\n")
    logs = file(tmp_path, "logs.txt", "q\tr\n")
    task = task_of(train=str(train), unlabeled=str(logs), text_pair="other")
    last = list(task.read(train, "train", False))[-1]
    assert (last.text_a, last.text_b) == ("q", "r")


def test_quotes_are_text_in_tsv(tmp_path):
    path = file(tmp_path, "a.tsv", 'text\tlabel\n"a\tyes\n')
    assert texts(read(path)) == ['"a']


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_lines_of_tsv_end_at_line_feeds_only(tmp_path, encoding):
    text = "text\tlabel\r\na\rb\u2028c\x0b\x85d\tyes\r\n\x00\tno\r\n"
    rows = read(file(tmp_path, "a.tsv", text.encode(encoding)), encoding=encoding)
    assert texts(rows) == ["a\rb\u2028c\x0b\x85d", "\x00"]


def test_where_no_row_can_be_read_the_first_fault_is_told_not_missing_labels(tmp_path):
    path = file(tmp_path, "a.tsv", "text\tlabel\na\n")
    task = TabularTask(DataKeys(text="text", label="label", train=str(path)))
    with pytest.raises(UserError, match=r"a.tsv: line 2: found 1 field \('a'\), expected 2 fields"):
        _ = task.labels


def test_another_delimiter(tmp_path):
    path = file(tmp_path, "a.csv", "text;label\na,b;yes\n")
    assert texts(read(path, delimiter=";")) == ["a,b"]


def test_json_lines(tmp_path):
    rows = [{"text": "a", "label": "yes", "more": [1]}, {"label": "no", "text": "b\u2028c"}]
    path = file(tmp_path, "a.json", "\n".join(json.dumps(r, ensure_ascii=False) for r in rows))
    assert texts(read(path)) == ["a", "b\u2028c"]


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({"text": ["a", "b"], "other": [1, 2], "label": [1, 0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    assert texts(rows) == ["a", "b"] and [row.label for row in rows] == [1, 0]
    assert "[data.parquet-unreadable]" in fault(file(tmp_path, "b.parquet", "text"))


def test_parquet_whose_texts_are_no_utf8(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts = pa.array([b"fine", b"\xf7here"], pa.binary()).view(pa.string())
    parquet.write_table(pa.table({"text": texts, "label": ["yes", "no"]}), tmp_path / "a.parquet")
    expected = ("data.parquet-unreadable", "a.parquet: after row 0", "'utf-8'")
    assert holds(fault(tmp_path / "a.parquet"), expected)


def test_a_file_without_header(tmp_path):
    path = file(tmp_path, "a.txt", "a\tyes\nb\tno\n")
    assert texts(read(path, columns=("text", "label"))) == ["a", "b"]
    bare = file(tmp_path, "b.txt", "a\nb\n")
    rows = read(bare, labelled=False, columns=("text", "label"))
    assert texts(rows) == ["a", "b"] and rows[0].label is None


def test_a_pattern_that_takes_in_augmented_rows_is_refused(tmp_path):
    for name in ("a.csv", "a_aug.csv", "b.csv"):
        file(tmp_path, name, "text,label\nfine,yes\nbad,no\n")
    path = tmp_path / "*.csv"
    assert len(read(path)) == 6, "a name alone says nothing"
    file(tmp_path, "a_aug.json", '{"format": "chatstill augmentation 1"}')
    with refused("data.pattern-of-augmented", "a_aug.csv"):
        read(path)
    assert len(read(tmp_path / "a_aug.csv")) == 2, "named by itself it is read"


def test_several_files_by_pattern(tmp_path):
    for name in ("b", "a"):
        file(tmp_path, f"{name}.csv", f"text,label\n{name},yes\n")
    path = tmp_path / "*.csv"
    task = task_of(train=str(path))
    assert texts(task.read(path, "train")) == ["a", "b"]
    assert [Path(row.file).name for row in task.read(path, "train")] == ["a.csv", "b.csv"]
    assert [row.file for row in task_of(train="a").read(tmp_path / "a.csv", "train")] == [""]
    assert task.find("train", Path()) == path
    assert [part.name for part in task.parts(path, "train")] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig", "utf-16", "big5"])
def test_encodings(tmp_path, encoding):
    path = file(tmp_path, "a.csv", "text,label\n你好,yes\n".encode(encoding))
    assert texts(read(path, encoding=encoding)) == ["你好"]


@pytest.mark.parametrize(
    ("written", "read_as", "hint"),
    [
        ("gb18030", "utf-8", 'Set "encoding": "gb18030".'),
        ("gb18030", "ascii", 'Set "encoding": "gb18030".'),
    ],
)
def test_the_wrong_encoding_leads_to_the_right_one(tmp_path, written, read_as, hint):
    path = file(tmp_path, "a.csv", "text,label\n词汇阅读是关键,yes\n".encode(written))
    with pytest.raises(UserError) as error:
        read(path, encoding=read_as)
    (problem,) = error.value.problems
    assert f"bytes that are no {read_as} text" in problem.message and problem.hint == hint
    path = file(tmp_path, "b.csv", b"text,label\ncaf\xe9 noir,yes\n")
    with pytest.raises(UserError) as error:
        read(path, encoding=read_as)
    assert "gb18030" not in error.value.problems[0].hint


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "latin-1", "cp1252", "shift_jis"])
@pytest.mark.parametrize(
    "content", ["text,label\n这家店很好，还会再来,yes\n", "text,标签名称\na,yes\n"]
)
def test_utf8_under_another_encoding_is_told_with_both_readings(tmp_path, encoding, content):
    path = file(tmp_path, "a.csv", content)
    with pytest.raises(UserError) as error:
        read(path, encoding=encoding)
    (problem,) = error.value.problems
    line = content.split("\n")[problem.place.endswith("line 2")]
    assert f"{line!r}" in problem.message and '"encoding": "' in problem.message
    names = file(tmp_path, "names.txt", "不好\n很好\n")
    with refused("data.encoding-contradicted"):
        _ = task_of(labels=str(names), encoding=encoding).labels


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "词汇阅读是关键的一步"),
        ("big5", "這家店很好"),
        ("latin-1", "déjà vu à côté"),
        ("gbk", "a"),
    ],
)
def test_text_of_the_encoding_that_is_named_is_read(tmp_path, encoding, text):
    path = file(tmp_path, "a.csv", f"text,label\n{text},yes\n".encode(encoding))
    assert texts(read(path, encoding=encoding)) == [text]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "b.csv"])
def test_a_header_between_rows_is_named_and_no_class(tmp_path, name):
    rows = [("text", "label"), ("x", "good"), ("Text", " label"), ("y", "bad")]
    if name.endswith("jsonl"):
        content = "\n".join(json.dumps({"text": a, "label": b}) for a, b in rows[1:])
    else:
        content = "\n".join(("\t" if "tsv" in name else ",").join(row) for row in rows)
    keys = {"columns": ["text", "label"]} if name == "b.csv" else {}
    path = file(tmp_path, name, content + "\n")
    keys |= {"labels": None, "train": str(path)}
    assert task_of(**keys).labels.names == ("bad", "good")
    with pytest.raises(UserError) as error:
        read(path, **keys)
    line = {"a.jsonl": 2, "b.csv": 1}.get(name, 3)
    assert error.value.problems[0].place == f"{path}: line {line}"
    assert "the header line again" in error.value.problems[0].message
    assert texts(read(path, **keys, on_bad_row="skip")) == ["x", "y"]


def test_a_class_may_be_called_like_its_column(tmp_path):
    path = file(tmp_path, "a.csv", "text,spam\nx,spam\ny,ham\n")
    assert texts(read(path, label="spam", labels=None, train=str(path))) == ["x", "y"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = file(tmp_path, "a.csv", b"\xef\xbb\xbftext,label\na,yes\n")
    assert texts(read(path)) == ["a"]


# -- texts and groups ------------------------------------------------------------------------------


def test_turns_oldest_first_without_the_empty_ones(tmp_path):
    path = file(tmp_path, "a.tsv", "t1\tt2\tt3\treply\tlabel\na\t\tb\tc\tyes\n\t\t\td\tno\n")
    rows = read(path, text=("t1", "t2", "t3"), text_pair="reply")
    assert [(row.context, row.text_a, row.text_b) for row in rows] == [
        (("a",), "b", "c"),
        ((), "", "d"),
    ]


def test_a_list_of_turns_in_one_column(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"text": ["a", "b", "c"], "label": "yes"}\n')
    (row,) = read(path)
    assert (row.context, row.text_a) == (("a", "b"), "c")


def test_numbers_as_texts(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"text": 12, "label": "yes"}\n{"text": 2.5, "label": "no"}\n')
    assert texts(read(path)) == ["12", "2.5"]


def test_groups(tmp_path):
    path = file(tmp_path, "a.csv", "id,text,label\n7,a,yes\n7,b,no\n")
    assert [row.group for row in read(path, group="id")] == ["7", "7"]


# -- labels ----------------------------------------------------------------------------------------


def test_labels_may_be_indices_of_the_names(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,1\nb,yes\n")
    assert [row.label for row in read(path)] == [1, 1]


def test_an_index_stands_only_for_names_that_someone_listed(tmp_path):
    """Names found in rows stand in alphabetical order, which no file counts by."""
    train = file(tmp_path, "train.csv", "text,label\na,pear\nb,apple\n")
    dev = file(tmp_path, "dev.csv", "text,label\na,0\n")
    task = TabularTask(DataKeys(text="text", label="label", train=str(train), dev=str(dev)))
    with pytest.raises(UserError, match="found the label '0', expected one of: apple, pear"):
        list(task.read(dev, "dev"))


NUMBERS = ["0.0", "1.0", "2.0", "10.0", "11."]


@pytest.mark.parametrize(
    "written", [NUMBERS, ["0", "1", "2", "10", "11"], ["0", "1.0", "2", "10.0", "11"]]
)
def test_whole_numbers_with_a_point_are_the_numbers(tmp_path, written):
    """pandas writes ``1.0`` where a column has gaps: ``1`` of another file was the second name then."""
    train = file(tmp_path, "train.csv", "text,label\n" + "".join(f"a,{n}\n" for n in NUMBERS))
    dev = file(tmp_path, "dev.csv", "text,label\n" + "".join(f"a,{n}\n" for n in written))
    task = TabularTask(DataKeys(text="text", label="label", train=str(train), dev=str(dev)))
    assert task.labels.names == ("0", "1", "2", "10", "11")
    assert [row.label for row in task.read(dev, "dev")] == [0, 1, 2, 3, 4]
    listed = TabularTask(
        DataKeys(text="text", label="label", train=str(dev), labels=tuple(NUMBERS))
    )
    assert [row.label for row in listed.read(dev, "train")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("cell", "text"), [("1", "1"), ("2.00", "2"), ("0.50", "0.5")])
def test_decimals_are_numbers(cell, text):
    assert cell_text(Decimal(cell)) == text


def test_numbers_that_are_not_whole_stand_by_their_value(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,10.5\nb,2.0\nc,9.5\n")
    task = TabularTask(DataKeys(text="text", label="label", train=str(path)))
    assert task.labels.names == ("2.0", "9.5", "10.5")


def of_network(tmp_path, names, **keys):
    """A task whose training file is not there."""
    blocks = {"text": "text", "label": "label", "train": str(tmp_path / "gone.csv"), **keys}
    return TabularTask(DataKeys(**blocks)).with_names(names)


@pytest.mark.parametrize("keys", [{"encoding": "gb18030"}, {"delimiter": ";"}])
def test_keys_of_the_file_that_is_scored_need_not_fit_the_training_rows(tmp_path, keys):
    rows = file(tmp_path, "train.csv", "text,label\n好的，没问题,food\n再见，谢谢你,noise\n")
    there = {"train": str(rows), **keys}
    assert of_network(tmp_path, ("noise", "food"), **there).labels.names == ("food", "noise")
    with pytest.raises(UserError):
        _ = of_network(tmp_path, (), **there).labels


def test_where_no_rows_tell_the_classes_a_networks_stand_in_the_order_of_rows(tmp_path):
    """A student of a teacher with its outputs in another order has that order."""
    assert of_network(tmp_path, ("noise", "food")).labels.names == ("food", "noise")
    assert of_network(tmp_path, ("10", "9")).labels.names == ("9", "10")
    assert of_network(tmp_path, ("LABEL_0", "LABEL_1")).labels.names == ("0", "1")


def test_labels_with_a_column_each_stand_in_the_order_of_the_columns(tmp_path):
    """By a network's own order the cells of one label were counted for another one."""
    task = of_network(
        tmp_path,
        ("noise", "service", "food"),
        label=("service", "food", "noise"),
        kind="multi_label",
    )
    assert task.labels.names == ("service", "food", "noise")


def test_a_regression_has_no_classes_whatever_its_network_is_called(tmp_path):
    assert of_network(tmp_path, ("LABEL_0",), kind="regression").labels.kind == "regression"


def test_the_name_of_one_logit_is_no_list_of_classes(tmp_path):
    with refused("data.no-classes-found"):
        _ = of_network(tmp_path, ("pear",)).labels
    assert of_network(tmp_path, ("apple", "pear")).labels.names == ("apple", "pear")


def test_two_labels_in_any_number_may_stand_in_groups(tmp_path):
    """Either key was refused: one as missing, the other as without effect."""
    path = file(tmp_path, "a.csv", 'text,g,label\na,1,news\nb,1,"news,sports"\n')
    keys = DataKeys(text="text", label="label", group="g", kind="multi_label", train=str(path))
    assert TabularTask(keys).labels.names == ("news", "sports")


def test_names_that_are_numbers_are_names(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,1\nb,2\n")
    assert [row.label for row in read(path, labels=(1, 2))] == [0, 1]


def test_names_are_found_in_the_training_rows(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,10\nb,9\nc,10\n")
    assert task_of(train=str(path), labels=None).labels.names == ("9", "10")
    path = file(tmp_path, "b.csv", "text,label\na,zoo\nb,art\n")
    assert task_of(train=str(path), labels=None).labels.names == ("art", "zoo")
    file(tmp_path, "b.csv", "text,label\na,zoo\nb,art\nc,bar\n")
    assert task_of(train=str(path), labels=None).labels.names == ("art", "bar", "zoo")


def test_names_in_a_file(tmp_path):
    names = file(tmp_path, "names.txt", "no\n\nyes\n")
    assert task_of(labels=str(names)).labels.names == ("no", "yes")


@pytest.mark.parametrize(
    ("cell", "label"), [('"a,b"', (0, 1)), ("b", (1,)), ("", ()), ('"b, "', (1,))]
)
def test_sets_of_labels(tmp_path, cell, label):
    path = file(tmp_path, "a.csv", f"text,label\nx,{cell}\n")
    (row,) = read(path, kind="multi_label", labels=("a", "b"))
    assert row.label == label


@pytest.mark.parametrize(
    ("cell", "label"),
    [("体育，财经", (0, 1)), ("财经， 体育", (0, 1)), ("衣，食", (2,)), ('"衣，食,体育"', (0, 2))],
)
def test_commas_of_either_width_part_labels_but_names_stay_whole(tmp_path, cell, label):
    path = file(tmp_path, "a.csv", f"text,label\nx,{cell}\n")
    (row,) = read(path, kind="multi_label", labels=("体育", "财经", "衣，食"))
    assert row.label == label
    alone = file(tmp_path, "b.csv", "text,label\nx,体育，财经\ny,体育\n")
    task = task_of(train=str(alone), kind="multi_label", labels=None)
    assert set(task.labels.names) == {"体育", "财经"}


def test_sets_of_labels_as_lists(tmp_path):
    lines = ['{"text": "x", "label": ["b", "a"]}', '{"text": "y", "label": []}', '{"text": "z"}']
    path = file(tmp_path, "a.jsonl", "\n".join(lines))
    rows = read(path, labelled=False, kind="multi_label", labels=("a", "b"))
    assert [row.label for row in rows] == [(0, 1), (), None]


VECTORS = {"a": "[0, 1, 0]", "b": "[1, 0, 1]", "c": "[0, 0, 0]"}


@pytest.mark.parametrize("form", ["json", "floats", "text", "commas", "booleans"])
def test_vectors_of_0_and_1_are_read_place_by_place(tmp_path, form):
    names = ("service", "food", "noise")
    lines = []
    for text, cell in VECTORS.items():
        value = json.loads(cell)
        if form == "floats":
            value = [float(v) for v in value]
        if form == "booleans":
            value = [bool(v) for v in value]
        if form == "text":
            value = cell
        if form == "commas":
            value = cell.strip("[]")
        lines.append(json.dumps({"text": text, "label": value}))
    path = file(tmp_path, "a.jsonl", "\n".join(lines))
    keys = {"kind": "multi_label", "train": str(path)}
    assert [row.label for row in read(path, labels=names, **keys)] == [(1,), (0, 2), ()]
    with refused("data.vectors-need-labels", "3 places"):
        _ = task_of(labels=None, **keys).labels
    with refused("data.labels-unlike-vectors", "2 labels", "3"):
        read(path, labels=("x", "y"), **keys)


def test_two_labels_as_vectors(tmp_path):
    lines = [json.dumps({"text": "x", "label": cell}) for cell in ([0, 1], [1, 1], [0, 0])]
    path = file(tmp_path, "a.jsonl", "\n".join(lines))
    keys = {"kind": "multi_label", "train": str(path), "labels": ("a", "b")}
    assert [row.label for row in read(path, **keys)] == [(1,), (0, 1), ()]


def test_the_form_of_the_cells_is_told_by_whatever_split_is_there(tmp_path):
    """A network is scored on test rows where no training rows are: [0, 1] is the second label, not both."""
    path = file(
        tmp_path, "t.jsonl", '{"text": "x", "label": [0, 1]}\n{"text": "y", "label": [1, 0]}'
    )
    keys = {"kind": "multi_label", "labels": ("a", "b")}
    for split in ("train", "dev", "test"):
        task = task_of(**keys, **{split: str(path)})
        assert [row.label for row in task.read(path, split, True)] == [(1,), (0,)], split


def test_rows_without_a_label_do_not_change_the_form_of_the_others(tmp_path):
    cells = ('"label": [0, 1]', '"label": null', '"label": ""', '"other": 1', '"label": [1, 0]')
    lines = [f'{{"text": "x", {cell}}}' for cell in cells]
    path = file(tmp_path, "a.jsonl", "\n".join(lines))
    keys = {"kind": "multi_label", "train": str(path), "labels": ("a", "b")}
    assert [row.label for row in read(path, labelled=False, **keys)] == [
        (1,),
        None,
        None,
        None,
        (0,),
    ]


def test_lists_of_numbers_of_labels_stay_what_they_are(tmp_path):
    lines = [json.dumps({"text": "x", "label": cell}) for cell in ([0, 1], [2], [])]
    path = file(tmp_path, "a.jsonl", "\n".join(lines))
    keys = {"kind": "multi_label", "train": str(path), "labels": ("a", "b", "c")}
    assert [row.label for row in read(path, **keys)] == [(0, 1), (2,), ()]
    mixed = file(tmp_path, "b.jsonl", path.read_text() + '\n{"text": "y", "label": [0, 1, 0]}')
    assert "the label '0' twice" in fault(mixed, **keys | {"train": str(mixed)})


@pytest.mark.parametrize("cell", [["good"], '["good"]', "good"])
def test_a_class_in_a_list_of_one_is_the_class(tmp_path, cell):
    path = file(tmp_path, "a.jsonl", json.dumps({"text": "x", "label": cell}))
    (row,) = read(path, labels=("bad", "good"))
    assert row.label == 1
    both = file(tmp_path, "b.jsonl", path.read_text() + '\n{"text": "y", "label": ["bad"]}')
    assert task_of(train=str(both), labels=None).labels.names == ("bad", "good")


def test_a_list_of_several_classes_is_told_with_the_kind_that_reads_it(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"text": "x", "label": ["good", "bad"]}')
    assert "a list of 2 labels" in fault(path) and '"kind": "multi_label"' in fault(path)
    with refused("data.no-label-there", "2") as error:
        _ = task_of(train=str(path), labels=None).labels
    assert "multi_label" in error.value.problems[0].hint


def test_columns_of_0_and_1_one_a_label(tmp_path):
    content = "text,service,food\nx,0,1\ny,1.0,true\nz,0,0\n"
    path = file(tmp_path, "a.csv", content)
    keys = {"kind": "multi_label", "label": ["service", "food"], "labels": None}
    task = task_of(**keys)
    assert task.labels.names == ("service", "food")
    assert [row.label for row in read(path, **keys)] == [(1,), (0, 1), ()]
    assert [row.label for row in read(path, **keys | {"labels": ["S", "F"]})] == [(1,), (0, 1), ()]
    bad = file(tmp_path, "b.csv", content + "w,2,0\n")
    assert "found '2' for the label 'service', expected 0 or 1" in fault(bad, **keys)
    without = file(tmp_path, "c.csv", "text\nx\n")
    assert [row.label for row in read(without, labelled=False, **keys)] == [None]


def test_numbers_as_labels(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,1.5\nb,-2e-1\n")
    assert [row.label for row in read(path, kind="regression")] == [1.5, -0.2]
    path = file(tmp_path, "b.csv", "text,label\na,nan\n")
    assert "found the label 'nan', expected a number" in fault(path, kind="regression")


def test_rows_without_labels(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,\nb,yes\n")
    assert [row.label for row in read(path, labelled=False)] == [None, 1]
    assert "line 2: found no label, expected one of: no, yes" in fault(path)
    bare = file(tmp_path, "b.csv", "text\na\n")
    assert texts(read(bare, labelled=False)) == ["a"]
    assert holds(fault(bare), ("data.column-missing", "'label' (label)"))


def test_other_rows_than_those_of_the_splits_may_lack_the_column_of_ids(tmp_path):
    train = file(tmp_path, "train.csv", "nr,text,label\n7,a,yes\n8,b,no\n")
    more = file(tmp_path, "more.csv", "text\nc\n")
    keys = {"train": str(train), "unlabeled": str(more), "id": "nr"}
    task = task_of(**keys)
    assert [row.name for row in task.read(train, "train", False)] == ["7", "8", None]
    assert [row.name for row in task.read(more, "test")] == [None], "a file of `predict`"
    assert check_block(task.keys, ["train"]) == []
    without = file(tmp_path, "train.csv", "text,label\na,yes\nb,no\n")
    assert "'nr' (id)" in fault(without, **keys)
    (finding,) = check_block(task.keys, ["train"])
    assert finding.key == "id" and not finding.warning
    file(tmp_path, "more.csv", "txt\nc\n")
    assert [found.key for found in check_block(task.keys, ["train"])] == ["id", "text"]


# -- malformed rows --------------------------------------------------------------------------------

BAD = {
    "fields": ("a.csv", "text,label\na,yes\nb\n", "line 3: found 1 field ('b'), expected 2 fields"),
    "label": (
        "a.csv",
        "text,label\na,yse\n",
        "line 2: found the label 'yse', expected one of: no, yes",
    ),
    "quote": (
        "a.csv",
        'text,label\n"a,yes\nb,no\n',
        'line 2: found a quote " that is never closed',
    ),
    "behind": ("a.csv", 'text,label\n"a"b,yes\n', 'line 2: found text behind a closing quote "'),
    "mac": ("a.csv", "text,label\na,yes\rb,no\r", "line 2: found a carriage return (CR) without"),
    "empty": ("a.csv", "text,label\n\na,yes\n", "line 2: found an empty line"),
    "bytes": (
        "a.csv",
        b"text,label\na,yes\n\xff\xfe,no\n",
        "line 3: found bytes that are no utf-8 text (ff fe 2c 6e, offset 17)",
    ),
    "json": ("a.jsonl", '{"text": "a", "label": "yes"}\n{"text" "b"}\n', "line 2: found"),
    "null": (
        "a.jsonl",
        '{"text": null, "label": "yes"}\n',
        "line 1: found no value in column 'text'",
    ),
    "object": ("a.jsonl", '{"text": {}, "label": "yes"}\n', "found a dict in column 'text'"),
    "half": ("a.jsonl", '{"text": "\\ud800", "label": "yes"}\n', "line 1: found half of a sign"),
    "list": ("a.json", '[{"text": "a"}]', "line 1: found a list"),
    "header": ("a.csv", "a,b\nx,y\n", "there is no column 'text' (text)"),
    "nothing": ("a.csv", "", "the file holds no rows"),
    "only header": ("a.csv", "text,label\n", "holds no rows"),
    "format": ("a.xls", "x", "the ending .xls tells no format"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_file_stops_with_its_place(tmp_path, name):
    ending, content, expected = BAD[name]
    path = file(tmp_path, ending, content)
    with pytest.raises(UserError) as caught:
        read(path)
    text = str(caught.value)
    assert expected in text and str(path) in text


def test_the_near_label_is_named(tmp_path):
    assert " 'yes'?" in fault(file(tmp_path, "a.csv", "text,label\na,yse\n"))


def test_skipping_lists_each_bad_row_and_keeps_the_others(tmp_path):
    lines = [b"text,label", b"a,yes", b"b", b"c,nope", b"\xff,no", b'"d,no', b'",x"', b"e,no"]
    path = file(tmp_path, "a.csv", b"\n".join(lines) + b"\n")
    rows = task_of(on_bad_row="skip").read(path, "train")
    assert texts(rows) == ["a", "e"]
    places = [line.split(": found ")[0] for line in rows.bad]
    assert places == [f"{path}: line {n}" for n in (3, 4, 5, 6)]
    (warning,) = rows.warnings
    assert holds(warning, ("data.rows-left-out", "4 of 6"))
    assert rows.label_values == {"yes": 1, "no": 1}


def test_skipping_everything_is_an_error(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,nope\n")
    with refused("data.no-rows", "1 rows"):
        list(task_of(on_bad_row="skip").read(path, "train"))


@pytest.mark.parametrize("nothing", ["", " ", "\u3000"])
def test_empty_texts_are_noticed(tmp_path, nothing):
    rows = task_of().read(file(tmp_path, "a.csv", f"text,label\n{nothing},yes\nb,no\n"), "train")
    assert len(list(rows)) == 2
    assert rows.warnings[0].code == "data.empty-text" and "1 rows" in rows.warnings[0].message
