"""The chat task: its files, its rows, and what it says about malformed ones."""

import copy
from pathlib import Path

import numpy as np
import pytest
from tests.draws import reseeded
from tests.found import holds, refused, told

from chatstill.config.schema import RunConfig
from chatstill.config.task import task_of
from chatstill.errors import RunFailure, UserError
from chatstill.tasks import get_task, locate

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CHAT = get_task("chat")


@pytest.fixture
def read(tmp_path):
    def read(content, split="train", labelled=None):
        path = tmp_path / f"{split}.data.txt"
        path.write_bytes(content.encode("utf-8"))
        rows = CHAT.read(path, split, labelled)
        return list(rows), rows

    return read


def fault(read, content, **options):
    with pytest.raises(UserError) as caught:
        read(content, **options)
    return told(caught)


SPREAD = "a\tx\t1\nb\tx\t0\na\ty\t0\nb\ty\t1\nc\tx\t1\n"


def test_queries_in_several_places_are_told_with_the_way_out(read):
    _, rows = read(SPREAD, split="dev")
    (warning,) = rows.warnings
    assert (
        warning.code == "data.group-in-several-places"
        and "2 queries" in warning.message
        and "3 queries" in warning.message
        and "5 blocks" in warning.message
    )
    assert '"groups": "query"' in warning.hint
    for quiet in (read(SPREAD), read("a\tx\t1\na\ty\t0\nb\tx\t1\n", split="dev")):
        assert quiet[1].warnings == []
    named = "".join(f"{line}\tg\n" for line in SPREAD.splitlines())
    assert read(named, split="dev")[1].warnings == []


def test_groups_by_query_take_equal_queries_together_wherever_they_stand(tmp_path):
    path = tmp_path / "dev.data.txt"
    task = task_of(RunConfig(task_name="chat", groups="query"))
    lines = SPREAD.splitlines()
    for order in (lines, sorted(lines)):
        path.write_text("\n".join(order) + "\n")
        rows = task.read(path, "dev")
        found = list(rows)
        assert rows.warnings == []
        groups = {query: {e.group for e in found if e.text_a == query} for query in "abc"}
        assert [len(names) for names in groups.values()] == [1, 1, 1]
        assert len(set.union(*groups.values())) == 3
    assert task.reading != CHAT.reading


@pytest.mark.parametrize("keys", [{"task_name": "sst2"}, {"data": {"text": "a", "label": "b"}}])
def test_groups_by_query_elsewhere_are_refused(keys):
    with refused("data.groups-without-effect"):
        task_of(RunConfig(groups="query", **keys))


def test_skipping_lists_each_bad_row_and_keeps_the_others(tmp_path):
    """Line numbers, ids and groups go on behind what is left out, however it is broken."""
    lines = [b"hi\tyes\t1", b"hi\tno", b"", b"hi\tno\tperhaps", b"\xff\tno\t0", b"hi\tno\t0"]
    path = tmp_path / "train.data.txt"
    path.write_bytes(b"\n".join([*lines, b"one field", b"bye\tno\t0"]) + b"\n")
    task = copy.copy(CHAT)
    task.on_bad_row = "skip"
    rows = task.read(path, "train")
    examples = list(rows)
    assert [(e.id, e.line, e.group) for e in examples] == [
        ("train-0", 1, "q0"),
        ("train-1", 6, "q0"),
        ("train-2", 8, "q1"),
    ]
    places = [int(line.split(": line ")[1].split(":")[0].split(",")[0]) for line in rows.bad]
    assert sorted(places) == [2, 3, 4, 5, 7]
    assert holds(rows.warnings[0], ("data.rows-left-out", "5 of 8"))
    assert rows.label_values == {"1": 1, "0": 2}
    assert task.reading != CHAT.reading, "prepared rows are other rows"


def test_malformed_rows_are_told_together(read):
    """All of a file in one go, the hint that they share once."""
    with pytest.raises(UserError) as caught:
        read("hi\tyes\t1\nhi  no  0\n\nhi\tno\tperhaps\nhi  no  0\nbye\tno\t0\n")
    places = [problem.place.rsplit(": ", 1)[1] for problem in caught.value.problems]
    assert places == ["line 2", "line 3", "line 4", "line 5"]


def test_the_sixth_malformed_row_is_not_waited_for(read):
    with pytest.raises(UserError) as caught:
        read("hi\tyes\t1\n" + "hi  no  0\n" * 9)
    hints = [problem.hint for problem in caught.value.problems]
    assert hints[:4] == [""] * 4 and "separated by one TAB" in hints[4]
    assert "read no further after 5 malformed rows" in hints[4]


def test_blanks_in_place_of_tabs_are_guessed_in_any_line(read):
    hint = "Fields are separated by one TAB character."
    assert hint in fault(read, "hi  yes  1\n")
    assert hint in fault(read, "hi\tyes\t1\nhi  no  0\n")


def test_skipping_everything_is_an_error(tmp_path):
    path = tmp_path / "train.data.txt"
    path.write_text("one field\nand one\n", encoding="utf-8")
    task = copy.copy(CHAT)
    task.on_bad_row = "skip"
    with refused("data.no-rows", "2 rows", "line 1: found 1 field"):
        list(task.read(path, "train"))


def test_rows_have_stable_ids_lines_and_groups(read):
    examples, rows = read("hi\tyes\t1\nhi\tno\t0\nbye\tno\t0\nhi\tno\t0\n", split="dev")
    assert [e.id for e in examples] == ["dev-0", "dev-1", "dev-2", "dev-3"]
    assert [e.line for e in examples] == [1, 2, 3, 4]
    assert [e.group for e in examples] == ["q0", "q0", "q1", "q2"]
    assert [e.label for e in examples] == [1, 0, 0, 0]
    assert (examples[1].text_a, examples[1].text_b) == ("hi", "no")
    assert rows.label_values == {"1": 1, "0": 3}
    (warning,) = rows.warnings
    assert (
        "3 queries" not in warning.message
        and warning.code == "data.group-in-several-places"
        and "2 queries" in warning.message
        and "3 blocks" in warning.message
    )


def test_a_fourth_field_is_the_group_also_of_rows_far_apart(read):
    examples, _ = read("hi\ta\t1\tx\nhi\tb\t0\ty\nho\tc\t0\tx\n")
    assert [e.group for e in examples] == ["x", "y", "x"]


def test_any_integer_but_zero_counts_as_one_and_is_shown(read):
    examples, rows = read("a\tb\t2\na\tc\t0\na\td\t-1\na\te\t2\na\tf\t00\na\tg\t 1\n")
    assert [e.label for e in examples] == [1, 0, 1, 1, 0, 1]
    assert rows.label_values["2"] == 2
    (warning,) = rows.warnings
    assert warning.severity == "warning"
    assert "2 (2 rows)" in warning.message and "-1 (1 rows)" in warning.message


def test_labels_are_counted_by_their_value_however_they_are_written(read):
    """Else a file of ` 0` and ` 1` seems to have one class alone."""
    _, rows = read("a\tb\t 0\na\tc\t00\na\td\t-0\na\te\t+1\na\tf\t01\na\tg\t 1 \n")
    assert rows.label_values == {"0": 3, "1": 3} and not rows.warnings


def test_thousands_of_label_values_stay_countable(read):
    _, rows = read("".join(f"a\tb\t{n}\n" for n in range(3000)))
    assert rows.label_values.total() == 3000 and len(rows.label_values) <= 1001
    assert len(rows.warnings[0].message) < 500


@pytest.mark.parametrize(
    "label", ["abc", "", "1.0", "１", "1_0", "0x1", "１0", "nan", "True", "1\rx"]
)
def test_other_labels_are_malformed(read, label):
    content = f"a\tb\t1\na\tb\t{label}\nc\td\t0\n"
    assert f"line 2: found the label {label!r}, expected an integer" in fault(read, content)


def test_a_label_of_many_digits(read):
    examples, _ = read(f"a\tb\t{'9' * 6000}\na\tb\t{'0' * 6000}\n")
    assert [e.label for e in examples] == [1, 0]


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        ("a\tb\n", 1, "2 fields ('a', 'b')"),
        ("a b 1\n", 1, "1 field ('a b 1')"),
        ("a\tb\t1\na\tb\n", 2, "2 fields ('a', 'b')"),
        ("a\tb\t1\na\tb\t1\tg\n", 2, "4 fields ('a', 'b', '1', 'g')"),
        ("a\tb\t1\tg\na\tb\t1\n", 2, "3 fields ('a', 'b', '1')"),
        ("a\tb\t1\tg\n\t\t1\t\n", 2, "an empty group"),
        ("a\tb\t1\tg\th\n", 1, "5 fields"),
    ],
)
def test_short_and_long_rows_are_malformed(read, content, line, found):
    message = fault(read, content)
    assert f"train.data.txt: line {line}: found {found}" in message and "expected" in message


def test_likely_mistakes_come_with_a_hint(read):
    assert "header" in fault(read, "query\treply\tlabel\na\tb\t1\n")
    assert "query, reply, label" in fault(read, "1\ta\tb\n")
    assert "TAB" in fault(read, "a, b, 1\n")
    assert "no rows" in fault(read, "")


def test_empty_texts_are_kept_and_counted(read):
    examples, rows = read("a\t\t1\n\tb\t0\na\tb\t0\n")
    assert len(examples) == 3 and examples[0].text_b == ""
    assert holds(rows.warnings[0], ("data.empty-text", "2 rows", "in line 1"))
    for nothing in ("", " ", "\u3000"):  # blanks alone too, the Chinese one among them
        _, rows = read(f"a\tb\t1\na\t{nothing}\t0\n")
        assert holds(rows.warnings[0], ("data.empty-text", "1 row ", "in line 2"))


def test_rows_without_labels(read):
    for content in ("a\tb\na\tc\n", "a\tb\t\na\tc\t\n"):
        examples, rows = read(content, labelled=False)
        assert [e.label for e in examples] == [None, None] and not rows.label_values
        assert [e.group for e in examples] == ["q0", "q0"]
    examples, _ = read("a\tb\t1\tg\na\tc\t\tg\n", split="test")
    assert [e.label for e in examples] == [1, None]
    assert "expected 3 fields" in fault(read, "a\tb\n", split="dev")
    assert "the label ''" in fault(read, "a\tb\t\n", split="test", labelled=True)
    assert "the label 'x'" in fault(read, "a\tb\tx\n", labelled=False)


def test_a_transfer_set_follows_where_rows_may_lack_labels(read, tmp_path):
    (tmp_path / "unlabeled.data.txt").write_text("d\te\td\nf\tg\t1\n", encoding="utf-8")
    examples, rows = read("a\tb\t1\na\tc\t0\n", labelled=False)
    assert [e.label for e in examples] == [1, 0, None, None], "a third field there is no label"
    assert [e.id for e in examples] == [f"train-{n}" for n in range(4)]
    assert len({e.group for e in examples}) == 3 and examples[3].text_b == "g"
    assert rows.label_values == {"1": 1, "0": 1} and not rows.warnings
    for labelled in (None, True):
        assert len(read("a\tb\t1\n", labelled=labelled)[0]) == 1
    assert len(read("a\tb\n", split="test", labelled=False)[0]) == 1


@pytest.mark.parametrize("folder", ["chat", "Chat", "ChatQA", "chat_qa", "."])
def test_files_lie_in_a_folder_of_the_task_or_at_the_top(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "train.data.txt"
    path.write_text("a\tb\t1\n", encoding="utf-8")
    assert CHAT.find("train", tmp_path).samefile(path)
    assert CHAT.find("dev", tmp_path) is None and CHAT.fallback("dev", tmp_path) is None


def test_all_files_come_from_one_folder(tmp_path):
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "train.data.txt").touch()
    (tmp_path / "dev.data.txt").touch()
    assert CHAT.find("dev", tmp_path) is None
    (tmp_path / "chat" / "train.data.txt").unlink()
    assert CHAT.find("dev", tmp_path) == tmp_path / "dev.data.txt"


def test_the_test_file_stands_in_for_a_missing_dev_file(tmp_path):
    (tmp_path / "test.data.txt").touch()
    found = locate(CHAT, "dev", tmp_path)
    assert found.path.name == "test.data.txt"
    assert found.warning.severity == "warning" and "dev set" in found.warning.message
    assert locate(CHAT, "test", tmp_path).warning is None
    (tmp_path / "dev.data.txt").touch()
    assert locate(CHAT, "dev", tmp_path).warning is None


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    (tmp_path / "other.txt").touch()
    with pytest.raises(UserError) as caught:
        locate(CHAT, "train", tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "chat" / "train.data.txt") in message
    assert str(tmp_path / "train.data.txt") in message and "other.txt" in message
    with pytest.raises(UserError, match="nowhere"):
        locate(CHAT, "train", tmp_path / "nowhere")


def test_metrics_of_two_logits_and_of_one_are_the_same():
    generator = np.random.default_rng(reseeded(0))
    score = generator.normal(size=40)
    labels, groups = (np.arange(40) % 4 == 0), np.arange(40) // 8
    one = CHAT.metrics(score[:, None], labels, groups)
    two = CHAT.metrics(np.stack([np.zeros(40), score], axis=1), labels, groups)
    assert one == two and CHAT.main_metric_of(one) == "mrr"
    for name in ("accuracy", "f1", "auc", "map", "mrr", "p@1", "r@1", "r@2", "r@5", "r8@1", "r8@5"):
        assert 0 <= one[name] <= 1
        assert CHAT.metric(name)(score[:, None], labels, groups) == pytest.approx(one[name])
    for name in ("map", "mrr", "p@1", "r@1", "r@2", "r@5", "r8@1"):
        assert 0 < one[f"random_{name}"] < 1
    for name in ("random_mrr", "groups", "r@3", "nonsense"):
        with pytest.raises(KeyError):
            CHAT.metric(name)


def test_one_class_and_single_rows_leave_metrics_out_with_the_reason():
    score, ones = np.array([1.0, 2, 3]), np.ones(3)
    result = CHAT.metrics(score, ones, ["a", "a", "b"])
    assert "auc" not in result and "mrr" not in result
    assert CHAT.main_metric_of(result) == "accuracy"
    reasons = CHAT.missing(ones, ["a", "a", "b"])
    assert "all 3 rows are positive" in reasons["auc"] and "no group" in reasons["mrr"]
    labels = np.array([1, 0, 0])
    result = CHAT.metrics(score, labels, ["a", "b", "c"])
    assert result["groups"] == 3 and result["groups_without_positive"] == 2
    assert CHAT.main_metric_of(result) == "auc" and set(CHAT.missing(labels, None)) >= {"mrr"}
    assert "auc" not in CHAT.missing(labels, None)


def test_scores_that_are_no_numbers_and_rows_without_label():
    with pytest.raises(RunFailure, match="row 1"):
        CHAT.metrics(np.array([[0.0, 1], [np.nan, 1]]), np.array([0, 1]), None)
    with pytest.raises(ValueError, match="no label"):
        CHAT.metrics(np.zeros((2, 2)), np.array([0, np.nan]), None)
    with pytest.raises(ValueError, match="no rows"):
        CHAT.metrics(np.zeros((0, 2)), np.zeros(0), None)
    with pytest.raises(ValueError, match="3 scores a row"):
        CHAT.metrics(np.zeros((2, 3)), np.zeros(2), None)


@pytest.mark.parametrize(
    ("folder", "train", "dev", "groups"),
    [("wikiqa", 8672, 1130, 126), ("mutual", 12_000, 2000, None), ("kdconv", 12_660, 16_000, None)],
)
def test_real_chat_files(folder, train, dev, groups):
    if not (SHARED / folder).is_dir():
        pytest.skip("the data are not here")
    counts = {}
    for split in ("train", "dev"):
        examples = list(CHAT.read(locate(CHAT, split, SHARED / folder).path, split))
        counts[split] = len(examples)
    assert counts == {"train": train, "dev": dev}
    if groups:
        assert len({e.group for e in examples}) == groups
