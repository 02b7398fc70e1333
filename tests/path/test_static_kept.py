"""A static student's words and vectors are made once, kept beside the rows, and make a run what it is."""

import json
import shutil
from types import SimpleNamespace

import pytest

from chatstill.data.caches import find_caches
from chatstill.models.networks import word_vectors as vectors
from chatstill.readers import word_lists
from chatstill.run import run as pipeline
from chatstill.train.runfolder import WORDS
from tests.found import refused

from ..processes import run_processes
from . import world
from .test_static import STATIC, network

TAUGHT = {**STATIC, **network(vectors="teacher"), "num_train_epochs": 2}


@pytest.fixture
def counting(monkeypatch):
    """How often words were counted, and vectors made."""
    seen = SimpleNamespace(words=0, vectors=0)
    count, states = word_lists.count_words, vectors.word_states

    def counted(*arguments):
        seen.words += 1
        return count(*arguments)

    def made(*arguments):
        seen.vectors += 1
        return states(*arguments)

    monkeypatch.setattr(word_lists, "count_words", counted)
    monkeypatch.setattr(vectors, "word_states", made)
    return seen


def record_of(folder):
    return json.loads((folder / "run.json").read_text("utf-8"))


def stopped(done, **fingerprint):
    """As if the run had been stopped after its last checkpoint; its fingerprint changed so."""
    record = record_of(done.folder)
    record["state"] = "running"
    for key, value in fingerprint.items():
        record["fingerprint"].pop(key)
        if value is not None:
            record["fingerprint"][key] = value
    for name in ("run.json", ".run.json.copy"):
        (done.folder / name).write_text(json.dumps(record), encoding="utf-8")


def again(done):
    where = world.console()
    pipeline.distill(done.loaded, console=where)
    return world.said(where)


def test_a_run_that_goes_on_counts_nothing_anew_and_ends_alike(run, counting):
    done = run(**TAUGHT)
    before = world.weights_of(done.folder / "student")
    assert (counting.words, counting.vectors) == (1, 1)
    kinds = sorted(cache.kind for cache in find_caches(done.folder))
    assert kinds.count("words") == 2, kinds
    stopped(done)
    shutil.rmtree(done.folder / "checkpoints")  # from the first step
    again(done)
    assert (counting.words, counting.vectors) == (1, 1)
    after = world.weights_of(done.folder / "student")
    assert all((before[name] == after[name]).all() for name in before)


def test_other_processes_read_what_the_first_one_made(shared, teacher_of, tmp_path, monkeypatch):
    """Each would count for itself; the second one finds the words, or is told by a fault."""
    values = world.values_for(
        shared / "data", tmp_path / "two", teacher_of(), **TAUGHT, per_gpu_train_batch_size=4
    )
    loaded = world.loaded(values, tmp_path / "configs")

    def work(rank):
        if rank:

            def never(*_):
                raise AssertionError("counted or made by another process than the first")

            monkeypatch.setattr(word_lists, "count_words", never)
            monkeypatch.setattr(vectors, "word_states", never)
        pipeline.distill(loaded, console=world.console())

    run_processes(work, 2)
    assert record_of(tmp_path / "two")["state"] == "finished"


def test_the_words_are_part_of_what_a_run_is(run):
    done = run(**STATIC)
    assert len(record_of(done.folder)["fingerprint"][WORDS]) == 64
    stopped(done, **{WORDS: "0" * 64})
    with refused("run.another-configuration", WORDS):
        again(done)
    with refused("run.another-configuration", WORDS):
        run("check", **STATIC)


def test_a_run_of_before_goes_on_and_records_them(run, counting):
    done = run(**STATIC)
    words = record_of(done.folder)["fingerprint"][WORDS]
    stopped(done, **{WORDS: None})
    for cache in find_caches(done.folder):
        if cache.kind == "words":  # it kept none either
            shutil.rmtree(cache.path)
    again(done)
    assert counting.words == 2
    found = record_of(done.folder)
    assert found["state"] == "finished" and found["fingerprint"][WORDS] == words


def test_a_check_counts_and_keeps_nothing(run, counting, tmp_path):
    run("check", cache_dir=str(tmp_path / "common"), **TAUGHT)
    assert (counting.words, counting.vectors) == (1, 1)
    assert not (tmp_path / "common" / "views").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["min_count", "texts", "damage"])
def test_other_words_are_counted_where_anything_has_changed(
    run, counting, shared, tmp_path, change
):
    common = {"cache_dir": str(tmp_path / "common"), "max_steps": 1, "num_train_epochs": None}
    plain = {**STATIC, **common}
    done = run(**plain, name="one")
    run(**plain, name="two", seed=99)
    assert counting.words == 1, "shared by all runs on these rows"
    if change == "min_count":
        plain |= network(min_count=15)
    if change == "texts":
        shutil.copytree(shared / "data", tmp_path / "data")
        file = tmp_path / "data" / "chat" / "train.data.txt"
        file.write_text(file.read_text("utf-8") + "where is zebra\tsure\t1\n", encoding="utf-8")
        plain |= {"data": tmp_path / "data"}
    if change == "damage":
        (kept,) = (c for c in find_caches(tmp_path / "common") if c.kind == "words")
        file = kept.path / "words.bin"
        file.write_bytes(file.read_bytes().replace(b"where", b"whare"))
    last = run(**plain, name="three")
    assert counting.words == 2
    words = [(one.folder / "student" / "words.json").read_text("utf-8") for one in (done, last)]
    assert (words[0] == words[1]) is (change == "damage")
    assert ("zebra" in words[1]) is (change == "texts")


def test_other_weights_of_the_teacher_make_other_vectors(run, counting, copy_of, tmp_path):
    import safetensors.torch

    common = {"cache_dir": str(tmp_path / "common"), "max_steps": 1, "num_train_epochs": None}
    run(**{**TAUGHT, **common}, name="one")
    folder = copy_of()
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    name = next(key for key in weights if key.endswith("word_embeddings.weight"))
    weights[name] = weights[name] + 0.001
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    run(**{**TAUGHT, **common}, name="two", teacher=folder)
    assert (counting.words, counting.vectors) == (1, 2)
