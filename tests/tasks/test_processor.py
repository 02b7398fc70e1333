"""A user's own class as a task: what it takes, and every fault by file and line."""

from pathlib import Path

import numpy as np
import pytest
from tests.found import holds, refused, told

from chatstill import lookup
from chatstill.errors import UserError
from chatstill.tasks.files import locate

HEAD = """
class Mine:
    task_name = "my-task"
    def get_labels(self):
        return ["a", "b"]
    def get_train_examples(self, data_dir):
        return ROWS
    def get_dev_examples(self, data_dir):
        return ROWS
    def get_test_examples(self, data_dir):
        return ROWS
"""
GOOD = 'ROWS = [{"guid": "g1", "text_a": "x", "label": "b"}, {"text_a": "y", "label": "a"}]\n'


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """``plugin(text)`` writes mine.py and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text=GOOD + HEAD, name="mine.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def task_of(name, task="my-task"):
    return lookup.task(task, [name])


def here():
    return Path()


def report(name, split="train", labelled=None):
    with pytest.raises(UserError) as caught:
        list(task_of(name).read(here(), split, labelled))
    return told(caught)


def test_dicts_and_objects_are_examples_and_labels_are_numbers_of_get_labels(plugin):
    rows = "from types import SimpleNamespace as Row\n"
    rows += (
        'ROWS = [{"text_a": "x", "label": "b"}, Row(guid=1, text_a="y", text_b="z", label="a")]\n'
    )
    task = task_of(plugin(rows + HEAD))
    first, second = task.read(here(), "train")
    assert (first.text_a, first.text_b, first.label, first.id) == ("x", None, 1, "train-0")
    assert (second.text_b, second.label, second.line) == ("z", 0, 2)
    assert task.labels.names == task.label_words == ("a", "b")


@pytest.mark.parametrize("written", ["1", "1.0", "True", "'1'", "__import__('numpy').int64(1)"])
def test_labels_that_are_numbers_may_be_written_as_numbers(written, plugin):
    text = HEAD.replace('["a", "b"]', "[0, 1]")
    task = task_of(plugin(f'ROWS = [{{"text_a": "x", "label": {written}}}]\n{text}'))
    assert [row.label for row in task.read(here(), "dev")] == [1]


@pytest.mark.parametrize("labels", ["None", "[None]"])
def test_no_labels_mean_a_regression(labels, plugin):
    text = HEAD.replace('["a", "b"]', labels)
    task = task_of(plugin(f'ROWS = [{{"text_a": "x", "label": "2.5"}}]\n{text}'))
    assert task.labels.kind == "regression"
    assert [row.label for row in task.read(here(), "dev")] == [2.5]
    found = task.metrics(np.array([[1.0], [2.0], [4.0]]), np.array([0.0, 1.0, 9.0]), None)
    assert found["pearson"] == pytest.approx(132 / (42 * 438) ** 0.5)
    assert found["spearmanr"] == pytest.approx(1.0) and task.main_metric_of(found) == "corr"


def test_the_usual_metrics_of_classes(plugin):
    task = task_of(plugin())
    scores, labels = np.array([[1, 0], [0, 1], [0, 1], [1, 0]]), np.array([0, 1, 0, 1])
    found = task.metrics(scores, labels, None)
    assert found == {
        "accuracy": 0.5,
        "macro_f1": 0.5,
        "mcc": 0.0,
        "auc": 0.5,
    }  # nothing says that a or b counts
    assert set(task.missing(np.zeros(4), None)) == {"auc", "f1"}
    for counts in ("a", "b"):
        counted = task.with_positive(counts)
        turned = [counted.labels.names.index(name) for name in "ab"]
        args = scores[:, turned], np.array(turned)[labels], None
        found = counted.metrics(*args)
        assert found.pop("auc") == found.pop("f1") == found.pop("macro_f1") == 0.5
        assert found == {"accuracy": 0.5, "mcc": 0.0}
        assert counted.metric("f1")(*args) == 0.5
    text = HEAD.replace('["a", "b"]', '["a", "b", "c"]')
    task = task_of(plugin(GOOD + text, "three.py"))
    scores, labels = np.eye(3)[[0, 0, 1]], np.array([0, 1, 1])
    found = task.metrics(scores, labels, None)
    assert (found["accuracy"], found["macro_f1"]) == pytest.approx(
        (2 / 3, 2 / 3)
    )  # c: no row has it
    assert "2 of 3 classes; no row has or is called c" in task.remarks(scores, labels)["macro_f1"]


def test_test_examples_may_lack_a_label_and_others_may_not(plugin):
    name = plugin('ROWS = [{"text_a": "x"}]\n' + HEAD)
    assert [row.label for row in task_of(name).read(here(), "test")] == [None]
    assert "there is no label" in report(name, "test", True)
    assert report(name).startswith("mine.py: line 7 (get_train_examples): example 0 (from 0)")


FAULTS = {
    "no label of the list": ('"label": "c"', "the label 'c' is not among get_labels: a, b."),
    "no label": ('"label": None', "there is no label."),
    "nan as label": ('"label": float("nan")', "there is no label."),
    "no text": ('"text_a": None, "label": "a"', "text_a is None, expected text."),
    "a number as text": ('"text_a": 3, "label": "a"', "text_a is 3, expected text."),
    "a number as second text": ('"text_b": 0.5, "label": "a"', "text_b is 0.5, expected text or"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_example_is_named_by_line_number_and_guid(kind, plugin):
    fields, message = FAULTS[kind]
    rows = f'ROWS = [{{"text_a": "x", "label": "a"}}, {{"guid": "g7", "text_a": "x", {fields}}}]\n'
    found = report(plugin(rows + HEAD))
    assert found.startswith("mine.py: line 7 (get_train_examples): example 1 (from 0, guid 'g7'): ")
    assert message in found


RAISED = {
    "at the call": ("return ROWS", "return ROWS[9]", "line 8"),
    "while it is read": ("return ROWS", "yield 1 / 0", "line 8"),
    "no list": ("return ROWS", "return None", "mine.py"),
    "no examples": ("return ROWS", "return []", "line 7 (get_train_examples)"),
}


@pytest.mark.parametrize("kind", RAISED)
def test_what_the_method_raises_is_told_with_its_line(kind, plugin):
    before, after, place = RAISED[kind]
    found = report(plugin(GOOD + HEAD.replace(before, after)))
    assert place in found and "Traceback" not in found
    assert "mine.py: " in found


CLASSES = {
    "no name": (
        '    task_name = "my-task"\n',
        "",
        "mine.py: line 3: the class Mine has no task_name",
    ),
    "no labels": ("get_labels", "labels", "mine.py: line 3: the class Mine has no get_labels."),
    "no dev": ("get_dev_", "dev_", ("plugin.task-lacks-methods", "get_dev_examples")),
    "labels twice": (
        '["a", "b"]',
        '["a", "a"]',
        ("plugin.labels-too-few", "mine.py: line 5"),
    ),
    "labels as text": ('["a", "b"]', '"ab"', "mine.py: line 5: get_labels gives str"),
    "labels raise": ('["a", "b"]', "[][1]", "mine.py: line 6: Mine.get_labels fails: IndexError"),
    "a syntax error": ("class Mine:", "class Mine", "mine.py: line 3, column "),
    "an error": ("class Mine:", "class Mine(Base):", "mine.py: line 3: the plugin fails when"),
    "an end": ("class Mine:", "exit(3)\nclass Mine:", "mine.py: line 3: the plugin fails when"),
    "no argument": ("class Mine:", "class Mine:\n    def __init__(self, x): pass", "Mine() fails"),
    "bad metrics": (
        "    def get_labels",
        "    def metrics(self, scores, labels):\n        return nothing\n    def get_labels",
        "mine.py: line 6: Mine.metrics fails: NameError",
    ),
    "metrics of another kind": (
        "    def get_labels",
        "    def metrics(self, scores, labels):\n        return 0.5\n    def get_labels",
        "must give a dict of names and numbers, not float",
    ),
    "a main metric that is none of the usual ones": (
        "    def get_labels",
        "    main_metric = 'macrof1'\n    def get_labels",
        ("plugin.main-metric-not-given", "mine.py: line 3", "'macrof1'", "macro_f1"),
    ),
    "another main metric": (
        "    def get_labels",
        "    main_metric = 'c'\n    def metrics(self, s, l):\n        return {'b': 1}\n    def get_labels",
        "mine.py: line 6: main_metric is 'c', but metrics gives b.",
    ),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_faulty_class_is_named_before_anything_is_read(kind, plugin):
    before, after, message = CLASSES[kind]
    text = (GOOD + HEAD).replace(before, after, 1)
    with pytest.raises(UserError) as caught:
        task_of(plugin(text))
    assert holds(caught, message)
    assert all(problem.place.startswith("mine.py") for problem in caught.value.problems)


def test_own_metrics_take_the_place_of_the_usual_ones(plugin):
    own = "    def metrics(self, scores, labels):\n"
    own += (
        "        return {'hits': float((scores.argmax(1) == labels).sum()), 'odd': float('nan')}\n"
    )
    task = task_of(plugin(GOOD + HEAD + own))
    found = task.metrics(np.eye(2), np.array([0, 0]), None)
    assert found == {"hits": 1.0}, "what is no number is left out"
    assert (task.main_metric, task.main_metric_of(found)) == ("hits", "hits")
    assert task.metric("hits")(np.eye(2), np.array([0, 1]), None) == 2.0


def test_examples_that_change_from_call_to_call_are_refused(plugin):
    text = HEAD.replace("return ROWS", "ROWS[0]['text_a'] += '!'; return ROWS", 1)
    task = task_of(plugin(GOOD + text))
    list(task.read(here(), "train"))
    with refused("plugin.other-examples-each-time"):
        list(task.read(here(), "train"))


def test_the_fingerprint_is_that_of_the_examples(plugin):
    def found(text, name):
        return task_of(plugin(text + HEAD, name)).fingerprint(here(), "train")

    changed = GOOD.replace('"y"', '"z"')
    assert found(GOOD, "one.py") == found(GOOD, "two.py") != found(changed, "three.py")


def test_a_split_without_its_method_is_not_there(plugin):
    task = task_of(plugin(GOOD + HEAD.replace("get_test_examples", "other")))
    assert task.find("test", here()) is None
    with pytest.raises(UserError, match=r"no test file for the task my-task.*get_test_examples"):
        locate(task, "test", here())


def test_rows_to_be_predicted_come_from_a_file_of_texts(plugin, tmp_path):
    task, path = task_of(plugin()), tmp_path / "rows.txt"
    path.write_text("one\ttwo\nthree\tfour\n", encoding="utf-8")
    assert [(r.text_a, r.text_b) for r in task.read(path, "test", False)] == [
        ("one", "two"),
        ("three", "four"),
    ]
    path.write_text("one\ttwo\nthree\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"rows\.txt: line 2"):
        list(task.read(path, "test", False))


def test_several_tasks_of_one_file_go_by_name_and_bases_do_not_count(plugin):
    text = GOOD + HEAD.replace('    task_name = "my-task"\n', "")
    text += "class One(Mine):\n    task_name = 'one'\nclass Two(Mine):\n    task_name = 'two'\n"
    name = plugin(text)
    assert lookup.task("One", [name]).name == "one"
    assert lookup.task("TWO", [name]).name == "two"
    with pytest.raises(UserError, match=r"no task 'thre'.*Known: .*one, .*two"):
        lookup.task("thre", [name])


def test_a_file_beside_the_plugin_can_be_imported_and_its_faults_are_named(plugin):
    plugin("def rows():\n    return 1 / 0\n", "helper_of_mine.py")
    name = plugin(
        "import helper_of_mine\n" + HEAD.replace("return ROWS", "return helper_of_mine.rows()")
    )
    assert report(name).startswith("helper_of_mine.py: line 2: Mine.get_train_examples fails")
