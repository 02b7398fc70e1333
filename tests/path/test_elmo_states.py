"""A frozen ELMo whose states are stored: each text is read once, and the student is the same."""

import json
import signal

import pytest
import torch

from chatstill import cli
from chatstill.data.caches import find_caches
from chatstill.models.networks.elmo.layers import BiLm
from chatstill.run import run as pipeline
from tests.elmo_by_hand import write_elmo

from . import world
from .children import die, fork, wait
from .same_student import one_and_two_alike
from .test_elmo import ELMO, network

EXACT = {
    "training_arguments": {"optim": "sgd"},
    "learning_rate": 0.1,
}  # Adam divides by gradients near 0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the two files."""
    return write_elmo(
        tmp_path_factory.mktemp("files"), seed=2, width=12, cell=10, clip=2, scale=0.3
    )


@pytest.fixture
def values(shared, teacher_of, files, tmp_path):
    """``values(name, stored, **changes)``: a configuration of three epochs, with dropout."""

    def make(name, stored=True, keys=None, **changes):
        student = network(files, **{"dropout": 0.5, "classifier_dropout": 0.1, **(keys or {})})
        more = {**ELMO, **EXACT, **student, "teacher_cache": stored, "use_cpu": True, **changes}
        more.setdefault("cache_dir", str(tmp_path / "cache"))
        return world.values_for(shared / "data", tmp_path / name, teacher_of(), **more)

    return make


@pytest.fixture
def read(monkeypatch):
    """How many texts a language model was asked for, call by call."""
    found = []
    forward = BiLm.forward

    def noting(self, characters):
        found.append(len(characters))
        return forward(self, characters)

    monkeypatch.setattr(BiLm, "forward", noting)
    return found


def student_of(folder):
    return world.weights_of(folder / "student")


def alike(folder, *names):
    """The students of two runs, equal but for rounding."""
    one, other = (student_of(folder / name) for name in names)
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-6, msg=name)


def settled(folder):
    return json.loads((folder / "student_states.json").read_text("utf-8"))


def test_each_text_is_read_once_and_the_student_is_that_of_a_run_that_computes(
    values, tmp_path, read, capsys
):
    world.distilled(values("live", False), tmp_path / "c1")
    of_live = sum(read)
    read.clear()
    said = world.distilled(values("stored", True), tmp_path / "c2")
    alike(tmp_path, "live", "stored")
    found = settled(tmp_path / "stored")
    assert found["stored"] and found["bytes"] == 402 * 5 * 12 * 4
    assert (
        "student's states   stored: 156 kB (3 layers of at most 648 words and boundaries)" in said
    )
    assert (
        f"student's states: {found['text']}" in said
        and "60 different texts, 402 words" in found["text"]
    )
    assert "student's states: 60 of 60 rows" in said
    in_steps = 3 * 48 * 2  # epochs, rows, texts
    assert of_live - sum(read) == in_steps - 60

    (states,) = (one for one in find_caches(tmp_path / "cache") if one.kind == "states")
    assert str(states.path) == found["cache"] and states.users == ((tmp_path / "stored").resolve(),)
    assert states.size > found["bytes"]
    capsys.readouterr()
    assert cli.main(["cache", str(tmp_path / "cache"), "--remove", "--yes"]) == 0
    assert "states of a student" in capsys.readouterr().out and not states.path.exists()
    assert cli.main(["evaluate", str(tmp_path / "stored")]) == 0, "which needs none of them"
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is the box\tsure\n", encoding="utf-8")
    output = ["--output", str(tmp_path / "scores.tsv")]
    assert cli.main(["predict", str(tmp_path / "stored"), str(rows), *output]) == 0


@pytest.mark.slow
def test_single_texts_rows_without_labels_and_the_best_weights(values, shared, tmp_path):
    data = world.write_chat(tmp_path / "data", train=3)
    lines = (shared / "data" / "chat" / "train.data.txt").read_text("utf-8").splitlines()[20:40]
    more = "".join(line.rpartition("\t")[0] + "\n" for line in lines)
    (data / "chat" / "unlabeled.data.txt").write_text(more, encoding="utf-8")
    changes = {"keys": {"pooling": "max", "layer_norm": True, "boundaries": True}, "keep": "best"}
    for name, stored in (("live", False), ("stored", True)):
        made = {**values(name, stored, **changes), "data_dir": str(data)}
        said = world.distilled(made, tmp_path / f"c-{name}")
    assert "12 of 32 rows have a label" in said
    alike(tmp_path, "live", "stored")
    changes = {"task_name": "sst2", "max_steps": 3}
    for name, stored in (("one-live", False), ("one-stored", True)):
        world.distilled(values(name, stored, **changes), tmp_path / f"c-{name}")
    alike(tmp_path, "one-live", "one-stored")
    assert settled(tmp_path / "one-stored")["stored"]


def test_killed_while_they_are_stored_a_run_goes_on_to_the_weights_of_an_unbroken_one(
    values, tmp_path
):
    """Started again with a budget of nothing, it keeps to what was decided."""
    world.distilled(values("whole"), tmp_path / "c1")
    (tmp_path / "cache").rename(tmp_path / "of-whole")
    path = tmp_path / "broken.json"

    def attempt(budget, kill=False):
        text = json.dumps({**values("broken", "auto"), "teacher_cache_budget_gb": budget})
        path.write_text(text.replace('"teacher_cache": "auto"', '"teacher_cache": true'), "utf-8")

        def run():
            from chatstill.data.store import ArrayWriter

            publish = ArrayWriter.publish

            def stop(self, facts):
                if kill and "shard" in facts and self.folder.parent.parent.name == "states":
                    die()
                return publish(self, facts)

            ArrayWriter.publish = stop
            return cli.main(["distill", str(path)])

        return wait(fork(run, tmp_path / "child.txt"))

    assert attempt(10, kill=True) == -signal.SIGKILL, (tmp_path / "child.txt").read_text("utf-8")
    assert settled(tmp_path / "broken")["stored"] and not (tmp_path / "broken" / "student").exists()
    assert attempt(0) == 0, (tmp_path / "child.txt").read_text("utf-8")
    one, other = student_of(tmp_path / "whole"), student_of(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)
    files = [
        file.relative_to(tmp_path / "cache")
        for file in (tmp_path / "cache").glob("states/*/*/*.bin")
    ]
    assert files
    for file in files:
        assert (tmp_path / "of-whole" / file).read_bytes() == (
            tmp_path / "cache" / file
        ).read_bytes()


@pytest.mark.slow
def test_two_processes_store_and_read_them_together(values, tmp_path):
    def loaded(name, rows):
        keys = {"dropout": 0.0, "classifier_dropout": 0.0}  # masks are drawn process by process
        made = values(name, keys=keys, per_gpu_train_batch_size=rows)
        return world.loaded(made, tmp_path / f"c-{name}")

    one_and_two_alike(loaded, tmp_path)
    one, other = (settled(tmp_path / name) for name in ("one", "two"))
    assert one["stored"] and one["cache"] == other["cache"]


def test_the_plan_says_why_they_are_computed_and_a_language_model_in_training_is_never_stored(
    values, tmp_path
):
    def plan(**changes):
        where = world.console()
        made = values("out", **{"stored": "auto", **changes})
        pipeline.check(world.loaded(made, tmp_path / "configs", "check"), console=where)
        return world.said(where)

    words = "(3 layers of at most 648 words and boundaries)"
    text = plan(teacher_cache_budget_gb=0.0001)
    assert f"student's states   live: 156 kB {words}" in text
    assert "are more than teacher_cache_budget_gb, 0.0001" in text
    assert "live: teacher_cache is false" in plan(stored=False)
    assert "student's states" not in plan(stored=True, keys={"fine_tune": True})
    assert not (tmp_path / "cache").exists(), "a check writes nothing"


@pytest.mark.slow
def test_where_the_budget_does_not_allow_it_the_run_is_that_without_a_store(values, tmp_path):
    world.distilled(values("live", False), tmp_path / "c1")
    said = world.distilled(values("small", True, teacher_cache_budget_gb=0.00005), tmp_path / "c2")
    assert "live: 96 kB" in said and "are more than teacher_cache_budget_gb, 5e-05" in said
    one, other = student_of(tmp_path / "live"), student_of(tmp_path / "small")
    assert all(torch.equal(one[name], other[name]) for name in one)
