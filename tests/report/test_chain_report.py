"""The table of a chain: what cannot be compared does not stand in one column."""

import json
import re

import pytest
from tests.report.test_run_report import METRICS

from chatstill.report.chain import chain_report, notes
from chatstill.report.page import render_report
from chatstill.report.run import main_of

HEAD = {"loss": 5.1, "masked_acc": 0.29, "pseudo_perplexity": 164.0}
TERMS = {"loss": 17.7, "term/attention": 17.3, "term/hidden": 0.4}


def link(folder, name, metrics):
    run = {key: value for key, value in METRICS.items() if key not in ("teacher", "agreement")}
    dev = {"rows": 9, "main": "loss", "value": metrics["loss"], "metrics": metrics}
    (folder / name).mkdir()
    (folder / name / "metrics.json").write_text(json.dumps({**run, "dev": dev}), encoding="utf-8")
    entry = {"name": name, "folder": str(folder / name), "network": name, "task": "corpus"}
    entry |= {"method": name, "after": [], "teacher": None, "main": "loss"}
    return {
        **entry,
        **{"value": metrics["loss"], "lower_is_better": True, "layers": 3, "parameters": 9},
        "steps": 50,
    }


def test_the_loss_of_own_terms_is_no_loss_of_a_head(tmp_path):
    links = [link(tmp_path, "head", HEAD), link(tmp_path, "general", TERMS)]
    report = chain_report({"links": links}, [tmp_path / "head", tmp_path / "general"])
    head, general = report.rows
    assert head.metrics["loss"].value == 5.1
    assert general.metrics["own_loss"].value == 17.7
    assert "loss" not in general.metrics and "own_loss" not in head.metrics
    assert report.summary == "head loss 5.100 → general loss of its terms 17.700"
    assert [series.name for series in report.scores] == ["general"]


def test_losses_of_different_kinds_have_an_axis_each(tmp_path):
    """A masked-LM head's losses beside each other, those of a method's own terms elsewhere."""
    links = [link(tmp_path, "head", HEAD), link(tmp_path, "general", TERMS)]
    for name, terms in (("head", ["masked"]), ("general", ["hidden", "attention"])):
        shares = {f"term/{term}_weighted": 1.0 for term in terms}
        lines = [
            {"phase": "p", "phase_index": 0, "step": step, "loss": 2.0, "dev/loss": 1.5, **shares}
            for step in (1, 2)
        ]
        text = "\n".join(map(json.dumps, lines))
        (tmp_path / name / "history.jsonl").write_text(text, encoding="utf-8")
    links[1]["head"] = "it has no head"
    report = chain_report({"links": links}, [tmp_path / "head", tmp_path / "general"])
    assert [(series.name, series.kind) for series in report.losses] == [
        ("head", "masked"),
        ("head on dev", "masked"),
        ("general", "attention + hidden"),
    ]
    assert [(one.name, one.kind) for one in report.scores] == [("general", "attention + hidden")]
    page = render_report(report)
    titles = re.findall("<h3>(.*?)</h3>", page)
    assert titles == ["Loss: masked", "Loss: attention + hidden", "loss of its terms on dev"]
    assert "general: general, 50 steps; general; it has no head" in page
    both = chain_report({"links": links[:1]}, [tmp_path / "head"])
    assert re.findall("<h3>(.*?)</h3>", render_report(both)) == ["Loss", "loss on dev"]


def test_of_one_name_they_may_still_be_of_other_terms(tmp_path):
    links = [link(tmp_path, name, TERMS) for name in ("general", "task")]
    for name, terms in (("general", ["hidden"]), ("task", ["attention", "hidden"])):
        shares = {f"term/{term}_weighted": 1.0 for term in terms}
        line = {"phase": "p", "phase_index": 0, "step": 1, "loss": 2.0, "dev/loss": 1.5, **shares}
        (tmp_path / name / "history.jsonl").write_text(json.dumps(line), encoding="utf-8")
    report = chain_report({"links": links}, [tmp_path / "general", tmp_path / "task"])
    assert [series.name for series in report.scores] == ["task"]
    kinds = {series.name: series.kind for series in report.losses}
    assert kinds["general on dev"] == kinds["general"] != kinds["task"]


def test_its_name_follows_what_stands_beside_it():
    assert main_of({"main": "loss", "metrics": HEAD}) == "loss"
    assert main_of({"main": "loss", "metrics": {"loss": 3.0, "perplexity": 20.0}}) == "loss"
    assert main_of({"main": "loss", "metrics": TERMS}) == "own_loss"
    assert main_of({"main": "mrr", "metrics": {"mrr": 0.5}}) == "mrr"


@pytest.mark.parametrize(
    ("lower", "interval", "told"),
    [
        (False, [0.01, 0.2], "one seed."),
        (False, [-0.2, -0.01], "one seed; it is below."),
        (False, [-0.1, 0.1], "one seed; the interval holds 0."),
        (True, [-0.2, -0.01], "one seed."),
        (True, [0.01, 0.2], "one seed; it is above."),
    ],
)
def test_a_difference_of_errors_is_good_below_zero(lower, interval, told):
    found = {"student": "last", "main": "rmse", "lower_is_better": lower, "interval": interval}
    (line,) = notes({"links": [], "alone": found | {"difference": sum(interval) / 2}})
    assert line.endswith(told) and ("rmse (lower is better)" in line) == lower
