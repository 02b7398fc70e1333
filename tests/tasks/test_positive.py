"""Which of two classes counts: by the key or by plain words, never by the order of a sort."""

import json

import numpy as np
import pytest
from tests.found import refused

from chatstill.config.schema import RunConfig
from chatstill.config.task import task_of
from chatstill.errors import UserError
from chatstill.tasks import get_task
from chatstill.tasks.base import Labels
from chatstill.tasks.label_names import settled_tables
from chatstill.tasks.positive import PLAIN_PAIRS, plain_positive, with_positive
from chatstill.tasks.selection import check_selection, main_metric_of, metrics_of


@pytest.mark.parametrize("pair", PLAIN_PAIRS)
def test_a_plain_pair_counts_by_its_meaning_in_either_order(pair):
    assert plain_positive(pair) == plain_positive(pair[::-1]) == pair[1]


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("duplicate", "not_duplicate"), "duplicate"),
        (("match", "no_match"), "match"),
        (("entailment", "Not Entailment"), "entailment"),
        (("相关", "不相关"), "相关"),
        (("满意", "不满意"), "满意"),
        (("Correct", "INCORRECT"), "Correct"),
        (("ｙｅｓ", "no"), "ｙｅｓ"),
        (("ham", "spam"), "spam"),
        (("ice", "notice"), None),
        (("form", "inform"), None),
        (("a", "b"), None),
        (("1", "2"), None),
        (("no", "maybe"), None),
        (("yes", "no", "maybe"), None),
    ],
)
def test_words_whose_meaning_is_plain_and_others(names, counts):
    assert plain_positive(names) == counts == plain_positive(names[::-1])


def rows(tmp_path, labels, groups=True):
    lines = ["query,reply,label"]
    for query in range(4):
        lines += [f"q{query},r{n},{labels[0] if n == query else labels[1]}" for n in range(4)]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    block = {"train": f"{tmp_path}/train.csv", "dev": f"{tmp_path}/dev.csv", "text": "query"}
    block |= {"text_pair": "reply", "label": "label"} | ({"group": "query"} if groups else {})
    return block


def task(block, **keys):
    return task_of(RunConfig(**json.loads(json.dumps({"data": block, **keys}))))


def scored(found, right):
    """MRR, F1 and accuracy of a network that puts the rows of one class in front."""
    examples = list(found.read(found.find("dev", None), "dev"))
    labels = np.array([example.label for example in examples], dtype=float)
    wanted = labels == found.labels.names.index(right)
    column = found.labels.names.index(right)
    scores = np.zeros((len(labels), 2))
    scores[wanted, column] = 1
    scores[~wanted, 1 - column] = 1
    groups = [example.group for example in examples]
    return found.metrics(scores, labels, groups if found.ranking else None)


def test_the_relevant_class_of_words_found_in_rows(tmp_path):
    found = task(rows(tmp_path, ("correct", "incorrect")))
    assert (found.labels.names, found.labels.positive) == (("incorrect", "correct"), "correct")
    metrics = scored(found, "correct")
    assert metrics["mrr"] == 1 and metrics["random_mrr"] == pytest.approx(25 / 48)


def test_the_key_turns_it_and_files_keep_their_numbers(tmp_path):
    block = rows(tmp_path, ("0", "1")) | {"labels": ["keep", "drop"]}
    found = task(block, positive_label="keep")
    assert found.labels.names == ("drop", "keep") and found.labels.numbered == ("keep", "drop")
    first = next(iter(found.read(found.find("dev", None), "dev")))
    assert first.label == 1  # a 0 in the file is still the first name of the list
    assert scored(found, "keep")["random_mrr"] == pytest.approx(25 / 48)
    assert scored(task(block, positive_label="drop"), "drop")["random_mrr"] > 0.8


def test_ranking_by_words_that_say_nothing_is_refused_with_the_key(tmp_path):
    found = task(rows(tmp_path, ("a", "b")))
    with pytest.raises(UserError) as caught:
        _ = found.labels
    (problem,) = caught.value.problems
    assert problem.place == "positive_label" and '"positive_label": "a"' in problem.hint


def test_without_groups_f1_is_left_out_with_the_key(tmp_path):
    found = task(rows(tmp_path, ("a", "b"), groups=False))
    metrics = scored(found, "a")
    assert metrics["accuracy"] == 1 and "f1" not in metrics
    assert '"positive_label" names the one' in found.missing(np.array([0, 1]), None)["f1"]
    assert (
        scored(task(rows(tmp_path, ("a", "b"), groups=False), positive_label="a"), "a")["f1"] == 1
    )


def test_more_classes_in_groups_are_ranked_by_the_one_that_is_named(tmp_path):
    block = rows(tmp_path, ("good", "poor"))
    text = (tmp_path / "dev.csv").read_text().replace("q0,r1,poor", "q0,r1,spam")
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text(text)
    found = task(block, positive_label="good")
    labels = np.array([e.label for e in found.read(found.find("dev", None), "dev")])
    groups = np.repeat(np.arange(4), 4)
    scores = np.eye(3)[labels.astype(int)]
    metrics = found.metrics(scores, labels, groups)
    assert metrics["mrr"] == 1 and found.main_metric_of(metrics) == "mrr"
    assert found.metric("mrr")(scores, labels, groups) == 1
    plain = task(block)
    assert "mrr" not in plain.metrics(scores, labels, groups)
    assert "positive_label" in plain.missing(labels, groups)["mrr"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"task_name": "chat", "positive_label": "no_match"}, ("defined-by-the-task", "'match'")),
        (
            {"task_name": "mrpc", "positive_label": "not_equivalent"},
            ("defined-by-the-task", "'equivalent'"),
        ),
        ({"task_name": "stsb", "positive_label": "1"}, ("without-effect",)),
        ({"task_name": "mnli", "positive_label": "neutral"}, ("without-effect",)),
        ({"task_name": "sst2", "positive_label": "good"}, ("no-class", "'good'")),
    ],
)
def test_built_in_tasks_say_themselves_what_counts(keys, expected):
    what, *values = expected
    with refused(f"positive-label.{what}", *values):
        task_of(RunConfig(**keys))


def test_a_built_in_task_takes_its_own_class_and_the_threshold_of_either():
    for name, label in (("chat", "match"), ("chat", 1), ("chat", True), ("mrpc", "equivalent")):
        assert task_of(RunConfig(task_name=name, positive_label=label)).name == name
    turned = task_of(RunConfig(task_name="sst2", positive_label="negative"))
    assert turned.labels.positive == "negative" and turned.labels.names[1] == "positive"
    assert get_task("sst2").labels.positive == "positive"


def test_labels_without_classes_refuse_the_key():
    with refused("positive-label.without-effect"):
        with_positive(Labels("regression"), "1")
    assert with_positive(Labels("regression"), None) == Labels("regression")


def tables(first, second):
    return settled_tables({"id2label": first, "label2id": second}, "here", "config.json")


def test_names_of_either_table_count():
    unnamed = {str(n): f"LABEL_{n}" for n in range(3)}
    names = {"c": 0, "a": 1, "b": 2}
    merged = {"0": "c", "1": "a", "2": "b"}
    assert tables(unnamed, names)["id2label"] == merged
    assert tables(None, names)["id2label"] == merged
    assert tables(merged, None) == {"id2label": merged, "label2id": None}
    assert tables(merged, names)["id2label"] == merged
    assert tables(merged, {f"LABEL_{n}": n for n in range(3)})["id2label"] == merged
    assert tables({"0": "neg", "1": "pos"}, {"neg": 0, "negative": 0, "pos": 1})["id2label"] == {
        "0": "neg",
        "1": "pos",
    }


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"0": "a", "1": "b"}, {"b": 0, "a": 1}, "names output 0 'a', label2id names it 'b'"),
        ({"0": "a", "1": "LABEL_1"}, {"a": 1}, "names output 0 'a', label2id says output 1"),
        ({"0": "a", "1": "b"}, {"a": "x"}, "is no output's number"),
        ("a, b", {"a": 0}, "expected an object"),
    ],
)
def test_tables_that_disagree_are_refused_naming_both(first, second, says):
    with pytest.raises(UserError, match=says):
        tables(first, second)


# -- the metric that selects -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"task_name": "chat"}, "map"),
        ({"task_name": "chat"}, "auc"),
        ({"task_name": "mrpc"}, "f1"),
        ({"task_name": "stsb"}, "pearson"),
        ({"task_name": "mnli"}, "mnli-mm/acc"),
    ],
)
def test_a_metric_of_the_task_can_select(keys, name):
    chosen = task_of(RunConfig(**keys, selection_metric=name))
    found = {metric: 0.5 for metric in metrics_of(chosen)}
    assert main_metric_of(chosen, found) == name
    del found[name]
    assert main_metric_of(chosen, found) == chosen.main_metric_of(found)
    plain = task_of(RunConfig(**keys))
    assert main_metric_of(plain, {**found, name: 0.1}) == plain.main_metric_of({**found, name: 0.1})


def test_another_metric_is_refused_with_those_there_are():
    with refused("metric.not-for-selection", "'mrrr'") as error:
        task_of(RunConfig(task_name="chat", selection_metric="mrrr"))
    assert error.value.problems[0].hint.startswith("Did you mean 'mrr'? Known: accuracy, f1, auc")
    with refused("metric.not-for-selection"):
        task_of(RunConfig(task_name="stsb", selection_metric="rmse"))


def test_a_metric_without_a_value_on_dev_is_refused_with_the_reason(tmp_path):
    chosen = task_of(RunConfig(task_name="chat", selection_metric="mrr"))
    with pytest.raises(UserError, match="no group holds both"):
        check_selection(chosen, np.array([1, 0]), np.array([0, 1]))
    check_selection(chosen, np.array([1, 0]), np.array([0, 0]))
    data = rows(tmp_path, ("a", "b"), groups=False)
    with refused("metric.not-for-selection", "'f1'"):
        task_of(RunConfig(data=data, selection_metric="f1"))
