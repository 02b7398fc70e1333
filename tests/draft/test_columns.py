"""What is text, label and group in a table, told by cells and names."""

import pytest

from chatstill.draft.columns import Column, roles_of

TEXTS = [f"some words about number {n} and more" for n in range(60)]
OTHERS = [f"another sentence, the {n}th of them" for n in range(60)]
CLASSES = ["good", "bad", "fair"] * 20


def roles(**columns):
    found = roles_of([Column.of(name, cells) for name, cells in columns.items()])
    return (
        found if isinstance(found, str) else (found.text, found.text_pair, found.label, found.group)
    )


def test_cells_tell_text_and_label_whatever_their_names():
    assert roles(x=TEXTS, y1=CLASSES) == ("x", None, "y1", None)
    assert roles(c=["1", "0"] * 30, a=TEXTS, b=OTHERS) == ("a", "b", "c", None)


def test_names_decide_which_text_is_first_and_which_column_is_the_label():
    found = roles(reply=TEXTS, query=OTHERS, kind=["a", "b"] * 30, label=["1", "0"] * 30)
    assert found == ("query", "reply", "label", None)


def test_a_query_that_stands_with_each_of_its_replies_is_a_text():
    queries = [f"why {n // 4}" for n in range(60)]
    assert roles(query=queries, text=TEXTS, grade=CLASSES)[:3] == ("query", "text", "grade")
    assert roles(text=TEXTS, answer=["yes", "no"] * 30)[2] == "answer", "the only label there is"


def test_numbers_and_ids_are_no_texts():
    ids = [str(n) for n in range(60)]
    assert roles(id=ids, text=TEXTS, label=CLASSES)[:2] == ("text", None)


def test_many_numbers_are_a_score():
    scores = [f"{n / 7:.2f}" for n in range(60)]
    assert roles(a=TEXTS, b=OTHERS, score=scores) == ("a", "b", "score", None)


def test_a_group_is_known_by_its_name_and_needs_a_pair():
    qid = [f"q{n // 4}" for n in range(60)]
    pair = {"query": TEXTS, "reply": OTHERS, "label": ["0", "1"] * 30, "qid": qid}
    assert roles(**pair) == ("query", "reply", "label", "qid")
    del pair["reply"]
    assert roles(**pair)[3] is None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": TEXTS}, "looks like a label"),
        ({"label": CLASSES, "n": ["1", "2"] * 30}, "looks like text"),
    ],
)
def test_what_cannot_be_told_is_said(columns, reason):
    assert reason in roles(**columns)
