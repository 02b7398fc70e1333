"""Classes that a file never shows."""

import pytest
from tests.found import codes

from chatstill.preflight.label_values import check_label_values
from chatstill.tasks import get_task

CHAT = get_task("chat")


@pytest.mark.parametrize(
    ("seen", "split", "severities"),
    [
        ({"0": 5, "1": 5}, "train", []),
        ({"0": 5, "3": 5}, "train", []),  # any number but 0 counts as 1
        ({"0": 5}, "train", ["error"]),
        ({"1": 5}, "train", ["error"]),
        ({"0": 5}, "dev", ["warning"]),
        ({}, "dev", []),
    ],
)
def test_a_missing_class_is_said(seen, split, severities):
    found = check_label_values(seen, CHAT.labels, CHAT.label_words, split)
    assert [problem.severity for problem in found] == severities
    assert codes(found) == [f"labels.absent-in-{split}"] * len(found)


def test_regression_has_no_classes():
    task = get_task("stsb")
    assert check_label_values({"2.5": 9}, task.labels, task.label_words, "train") == []


@pytest.mark.parametrize("name", ["go\nod", "go\tod", "a\rb", "a\u2028b", "a\x00b"])
def test_a_name_in_several_lines_is_refused_before_it_breaks_the_files_of_results(name):
    task = get_task("chat")
    (found,) = check_label_values({"x": 1, name: 1}, task.labels, ["x", name], "train")
    assert found.severity == "error" and found.code == "labels.not-in-one-line"
    assert repr(name) in found.message
    assert not check_label_values({"x": 1, "é　ñ": 1}, task.labels, ["x", "é　ñ"], "train")
