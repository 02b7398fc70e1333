"""What a task need not say has a default, whoever wrote the task."""

from pathlib import Path

import numpy as np
import pytest

from chatstill.config.schema import RunConfig
from chatstill.config.task import task_of
from chatstill.errors import UserError
from chatstill.lookup import task
from chatstill.tasks.defaults import TaskDefaults

BARE = """
from chatstill.tasks.base import Labels


class Bare:
    name = "bare"
    labels = Labels("classification", ("no", "yes"))
    label_words = ("0", "1")
    main_metric = "accuracy"
    ranking = False
    reading = "-upper"

    def remarks(self, scores, labels):
        return {"accuracy": "over the rows that were kept"}


task = Bare()
"""


@pytest.fixture
def bare(tmp_path):
    plugin = tmp_path / "bare_task.py"
    plugin.write_text(BARE)
    return str(plugin)


def test_a_plugins_bare_object_gets_what_it_lacks_and_keeps_what_it_says(bare):
    found, file = task("bare", [bare]), Path("rows.tsv")
    assert isinstance(found, TaskDefaults) and type(found).__name__ == "Bare"
    assert (found.parts(file, "train"), found.transfer(file)) == ([file], [])
    assert (found.absent("dev"), found.fingerprint(file, "dev"), found.bounds) == (None, None, None)
    assert (found.reads_folders, found.chosen_metric, found.label_form) == (False, "", "")
    assert found.reading == "-upper"
    nothing = np.zeros((0, 2))
    assert found.remarks(nothing, nothing) == {"accuracy": "over the rows that were kept"}
    assert task("bare", [bare]) is found  # made once: a task may remember its rows


@pytest.mark.parametrize(
    "keys",
    [{"on_bad_row": "skip"}, {"groups": "query"}, {"positive_label": "yes"}],
    ids=lambda keys: next(iter(keys)),
)
def test_keys_that_it_cannot_follow_are_refused_by_name(bare, keys):
    config = RunConfig(task_name="bare", plugins=(bare,), **keys)
    with pytest.raises(UserError) as refused:
        task_of(config)
    assert [problem.place for problem in refused.value.problems] == [*keys]


@pytest.mark.parametrize("name", ["chat", "sst2"])
def test_the_tasks_here_follow_them_on_a_copy(name):
    plain, skipping = task(name), task_of(RunConfig(task_name=name, on_bad_row="skip"))
    assert (plain.reading, skipping.reading) == ("", "-skip")
    assert skipping is not plain
