"""What the plan of a run on a corpus estimates, and what its page and card say afterwards."""

import re

import pytest
import torch

from chatstill.preflight.cost import StepTiming
from chatstill.preflight.timed_steps import Rehearsal
from chatstill.run import run as pipeline
from chatstill.run.pretraining import cost
from chatstill.run.pretraining.job import open_job

from . import world
from .test_masked_lm import corpus, network, run, told, values_for


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "train.txt").write_text(corpus(60), encoding="utf-8")
    (folder / "dev.txt").write_text(corpus(20, seed=1), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return network(tmp_path_factory.mktemp("start"))


def job_of(values, folder):
    loaded = world.loaded(values, folder)
    return open_job(loaded.config, "distill", loaded.method_class)


def timed(*steps):
    """As if these steps of (tokens, seconds) had been tried."""
    return Rehearsal([StepTiming(*step) for step in steps], 1000, 4000, 0, 0, 100)


@pytest.mark.parametrize("block", [{}, {"masking": "distilbert"}, {"whole_words": True}])
def test_a_trial_is_timed_and_leaves_all_as_it_was(data, start, tmp_path, block):
    if "whole_words" in block:
        start = network(tmp_path / "start", "roberta")
    values = values_for(data, tmp_path / "out", start, masked_lm=block)
    where = world.console()
    before = torch.get_rng_state()
    pipeline.check(world.loaded(values, tmp_path / "c"), console=where)
    said = world.said(where)
    assert re.search(r"time +\S+ to \S+", said) and "per process on" in said
    speed = re.search(r"about ([\d,]+) tokens a second in training", said)
    assert speed is not None and int(speed[1].replace(",", "")) > 0
    assert torch.equal(before, torch.get_rng_state())
    assert not (tmp_path / "out").exists()


def test_weights_masks_and_counts_of_the_job_are_untouched_by_the_trial(data, start, tmp_path):
    values = values_for(data, tmp_path / "out", start, masked_lm={"masking": "distilbert"})
    job = job_of(values, tmp_path)
    train = cost.measure(job, job.corpus.train)
    before = {name: value.clone() for name, value in job.method.student.state_dict().items()}
    tried = cost.try_steps(job, train)
    after = job.method.student.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert job.masking.counts is None and job.method.run.masking is job.masking
    assert tried.has_gradient and tried.findings is None
    assert [step.tokens for step in tried.timings] == sorted(s.tokens for s in tried.timings)


def test_time_is_that_of_all_steps_and_scored_blocks(data, start, tmp_path):
    """A second a token: figures by hand."""
    changes = {"num_train_epochs": 3, "gradient_accumulation_steps": 2, "eval_steps": 4}
    job = job_of(values_for(data, tmp_path / "out", start, **changes), tmp_path)
    train, dev = (cost.measure(job, part) for part in (job.corpus.train, job.corpus.dev))
    steps = 3 * -(-(train.blocks // 8) // 2)  # 8 blocks twice; a rest is dealt out among them
    mean, longest = train.tokens / train.blocks, int(train.sample.lengths.max())
    computed = min(1.06 * mean, longest)
    evaluations = -(-steps // 4) + 1  # every four steps, and at the end
    scored = evaluations * dev.blocks * min(1.06 * dev.tokens / dev.blocks, longest) / 3
    wanted = 3 * train.blocks * computed + scored
    rows, _ = cost._time_and_memory(job, train, dev, timed((100, 100.0), (200, 200.0)))
    found = dict(rows)
    low, high = (seconds(text) for text in found["time"].split(" to "))
    assert low == pytest.approx(0.85 * wanted, rel=0.001)
    assert high == pytest.approx(1.15 * wanted, rel=0.001)
    rows, _ = cost._time_and_memory(job, train, dev, timed((100, 0.001), (200, 0.002)))
    speed = int(re.search(r"[\d,]+", dict(rows)["speed"])[0].replace(",", ""))
    assert speed == pytest.approx(100_000 * mean / computed, rel=0.001)  # padding is not counted


def seconds(text):
    """``5:30 min`` or ``12 s``, as clocks are told."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return sum(number * 60**power for power, number in enumerate(reversed(numbers)))


def test_a_large_part_is_measured_by_its_beginning(data, start, tmp_path, monkeypatch):
    from chatstill.tasks import reading

    job = job_of(values_for(data, tmp_path / "out", start), tmp_path)
    whole = cost.measure(job, job.corpus.train)
    monkeypatch.setattr(reading, "BLOCK", 200)
    monkeypatch.setattr(cost, "SAMPLE", job.corpus.train.size // 2)
    about = cost.measure(job, job.corpus.train)
    assert whole.exact and not about.exact
    assert len(about.sample) < len(whole.sample)
    assert about.tokens == pytest.approx(whole.tokens, rel=0.15)


def test_page_and_card_count_blocks_and_tokens(data, start, tmp_path):
    run(values_for(data, tmp_path / "out", start, max_steps=3, num_train_epochs=None), tmp_path)
    found = told(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    card = (tmp_path / "out" / "student" / "README.md").read_text("utf-8")
    rows, tokens = found["training"]["rows"], found["training"]["tokens"]
    assert f"Trained on {rows:,} blocks" in page and f"{tokens:,} tokens of 60 documents" in page
    assert found["training"]["phases"][0]["rows"] == found["training"]["rows"]
    share = 100 * found["training"]["phases"][0]["epochs"]
    assert share == pytest.approx(100 * 3 / (rows // 8), abs=0.01)
    assert f"documents, of which the steps saw {share:.3g} %" in page
    assert "length limit" not in page and "dev rows" not in page + card
    assert f"{found['dev']['rows']:,} dev blocks" in page and "dev blocks" in card
    assert "masked accuracy" in page and "masked accuracy" in card
    assert found["dev"]["unit"] == "blocks" and found["dev"]["lower_is_better"]
    text = (tmp_path / "out" / "eval_results.txt").read_text("utf-8")
    assert f"blocks = {found['dev']['rows']}" in text
