"""GLUE: original files, label words, headers, and the official metrics."""

import copy
from pathlib import Path

import numpy as np
import pytest
from tests.found import refused

from chatstill.errors import UserError
from chatstill.tasks import get_task, locate
from chatstill.tasks.glue import TABLE

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "glue"
STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
HEAD = "0\tg\tf\t2012\t1\tnone\tnone"


@pytest.fixture
def read(tmp_path):
    def read(name, content, split="dev", labelled=None):
        path = tmp_path / f"{split}.tsv"
        path.write_bytes(content.encode("utf-8"))
        rows = get_task(name).read(path, split, labelled)
        return [(e.line, e.text_a, e.text_b, e.label) for e in rows]

    return read


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("sst2", "sentence\tlabel\na b \t1\nc\t0\n", [(2, "a b ", None, 1), (3, "c", None, 0)]),
        ("cola", "gj04\t1\t\tA.\r\nclc\t0\t*\tB.", [(1, "A.", None, 1), (2, "B.", None, 0)]),
        (
            "mrpc",
            '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\tHe said "a.\t"b\n',
            [(2, 'He said "a.', '"b', 1)],
        ),
        (
            "rte",
            "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n7\tc\td\tentailment\n",
            [(2, "a", "b", 1), (3, "c", "d", 0)],
        ),
        (
            "stsb",
            f"{STSB}\tscore\n{HEAD}\ta\tb\t3.800\n{HEAD}\tc\td\t0\n",
            [(2, "a", "b", 3.8), (3, "c", "d", 0.0)],
        ),
    ],
)
def test_files_with_labels(read, name, content, expected):
    assert read(name, content) == expected
    assert read(name, content, split="test") == expected


def test_skipping_lists_each_bad_row_and_keeps_the_others(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_bytes(b"sentence\tlabel\na\t1\nb\nc\tgood\n\xff\t1\n\nd\t0\n")
    task = copy.copy(get_task("sst2"))
    task.on_bad_row = "skip"
    rows = task.read(path, "train")
    assert [(e.id, e.line, e.text_a) for e in rows] == [("train-0", 2, "a"), ("train-1", 7, "d")]
    assert len(rows.bad) == 4 and "4 of 6 rows are malformed" in rows.warnings[-1].message
    path.write_text("text\tlabel\na\t1\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 1"):  # the header decides how all rows are read
        list(task.read(path, "train"))


def test_both_sections_of_mnli_list_their_bad_rows(tmp_path):
    header = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse"
    header += "\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
    for name in ("matched", "mismatched"):
        rows = ["0\t" + "x\t" * 7 + "a\tb\tneutral\tneutral\n", "0\tshort\n"]
        text = header + "".join(rows)
        (tmp_path / f"dev_{name}.tsv").write_text(text, encoding="utf-8")
    task = copy.copy(get_task("mnli"))
    task.on_bad_row = "skip"
    found = task.read(tmp_path / "dev_matched.tsv", "dev")
    assert len(list(found)) == 2
    assert [line.split(": found")[0] for line in found.bad] == [
        f"{tmp_path / f'dev_{name}.tsv'}: line 3" for name in ("matched", "mismatched")
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("sst2", "index\tsentence\n0\ta\n", (2, "a", None, None)),
        ("cola", "index\tsentence\n0\ta\n", (2, "a", None, None)),
        (
            "mrpc",
            "\ufeffindex\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\ta\tb\n",
            (2, "a", "b", None),
        ),
        ("rte", "index\tsentence1\tsentence2\n0\ta\tb\n", (2, "a", "b", None)),
        ("stsb", f"{STSB}\n{HEAD}\ta\tb\n", (2, "a", "b", None)),
        ("sst2", "a\n", (1, "a", None, None)),
        ("rte", "a\tb\n", (1, "a", "b", None)),
        ("rte", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t-1\n", (2, "a", "b", None)),
        ("stsb", f"{STSB}\tscore\n{HEAD}\ta\tb\t\n", (2, "a", "b", None)),
    ],
)
def test_files_without_labels(read, name, content, expected):
    assert read(name, content, split="test") == [expected]
    assert read(name, content, labelled=False) == [expected]
    with pytest.raises(UserError):
        read(name, content, split="dev")


@pytest.mark.parametrize(
    ("name", "content", "line", "found"),
    [
        ("sst2", "nice film\t1\nbad\t0\n", 1, "2 fields ('nice film', '1')"),
        ("sst2", "index\tsentence\n0\ta\n", 1, "the header of a file without labels"),
        ("sst2", "sentence\tlabel\na\t2\n", 2, "the label '2', expected 0 or 1"),
        ("sst2", "sentence\tlabel\na\n", 2, "1 field ('a'), expected 2 fields (sentence, label)"),
        ("sst2", "sentence\tlabel\na\t1\n\nb\t0\n", 3, "an empty line"),
        ("rte", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", 2, "the label '1'"),
        ("cola", "a\tb\n", 1, "2 fields ('a', 'b'), expected CoLA: rows without header"),
        ("cola", "gj04\tx\t\tA.\n", 1, "the label 'x'"),
        (
            "stsb",
            f"{STSB}\tscore\n{HEAD}\ta\tb\t5.1\n",
            2,
            "the score '5.1', expected a number from 0",
        ),
        ("stsb", f"{STSB}\tscore\n{HEAD}\ta\tb\tnan\n", 2, "the score 'nan'"),
        ("stsb", f"{STSB}\tscore\n{HEAD}\ta\tb\t1_0\n", 2, "the score '1_0'"),
        ("stsb", f"{STSB}\tscore\n{HEAD}\ta\tb\t-0.1\n", 2, "the score '-0.1'"),
        ("stsb", f"{STSB}\tscore\n{HEAD}\ta\tb\t1e999\n", 2, "the score '1e999'"),
    ],
)
def test_malformed_rows(read, name, content, line, found):
    with pytest.raises(UserError) as caught:
        read(name, content, split="train")
    assert f"train.tsv: line {line}: found {found}" in str(caught.value)


def test_a_header_alone_is_no_data(read):
    with pytest.raises(UserError, match="no rows"):
        read("sst2", "sentence\tlabel\n")


@pytest.mark.parametrize("folder", ["SST-2", "sst2", "sst_2", "Sst-2", "."])
def test_folders_in_any_spelling(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "dev.tsv"
    path.touch()
    task = get_task("sst2")
    assert task.find("dev", tmp_path).samefile(path)
    assert task.find("test", tmp_path) is None
    with refused("data.no-file-of-the-split", "sst2"):
        locate(task, "train", tmp_path)


def test_the_official_spelling_goes_first(tmp_path):
    for folder in ("R-TE", "RTE", "rte", "R_te"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "dev.tsv").touch()
    assert get_task("rte").find("dev", tmp_path).parent.name == "RTE"


def test_metric_keys_and_main_metrics():
    keys = {row.name: (row.metrics, row.main_metric) for row in TABLE}
    assert keys == {
        "sst2": (("acc",), "acc"),
        "mrpc": (("acc", "f1", "acc_and_f1"), "acc_and_f1"),
        "rte": (("acc",), "acc"),
        "cola": (("mcc",), "mcc"),
        "stsb": (("pearson", "spearmanr", "corr"), "corr"),
        "qqp": (("acc", "f1", "acc_and_f1"), "acc_and_f1"),
        "qnli": (("acc",), "acc"),
        "wnli": (("acc",), "acc"),
        "ax": (("mcc",), "mcc"),
    }


TWO_CLASSES_OR_SCORE = [row for row in TABLE if row.name != "ax"]


@pytest.mark.parametrize("row", TWO_CLASSES_OR_SCORE, ids=lambda row: row.name)
def test_metrics_by_hand(row):
    task = get_task(row.name)
    labels = np.array([1.0, 1, 0, 0])
    if row.words:
        scores = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float32)
        expected = {"acc": 3 / 4, "f1": 2 / 3, "acc_and_f1": 17 / 24, "mcc": 1 / np.sqrt(3)}
    else:
        scores = np.array([[4.0], [2], [2], [0]])
        expected = {"pearson": np.sqrt(0.5), "spearmanr": np.sqrt(0.5), "corr": np.sqrt(0.5)}
    result = task.metrics(scores, labels, None)
    assert result == pytest.approx({key: expected[key] for key in row.metrics})
    assert task.main_metric_of(result) in result and task.missing(labels, None) == {}
    for key in row.metrics:
        assert task.metric(key)(scores, labels, None) == pytest.approx(result[key])
    with pytest.raises(KeyError):
        task.metric("nothing")


@pytest.mark.parametrize("row", TWO_CLASSES_OR_SCORE, ids=lambda row: row.name)
@pytest.mark.parametrize("label", [0, 1])
def test_constant_predictions_have_numbers(row, label):
    labels = np.full(3, label)
    scores = np.tile([[1.0, 0.0]], (3, 1)) if row.words else np.ones((3, 1))
    result = get_task(row.name).metrics(scores, labels, None)
    for key in ("mcc", "f1", "pearson", "spearmanr", "corr"):
        assert result.get(key, 0.0) == 0.0


@pytest.mark.parametrize(
    ("name", "train", "dev"),
    [
        ("SST-2", 67_349, 872),
        ("CoLA", 8551, 1043),
        ("MRPC", 3668, 408),
        ("RTE", 2490, 277),
        ("STS-B", 5749, 1500),
    ],
)
def test_real_files(name, train, dev):
    if not SHARED.is_dir():
        pytest.skip("the data are not here")
    task = get_task(name)
    counts = [
        sum(1 for _ in task.read(locate(task, split, SHARED).path, split))
        for split in ("train", "dev")
    ]
    assert counts == [train, dev]
