"""Dialogues with candidate replies as rows: a row for each candidate, a group for each dialogue."""

import json

import pytest
from tests.found import holds, refused

from chatstill.errors import UserError
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys

ASKED = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "hi there"},
    {"role": "user", "content": "do you sing"},
]
LABELLED = {"text": "messages", "candidates": "candidates", "label": "label", "labels": ["0", "1"]}
CHOSEN = {"text": "messages", "candidates": "candidates", "chosen": "chosen"}
PREFERRED = {"text": "messages", "chosen": "chosen", "rejected": "rejected"}


def write(folder, *lines, name="talks.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def read(path, keys, *, split="train", labelled=True):
    rows = TabularTask(DataKeys(**keys)).read(path, split, labelled)
    return list(rows), rows


def fault(folder, keys, *lines, labelled=True):
    with pytest.raises(UserError) as caught:
        read(write(folder, *lines), keys, labelled=labelled)
    return " | ".join(
        f"{problem.place}: {problem.message}. {problem.hint}" for problem in caught.value.problems
    )


def line(*candidates, messages=ASKED, **more):
    return {"messages": messages, "candidates": list(candidates), **more}


# -- what is read ----------------------------------------------------------------------------------


def test_a_candidate_is_a_row_and_a_dialogue_is_a_group(tmp_path):
    lines = [
        line({"content": "every day", "label": 1}, {"content": "it is green", "label": 0}),
        line({"content": "no", "label": 0}, messages=ASKED[1:2]),
    ]
    rows, _ = read(write(tmp_path, *lines), LABELLED)
    assert [(row.text_b, row.label, row.group) for row in rows] == [
        ("every day", 1, "d0"),
        ("it is green", 0, "d0"),
        ("no", 0, "d1"),
    ]
    assert [row.id for row in rows] == ["train-0", "train-1", "train-2"]
    assert [row.line for row in rows] == [1, 1, 2]
    assert (rows[0].context, rows[0].text_a) == (("hello", "hi there"), "do you sing")
    assert (rows[2].context, rows[2].text_a) == ((), "hello")


def test_dialogues_of_several_files_are_several_groups(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path, line({"content": "x", "label": 1}), name=name)
    rows, _ = read(tmp_path / "*.jsonl", LABELLED)
    assert [(row.id, row.group) for row in rows] == [("train-0", "d0"), ("train-1", "d1")]


def test_the_one_chosen_is_named_by_its_number_or_by_its_text(tmp_path):
    path = write(
        tmp_path, line("a", "b", chosen=1), line("a", "b", chosen="a"), line("7", "b", chosen="7")
    )
    task = TabularTask(DataKeys(**CHOSEN))
    assert [row.label for row in task.read(path, "train")] == [0, 1, 1, 0, 1, 0]
    assert (task.labels.names, task.labels.positive) == (("no_match", "match"), "match")
    assert task.main_metric == "mrr"


def test_the_second_of_two_names_is_that_of_the_one_chosen(tmp_path):
    path = write(tmp_path, line("a", "b", chosen=1))
    task = TabularTask(DataKeys(**CHOSEN, labels=("good", "bad")))
    assert [row.label for row in task.read(path, "train")] == [0, 1]
    assert task.labels.positive == "bad", "a word's meaning is not asked for"
    for names, found in (
        (("1", "0"), "numbers of 'chosen' are 0, and 1"),
        (("a",), "names 1 labels"),
    ):
        with pytest.raises(UserError, match=found):
            _ = TabularTask(DataKeys(**CHOSEN, labels=names)).labels
    with pytest.raises(UserError, match="positive_label"):
        _ = TabularTask(DataKeys(**CHOSEN), positive="no_match").labels


def test_labels_may_stand_in_a_list_beside_the_candidates(tmp_path):
    path = write(tmp_path, line("a", "b", "c", label=[0, 1, 0]))
    assert [row.label for row in read(path, LABELLED)[0]] == [0, 1, 0]


def test_preference_data(tmp_path):
    path = write(
        tmp_path,
        {"messages": ASKED, "chosen": "yes", "rejected": "no"},
        {
            "messages": ASKED,
            "chosen": [{"role": "assistant", "content": "yes"}],
            "rejected": ["no", {"content": "never"}],
        },
    )
    rows, _ = read(path, PREFERRED)
    assert [(row.text_b, row.label) for row in rows] == [
        ("yes", 1),
        ("no", 0),
        ("yes", 1),
        ("no", 0),
        ("never", 0),
    ]


def test_messages_as_sharegpt_has_them(tmp_path):
    talk = [{"from": "human", "value": "hello"}, {"from": "gpt", "value": "hi"}]
    asked = [*talk, {"from": "human", "value": [{"type": "text", "text": "sing"}]}]
    (row,), _ = read(write(tmp_path, line({"value": "la", "label": 1}, messages=asked)), LABELLED)
    assert (row.context, row.text_a, row.text_b) == (("hello", "hi"), "sing", "la")


def test_what_nobody_says_is_not_read_and_that_is_said(tmp_path):
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]}
    asked = [*ASKED, called, {"role": "tool", "content": "{}"}, {"role": "user", "content": "so"}]
    (row,), rows = read(
        write(tmp_path, line({"content": "la", "label": 1}, messages=asked)), LABELLED
    )
    assert (row.context, row.text_a) == (("hello", "hi there", "do you sing"), "so")
    (warning,) = rows.warnings
    assert warning.code == "dialogues.messages-not-read" and "(1)" in warning.message
    (row,), rows = read(
        write(tmp_path, line({"content": "la", "label": 1})),
        {**LABELLED, "roles": ("system", "user")},
    )
    assert (row.context, row.text_a) == (("be brief", "hello"), "do you sing")
    assert rows.warnings == []


def test_any_role_may_speak(tmp_path):
    asked = [{"role": "customer", "content": "hello"}, {"role": "顾客", "content": "在吗"}]
    (row,), rows = read(
        write(tmp_path, line({"content": "la", "label": 1}, messages=asked)), LABELLED
    )
    assert (row.context, row.text_a) == (("hello",), "在吗") and rows.warnings == []


def test_an_identifier_names_line_and_candidate(tmp_path):
    path = write(tmp_path, line("a", "b", chosen=0, id=17))
    rows, _ = read(path, {**CHOSEN, "id": "id"})
    assert [row.name for row in rows] == ["17/0", "17/1"]


def test_without_labels(tmp_path):
    path = write(tmp_path, line("a", {"content": "b"}))
    for keys in (CHOSEN, LABELLED):
        rows, _ = read(path, keys, split="test", labelled=False)
        assert [(row.text_b, row.label, row.group) for row in rows] == [
            ("a", None, "d0"),
            ("b", None, "d0"),
        ]
    both = {**PREFERRED, "candidates": "candidates"}
    rows, _ = read(path, both, split="test", labelled=False)
    assert [row.label for row in rows] == [None, None]
    path = write(tmp_path, {"messages": ASKED, "chosen": "yes", "rejected": "no"})
    assert [row.label for row in read(path, both)[0]] == [1, 0]


def test_unlabelled_lines_follow_the_training_rows_whatever_they_say_of_labels(tmp_path):
    train = write(tmp_path, line("a", "b", chosen=0), name="train.jsonl")
    more = write(tmp_path, line("c", chosen=99), line("d"), name="more.jsonl")
    task = TabularTask(DataKeys(train=str(train), unlabeled=str(more), **CHOSEN))
    rows = list(task.read(train, "train", False))
    assert [(row.text_b, row.label) for row in rows] == [
        ("a", 1),
        ("b", 0),
        ("c", None),
        ("d", None),
    ]
    assert len({row.id for row in rows}) == 4 and len({row.group for row in rows}) == 3


def test_a_list_of_messages_alone_is_a_text_of_several_turns(tmp_path):
    path = write(tmp_path, {"messages": ASKED, "topic": "music"})
    keys = {"text": "messages", "label": "topic", "labels": ("money", "music")}
    (row,), rows = read(path, keys)
    assert (row.context, row.text_a, row.label) == (("hello", "hi there"), "do you sing", 1)
    assert "system (1)" in rows.warnings[0].message


def test_a_plain_text_may_stand_before_candidates(tmp_path):
    path = write(tmp_path, {"query": "sing", "candidates": ["a", "b"], "chosen": "b"})
    rows, _ = read(path, {**CHOSEN, "text": "query"})
    assert [(row.text_a, row.text_b, row.label) for row in rows] == [
        ("sing", "a", 0),
        ("sing", "b", 1),
    ]


def test_nested_columns_of_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lines = [line({"content": "a", "label": 1}, {"content": "b", "label": 0}, id="x")]
    parquet.write_table(pa.Table.from_pylist(lines), tmp_path / "talks.parquet")
    rows, _ = read(tmp_path / "talks.parquet", {**LABELLED, "id": "id"})
    assert [(row.text_b, row.label, row.name) for row in rows] == [("a", 1, "x/0"), ("b", 0, "x/1")]
    assert rows[0].context == ("hello", "hi there")


# -- what is refused -------------------------------------------------------------------------------

GOOD = {"content": "b", "label": 0}
BROKEN = {
    "a candidate without a text": (
        LABELLED,
        line(GOOD, {"label": 1}),
        "talks.jsonl: line 1, candidates[1]: found no content (it holds label), expected a text",
    ),
    "a candidate without a label": (
        LABELLED,
        line(GOOD, "b"),
        "line 1, candidate 1: found no label, expected one of: 0, 1",
    ),
    "an unknown label": (
        LABELLED,
        line({"content": "a", "label": "x"}),
        "line 1, candidate 0: found the label 'x'",
    ),
    "no candidates": (
        LABELLED,
        line(),
        "line 1, candidates: found an empty list, expected a list of",
    ),
    "no such column": (LABELLED, {"messages": ASKED}, "found no value in column 'candidates'"),
    "candidates that are no list": (
        LABELLED,
        {"messages": ASKED, "candidates": "a"},
        "line 1, candidates: found a text, expected a list of candidates",
    ),
    "a number": (CHOSEN, line("a", 3, chosen=0), "candidates[1]: found a number, expected a text"),
    "out of range": (
        CHOSEN,
        line("a", "b", chosen=2),
        "line 1, chosen: found the number 2, expected a number from 0 to 1",
    ),
    "below zero": (CHOSEN, line("a", "b", chosen=-1), "found the number -1"),
    "a text that nobody says": (CHOSEN, line("a", "b", chosen="c"), "'c', which no candidate says"),
    "a text that two say": (
        CHOSEN,
        line("a", "a", chosen="a"),
        "which candidates 0 and 1 both say",
    ),
    "several chosen": (CHOSEN, line("a", "b", chosen=[0, 1]), "chosen: found a list of 2"),
    "truth": (CHOSEN, line("a", "b", chosen=True), "chosen: found True"),
    "nothing chosen": (CHOSEN, line("a", "b"), "found no label"),
    "no messages": (CHOSEN, line("a", chosen=0, messages=[]), "messages: found an empty list"),
    "only instructions": (
        CHOSEN,
        line("a", chosen=0, messages=ASKED[:1]),
        "messages: found only messages of system, expected one message at least",
    ),
    "a message without a text": (
        CHOSEN,
        line("a", chosen=0, messages=[*ASKED, {"role": "user"}]),
        "line 1, messages[4]: found no content",
    ),
    "a message without a role": (
        CHOSEN,
        line("a", chosen=0, messages=[{"content": "hello"}]),
        "messages[0]: found no role (it holds content)",
    ),
    "a picture": (
        CHOSEN,
        line("a", chosen=0, messages=[{"role": "user", "content": [{"type": "image"}]}]),
        "messages[0]: found the content",
    ),
    "a list and labels inside": (
        LABELLED,
        line(GOOD, GOOD, label=[0, 1]),
        "found 'label' in the line and in its candidates",
    ),
    "too few labels": (LABELLED, line("a", "b", label=[0]), "found 1 labels, expected a list of 2"),
    "nothing rejected": (
        PREFERRED,
        {"messages": ASKED, "chosen": "a"},
        "found no value in column 'rejected'",
    ),
    "a whole talk as reply": (
        PREFERRED,
        {"messages": ASKED, "chosen": ASKED, "rejected": "a"},
        "chosen: found a list of 4 messages, expected one reply",
    ),
    "the reply in its own context": (
        CHOSEN,
        line("a", "hi there", chosen=1, messages=ASKED[:3]),
        "found candidate 1 of 2 again: it is the last message",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_line_is_refused_with_the_place_in_it(tmp_path, name):
    keys, bad, expected = BROKEN[name]
    assert expected in fault(tmp_path, keys, bad)


def test_a_line_is_left_out_with_all_of_its_candidates(tmp_path):
    good = line({"content": "a", "label": 1}, GOOD)
    bad = line({"content": "a", "label": 1}, {"content": "b", "label": "x"})
    rows, found = read(write(tmp_path, good, bad, good), {**LABELLED, "on_bad_row": "skip"})
    assert [row.line for row in rows] == [1, 1, 3, 3]
    assert [row.id for row in rows] == [f"train-{number}" for number in range(4)]
    assert found.bad and "line 2, candidate 1: found the label 'x'" in found.bad[0]
    assert holds(found.warnings[-1], ("data.rows-left-out", "1 of 3"))


def test_a_dialogue_that_ends_with_the_assistant_is_warned_of(tmp_path):
    _, rows = read(write(tmp_path, line("a", chosen=0, messages=ASKED[1:3])), CHOSEN)
    (warning,) = rows.warnings
    assert holds(warning, ("dialogues.later-replies", "1 dialogue", "in line 1"))


def test_a_slip_in_the_name_of_the_label_is_told(tmp_path):
    path = write(tmp_path, line({"content": "a", "lable": 1}))
    keys = DataKeys(train=str(path), text="messages", candidates="candidates", label="label")
    with pytest.raises(UserError, match="no label stands under 'label' of the candidates"):
        _ = TabularTask(keys).labels


def test_tables_hold_no_lists(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("messages,candidates,chosen\na,b,0\n", encoding="utf-8")
    with refused("data.no-lists-in-tables", "CSV holds"):
        read(path, CHOSEN)
