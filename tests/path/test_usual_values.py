"""A run whose file leaves learning rate, epochs and selection out says and writes what it took."""

import json
import re
from dataclasses import replace

import pytest

pytestmark = pytest.mark.smoke


def test_what_was_taken_stands_in_plan_and_configuration(run):
    left_out = dict.fromkeys(("learning_rate", "num_train_epochs", "keep"))
    done = run(max_steps=None, **left_out)
    wide = "learning rate +0\\.001, usual for layers that were trained before, \\d+ wide"
    assert re.search(wide, done.text)
    assert re.search(r"steps +204 \(34 epochs of 6\), usual for 48 rows \(at least 200", done.text)
    resolved = json.loads((done.folder / "config.resolved.json").read_text(encoding="utf-8"))
    expected = {"learning_rate": 1e-3, "num_train_epochs": 34, "keep": "best", "eval_steps": 10}
    for key, value in {**expected, "warmup_percentage": 0.1}.items():
        assert resolved[key]["value"] == value and resolved[key]["origin"].startswith("usual ")
    assert "holds this run, finished" in run(**left_out).text, "the same file is the same run"


def test_values_of_ones_own_that_lie_far_off_are_told(run):
    said = run("check", learning_rate=2e-5, num_train_epochs=2).text
    assert "learning_rate: 2e-05 is 50 times below what is usual" in said
    assert (
        "num_train_epochs: 2, where 34 epochs would be usual for 48 rows (at least 200 steps)"
        in said
    )


def test_a_teacher_scored_on_all_of_dev_before_training_is_not_scored_again(run, monkeypatch):
    from chatstill.run import train as running

    scored = []
    whole = running.score_view

    def counted(job, view, model):
        scored.append("teacher" if model is job.teacher else "student")
        return whole(job, view, model)

    monkeypatch.setattr(running, "score_view", counted)
    first = run()
    assert set(scored) == {"student"}, "dev is small: the pre-flight has the teacher's scores"
    scored.clear()
    monkeypatch.setattr("chatstill.preflight.trial.SAMPLE", 8)
    other = run(name="other")
    assert scored.count("teacher") == 1, "the pre-flight saw eight rows"
    read = [json.loads((done.folder / "metrics.json").read_text()) for done in (first, other)]
    assert read[0]["teacher"]["metrics"] == read[1]["teacher"]["metrics"], "to the last digit"


@pytest.mark.parametrize(
    ("native", "share", "said"), [(True, 0.5, True), (True, 1, False), (False, 0.5, False)]
)
def test_the_plan_says_what_bf16_would_save(run, monkeypatch, native, share, said):
    from chatstill.preflight import preflight as checkup
    from chatstill.preflight import run_cost as costs

    timed, first = costs.rehearse_job, []

    def faster(*args, **more):
        found = timed(*args[:3], **more)
        if not args[3:]:
            first.append(found)
            return found
        times = [replace(t, seconds=t.seconds * share) for t in first[0]["train"].timings]
        return {"train": replace(found["train"], timings=times)}

    for module in (checkup, costs):
        monkeypatch.setattr(module, "rehearse_job", faster)
    monkeypatch.setattr(costs, "native_bf16", lambda device: native)
    monkeypatch.setattr(costs, "WORTH_ASKING", 0.0)
    text = run("check").text
    assert ('in bf16, which this processor has: "bf16": true' in text) == said
