"""Rows on which teacher and label disagree: which, in which order, and how they are written."""

from dataclasses import replace

import numpy as np

from chatstill.evaluate.noise import as_lines, disagreements, most_disagreeing
from chatstill.tasks.base import Example, Labels

TWO = Labels("classification", ("no", "yes"))
SCORE = Labels("regression")


def rows(*texts):
    return [Example(f"dev-{n}", n + 2, text, None, 0) for n, text in enumerate(texts)]


def test_the_least_probable_labels_come_first():
    scores = np.array([[0.0, 1.0], [0.0, 5.0], [3.0, 0.0], [0.0, 2.0], [9.0, 0.0]])
    labels = np.array([0.0, 0.0, 0.0, np.nan, 1.0])
    assert most_disagreeing(scores, labels, "classification").tolist() == [4, 1, 0]
    assert most_disagreeing(scores, labels, "classification", limit=1).tolist() == [4]
    assert most_disagreeing(scores[2:3], labels[2:3], "classification").tolist() == []


def test_scores_far_from_their_label_come_first():
    scores, labels = np.array([[1.0], [4.0], [2.0], [0.0]]), np.array([1.0, 1.0, 2.5, np.nan])
    assert most_disagreeing(scores, labels, "regression").tolist() == [1, 2]


def test_rows_are_written_with_text_label_and_probability():
    scores = np.array([[0.0, np.log(3)], [0.0, np.log(9)], [1.0, 0.0]])
    found = disagreements("dev", rows("a\tb", "c\\\n", "d"), scores, np.zeros(3), TWO, ("0", "1"))
    assert list(as_lines(found)) == [
        "split\tline\tlabel\tteacher\tprobability\ttext_a\ttext_b",
        "dev\t3\t0\t1\t0.1\tc\\\\\\n\t",
        "dev\t2\t0\t1\t0.25\ta\\tb\t",
    ]


def test_rows_of_several_files_name_theirs():
    scores, row = np.array([[0.0, 1.0]]), Example("dev-0", 2, "a", None, 0, "mismatched")
    for sections, split in ((True, "dev mismatched"), (False, "dev")):
        (found,) = disagreements("dev", [row], scores, np.zeros(1), TWO, ("0", "1"), sections)
        assert found.split == split


def test_a_line_says_in_which_of_several_files_it_counts():
    scores, of = np.array([[0.0, 1.0]]), replace(rows("a")[0], file="parts/2.csv", name="r7")
    found = disagreements("dev", [of], scores, np.zeros(1), TWO, ("0", "1"))
    assert [line.split("\t")[:4] for line in as_lines(found)] == [
        ["split", "file", "line", "id"],
        ["dev", "parts/2.csv", "2", "r7"],
    ]


def test_of_a_regression_the_scores_are_written():
    found = disagreements("train", rows("a"), np.array([[2.25]]), np.array([4.0]), SCORE, ())
    assert list(as_lines(found))[1:] == ["train\t2\t4\t2.25\t\ta\t"]


def test_sets_of_labels_disagree_as_wholes():
    sets = Labels("multi_label", ("news", "sport"))
    scores = np.array([[3.0, -3.0], [np.log(3), -9e9], [np.log(4), np.log(4)], [1.0, 1.0]])
    labels = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [np.nan, np.nan]])
    assert most_disagreeing(scores, labels, "multi_label").tolist() == [2, 1]
    found = disagreements("dev", rows(*"abcd"), scores, labels, sets, sets.names)
    assert [line.split("\t") for line in as_lines(found)][1:] == [
        ["dev", "4", "(none)", "news,sport", "0.04", "c", ""],
        ["dev", "3", "(none)", "news", "0.25", "b", ""],
    ]


def test_the_file_is_read_no_further_than_needed():
    def read():
        yield from rows("a", "b")
        raise AssertionError("read on")

    scores = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert len(list(disagreements("dev", read(), scores, np.zeros(3), TWO, ("0", "1")))) == 1
    none = disagreements("dev", read(), scores[1:], np.zeros(2), TWO, ("0", "1"))
    assert list(none) == []
