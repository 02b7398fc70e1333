"""Every masking of a run on a corpus: two processes, an interruption, the fingerprint, refusals."""

import json
import random
import shutil
from collections import Counter

import numpy as np
import pytest

from chatstill.config import load
from chatstill.run import run as pipeline
from chatstill.run.fingerprint import run_fingerprint
from tests.draws import reseeded
from tests.found import refused
from tests.longer import longer

from . import world
from .same_student import one_and_two_alike
from .test_masked_lm import NO_PREDICTIONS, BrokenOnCorpus, corpus, network, run, told, values_for

MASKINGS = {
    "rare": {"masking": "distilbert"},
    "whole": {"whole_words": True},
    "rare and whole": {"masking": "distilbert", "smoothing": 1.5, "whole_words": True},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "train.txt").write_text(corpus(60), encoding="utf-8")
    (folder / "dev.txt").write_text(corpus(20, seed=1), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Its tokenizer writes a word as a blank and the rest: two pieces."""
    return network(tmp_path_factory.mktemp("start"), "roberta", dropout=0.0)


@pytest.mark.parametrize("accumulation", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", longer(MASKINGS))
def test_two_processes_make_the_network_of_one(data, start, tmp_path, name, accumulation):
    exact = {"training_arguments": {"optim": "sgd"}, "learning_rate": 0.2, "keep": "last"}
    exact |= {"gradient_accumulation_steps": accumulation, "masked_lm": MASKINGS[name]}
    exact |= {"max_steps": 6, "num_train_epochs": None}

    def loaded(output, batch):
        changes = {**exact, "per_gpu_train_batch_size": batch}
        values = values_for(data, tmp_path / output, start, **changes)
        return world.loaded(values, tmp_path / f"configs-{output}")

    one = one_and_two_alike(loaded, tmp_path)
    begun = world.weights_of(start)
    assert max(float((one[key] - begun[key]).abs().max()) for key in one) > 1e-4


def test_killed_and_started_again_it_ends_as_unbroken(data, start, tmp_path):
    """Counts of pieces are found again, or counted again to the same."""
    changes = {"save_steps": 3, "eval_steps": 4, "masked_lm": MASKINGS["rare and whole"]}
    broken = BrokenOnCorpus(data, start, tmp_path, changes)
    assert broken.files == NO_PREDICTIONS
    broken.kill_again_and_again("again", random.Random(reseeded(3)), times=4, least=1)


def test_pieces_are_counted_in_the_training_text_alone(data, start, tmp_path):
    run(
        values_for(data, tmp_path / "out", start, max_steps=1, masked_lm=MASKINGS["rare"]), tmp_path
    )
    (kept,) = (tmp_path / "out" / "cache").rglob("counts.bin")
    tokenizer = world.tokenizer_of("roberta")
    documents = (data / "train.txt").read_text("utf-8").strip().split("\n\n")
    texts = [" ".join(document.split("\n")) for document in documents]
    counted = Counter(n for ids in tokenizer(texts)["input_ids"] for n in ids[1:-1])
    found = np.fromfile(kept, np.int64)
    ordinary = [n for n in range(len(tokenizer)) if n not in tokenizer.all_special_ids]
    assert {n: found[n] for n in ordinary} == {n: counted[n] for n in ordinary}


def test_dev_is_masked_alike_whatever_the_run_draws(data, start, tmp_path):
    """One step at a rate of next to nothing: the figures are those of the same weights."""
    still = {"max_steps": 1, "num_train_epochs": None, "learning_rate": 1e-9}
    figures = []
    for name, masking in {"plain": {}, **MASKINGS}.items():
        run(values_for(data, tmp_path / name, start, masked_lm=masking, **still), tmp_path / "c")
        figures.append(told(tmp_path / name)["dev"]["metrics"])
    assert all(found == pytest.approx(figures[0], rel=1e-5) for found in figures[1:])


def fingerprint(values, folder):
    return run_fingerprint(world.loaded(values, folder), "distill")


def test_runs_of_before_have_the_fingerprint_that_they_had(data, start, tmp_path):
    """What is left out, or written down as it was, is not in it; what draws otherwise is."""
    of = {
        name: fingerprint(
            values_for(data, tmp_path / "out", start, masked_lm=block), tmp_path / "c"
        )
        for name, block in {
            "before": {},
            "written down": {"masking": "bert", "whole_words": False},
            "rare": {"masking": "distilbert"},
            "rare, written down": {"masking": "distilbert", "smoothing": 0.7},
            "rarer": {"masking": "distilbert", "smoothing": 1.0},
            "whole": {"whole_words": True},
        }.items()
    }
    known = {key for key in of["before"] if key.startswith("method.")}
    assert known == {"method.level", "method.masked_share", "method.train"}
    assert of["written down"] == of["before"]
    assert of["rare, written down"] == of["rare"]
    different = [of[name] for name in ("before", "rare", "rarer", "whole")]
    assert all(one != other for n, one in enumerate(different) for other in different[:n])


def test_the_record_has_the_smoothing_that_counts(data, start, tmp_path):
    def recorded(**block):
        values = values_for(data, tmp_path / "out", start, masked_lm=block)
        return world.loaded(values, tmp_path / "c").resolved()["masked_lm.smoothing"]

    assert recorded(masking="distilbert") == {"value": 0.7, "origin": "default"}
    assert recorded(masking="bert")["value"] is None, "it is without effect"


def test_the_plan_says_what_is_drawn(data, start, tmp_path):
    where = world.console()
    values = values_for(data, tmp_path / "out", start, masked_lm=MASKINGS["rare and whole"])
    pipeline.check(world.loaded(values, tmp_path), console=where)
    said = world.said(where)
    assert "power of -1.5" in said and "whole words" in said
    assert not (tmp_path / "out").exists()


REFUSED = {
    "smoothing": ({"masked_lm": {"smoothing": 0.7}}, "config.refused-value"),
    "negative": ({"masked_lm": {"masking": "distilbert", "smoothing": -1}}, "config.wrong-value"),
    "no such draw": ({"masked_lm": {"masking": "roberta"}}, "config.wrong-value"),
    "stored": ({"teacher_cache": True}, "cache.tokens-are-drawn"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_keys_that_do_not_fit_are_refused_by_name(data, start, tmp_path, name):
    changes, code = REFUSED[name]
    (tmp_path / "my.json").write_text(
        json.dumps(values_for(data, tmp_path / "out", start, **changes)), encoding="utf-8"
    )
    with refused(code):
        load(tmp_path / "my.json", [], verb="distill")


def test_words_that_the_tokenizer_cannot_tell_are_refused(data, tmp_path):
    start = network(tmp_path / "start")  # whole words are its pieces
    values = values_for(data, tmp_path / "out", start, masked_lm={"whole_words": True})
    with refused("masking.no-word-starts"):
        run(values, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_damaged_count_is_counted_again(data, start, tmp_path):
    """A run that was stopped before its end finds its cache damaged: it ends as unbroken."""
    changes = {"save_steps": 2, "masked_lm": MASKINGS["rare"]}
    broken = BrokenOnCorpus(data, start, tmp_path, changes)
    assert broken.attempt("again", kill_at=broken.changes_made * 2 // 3) != 0
    (kept,) = (tmp_path / "again" / "cache").rglob("counts.bin")
    shutil.copyfile(__file__, kept)
    assert broken.attempt("again") == 0, broken.said()[-3000:]
    broken.assert_equal("again")
