"""Figures class by class against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from chatstill.evaluate.classes import class_lines, class_table, confusion
from chatstill.report import Report, render_report
from chatstill.tasks.base import Labels

THREE = Labels("classification", ("a", "b", "c"))


def rows(count=60, classes=3, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, classes)), random.integers(0, classes, count)


def test_the_table_is_scikit_learns():
    scores, gold = rows()
    found = class_table(THREE, scores, gold)
    precision, recall, f1, count = precision_recall_fscore_support(gold, scores.argmax(1))
    for at, row in enumerate(found):
        assert row["label"] == "abc"[at] and row["rows"] == count[at]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx(
            (precision[at], recall[at], f1[at])
        )
    matrix = confusion_matrix(gold, scores.argmax(1))
    assert confusion(THREE, scores, gold) == matrix.tolist()
    assert [row["predicted"] for row in found] == matrix.sum(axis=0).tolist()


def test_a_class_without_rows_or_answers_has_no_figure():
    found = class_table(THREE, np.eye(3)[[0, 0, 1]], np.array([0, 0, 0]))
    assert (found[1]["precision"], found[1]["recall"], found[1]["f1"]) == (0.0, None, 0.0)
    assert (found[2]["precision"], found[2]["recall"], found[2]["f1"]) == (None, None, 0.0)
    assert "class c: precision none, recall none, f1 0.0000, rows 0, called 0" in class_lines(found)


def test_classes_stand_in_the_order_of_the_files():
    turned = Labels("classification", ("no", "yes"), columns=("yes", "no"), positive="yes")
    scores, gold = np.eye(2)[[0, 1, 1]], np.array([0, 1, 0])
    assert [row["label"] for row in class_table(turned, scores, gold)] == ["yes", "no"]
    assert confusion(turned, scores, gold) == [[1, 0], [1, 1]]


def test_labels_of_multi_label_rows_and_a_sigmoid_scorer():
    tags = Labels("multi_label", ("x", "y"))
    scores, gold = np.array([[1.0, -1], [1, 1], [-1, 1]]), np.array([[1, 0], [0, 1], [0, 0]])
    found = class_table(tags, scores, gold)
    assert [(row["rows"], row["predicted"], row["f1"]) for row in found] == [
        (1, 2, pytest.approx(2 / 3)),
        (1, 2, pytest.approx(2 / 3)),
    ]
    assert confusion(tags, scores, gold) == []
    two = Labels("classification", ("no", "yes"))
    assert confusion(two, np.array([[1.0], [-1]]), np.array([1, 1])) == [[0, 0], [1, 1]]
    assert class_table(Labels("regression"), scores, gold) == []


def test_the_page_shows_both_and_escapes_names():
    names = Labels("classification", ("<b>", "b", "c"))
    scores, gold = rows()
    judged = {
        "classes": class_table(names, scores, gold),
        "confusion": confusion(names, scores, gold),
    }
    html = render_report(Report("t", judged=judged))
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert 'class="confusion"' in html and "taken for" in html
    assert html.count('class="right"') == 3 and html.count('class="wrong"') == 6
    for nothing in ({}, {"classes": []}):
        assert "<h2>Classes" not in render_report(Report("t", judged=nothing))
