"""The task that a network is scored on: what neither keys nor rows tell of its classes, its folder does."""

import json

import pytest

from chatstill.config.schema import RunConfig
from chatstill.evaluate.score_file import task_for


def folder_of(tmp_path, names, **block):
    values = {"model_type": "bert", "id2label": dict(enumerate(names)), "chatstill": block}
    (tmp_path / "config.json").write_text(json.dumps(values))
    return tmp_path


@pytest.mark.parametrize(
    ("names", "kept", "task", "counts"),
    [
        (("ham", "spam"), "spam", "mrpc", "equivalent"),
        (("not_equivalent", "equivalent"), "equivalent", "mrpc", "equivalent"),
        (("no_match", "match"), "match", "chat", "match"),
        (("x",), "x", "stsb", None),
        (("x", "y", "z"), "x", "mnli", None),
    ],
)
def test_a_network_of_another_task_changes_nothing_of_this_one(tmp_path, names, kept, task, counts):
    folder = folder_of(tmp_path, names, positive_label=kept)
    assert task_for(folder, RunConfig(task_name=task)).labels.positive == counts


@pytest.mark.parametrize(("keys", "counts"), [({}, "false"), ({"positive_label": "true"}, "true")])
def test_its_class_counts_where_no_key_names_one(tmp_path, keys, counts):
    (tmp_path / "a.csv").write_text("text,label\na,true\nb,false\n")
    data = {"text": "text", "label": "label", "train": str(tmp_path / "a.csv")}
    folder = folder_of(tmp_path, ("false", "true"), positive_label="false")
    assert task_for(folder, RunConfig(data=data, **keys)).labels.positive == counts


def test_of_rows_with_other_classes_their_own_words_tell(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,yes\nb,no\n")
    data = {"text": "text", "label": "label", "train": str(tmp_path / "a.csv")}
    folder = folder_of(tmp_path, ("ham", "spam"), positive_label="spam")
    assert task_for(folder, RunConfig(data=data)).labels.positive == "yes"


def test_one_logit_brings_both_of_its_classes(tmp_path):
    data = {"text": "text", "label": "label", "train": str(tmp_path / "gone.csv")}
    folder = folder_of(tmp_path, ("pear",), labels=["apple", "pear"])
    assert task_for(folder, RunConfig(data=data)).labels.names == ("apple", "pear")
