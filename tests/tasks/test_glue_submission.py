"""GLUE's zip: file names, words, numbers and order as its server takes them."""

import zipfile

import numpy as np
import pytest

from chatstill.errors import UserError
from chatstill.tasks import get_task
from chatstill.tasks.glue_submission import (
    FILES,
    TASKS,
    TestSet,
    check_target,
    find_test_sets,
    prediction_lines,
    read_index,
    write_submission,
)


def file_of(name):
    return next(file for file in FILES if file.name == name)


def lines(name, index, scores):
    test_set = TestSet(file_of(name), None, np.array(index))
    return "".join(prediction_lines(test_set, np.array(scores)))


def test_the_files_of_a_submission():
    assert [file.name for file in FILES] == (
        "CoLA.tsv SST-2.tsv MRPC.tsv STS-B.tsv QQP.tsv MNLI-m.tsv MNLI-mm.tsv QNLI.tsv RTE.tsv "
        "WNLI.tsv AX.tsv"
    ).split()
    assert TASKS == ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CoLA.tsv", "01"),
        ("SST-2.tsv", "01"),
        ("MRPC.tsv", "01"),
        ("QQP.tsv", "01"),
        ("WNLI.tsv", "01"),
        ("QNLI.tsv", ["entailment", "not_entailment"]),
        ("RTE.tsv", ["entailment", "not_entailment"]),
        ("MNLI-m.tsv", ["contradiction", "entailment", "neutral"]),
        ("MNLI-mm.tsv", ["contradiction", "entailment", "neutral"]),
        ("AX.tsv", ["contradiction", "entailment", "neutral"]),
    ],
)
def test_classes_are_written_as_the_server_reads_them(name, words):
    expected = "".join(f"{n}\t{word}\n" for n, word in enumerate(words))
    assert lines(name, range(len(words)), np.eye(len(words))) == f"index\tprediction\n{expected}"


def test_scores_are_clipped_and_have_three_digits():
    written = lines("STS-B.tsv", range(4), [[-0.2], [5.3], [2.34567], [0.0]])
    assert written == "index\tprediction\n0\t0.000\n1\t5.000\n2\t2.346\n3\t0.000\n"


def test_rows_stand_in_index_order_whatever_the_file_has():
    assert lines("RTE.tsv", [10, 2, 0], np.eye(2)[[0, 1, 0]]) == (
        "index\tprediction\n0\tentailment\n2\tnot_entailment\n10\tentailment\n"
    )


def test_another_number_of_rows_is_never_written():
    with pytest.raises(ValueError, match="2 predictions for 3 rows"):
        lines("RTE.tsv", [0, 1, 2], np.eye(2))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("cola", "index\tsentence\n0\ta\n1\tb\n", [0, 1]),
        ("qqp", "\ufeffid\tquestion1\tquestion2\r\n3\ta\tb\r\n1\tc\r\n", [3, 1]),
        ("mrpc", "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\ta\tb\n", [0]),
    ],
)
def test_the_index_column(tmp_path, name, content, expected):
    path = tmp_path / "test.tsv"
    path.write_bytes(content.encode())
    assert read_index(get_task(name), path).tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index\tsentence\n0\ta\n0\tb\n", "line 3: found the index 0, expected another one than"),
        ("index\tsentence\nx\ta\n", "line 2: found the index 'x'"),
        ("index\tsentence\n-1\ta\n", "line 2: found the index '-1'"),
        ("index\tsentence\n", "no rows"),
        ("sentence\tlabel\na\t1\n", "with an index column"),
        ("just a text\n", "with an index column"),
    ],
)
def test_a_broken_index_is_refused(tmp_path, content, message):
    path = tmp_path / "test.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_index(get_task("sst2"), path)


def test_every_missing_test_file_is_named_at_once(tmp_path):
    with pytest.raises(UserError) as caught:
        find_test_sets(["rte", "mnli"], tmp_path)
    message = str(caught.value)
    assert all(name in message for name in ("RTE/test.tsv", "test_matched.tsv", "diagnostic.tsv"))


def test_a_count_that_is_not_glues_is_a_warning(tmp_path):
    (tmp_path / "WNLI").mkdir()
    text = "index\tsentence1\tsentence2\n" + "".join(f"{n}\ta\tb\n" for n in range(146))
    (tmp_path / "WNLI" / "test.tsv").write_text(text, encoding="utf-8")
    found, warnings = find_test_sets(["wnli"], tmp_path)
    assert len(found) == 1 and len(found[0].index) == 146 and warnings == []
    (tmp_path / "WNLI" / "test.tsv").write_text(f"{text}146\ta\tb\n", encoding="utf-8")
    _, warnings = find_test_sets(["wnli"], tmp_path)
    assert (
        warnings[0].code == "glue.other-row-count"
        and "147 rows" in warnings[0].message
        and "146" in warnings[0].message
    )


def test_the_zip_appears_whole_and_twice_the_same(tmp_path):
    target = tmp_path / "submission.zip"
    write_submission(target, {"RTE.tsv": ["index\tprediction\n", "0\tentailment\n"]})
    first = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["RTE.tsv"]
        assert archive.read("RTE.tsv") == b"index\tprediction\n0\tentailment\n"
    assert check_target(target) == []
    write_submission(target, {"RTE.tsv": ["index\tprediction\n", "0\tentailment\n"]})
    assert target.read_bytes() == first and [p.name for p in tmp_path.iterdir()] == [target.name]


def test_a_failure_leaves_neither_zip_nor_rest(tmp_path):
    with pytest.raises(TypeError):
        write_submission(tmp_path / "submission.zip", {"RTE.tsv": ["a\n"], "QQP.tsv": [1]})
    assert list(tmp_path.iterdir()) == []


def test_only_an_older_submission_is_replaced(tmp_path):
    (tmp_path / "notes.zip").write_text("mine", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    for name in ("notes.zip", "photos.zip"):
        assert check_target(tmp_path / name)[0].code == "glue.output-is-no-submission"
    assert "is a folder" in check_target(tmp_path)[0].message
    assert "no folder" in check_target(tmp_path / "a" / "b.zip")[0].message
    assert check_target(tmp_path / "new.zip") == []
